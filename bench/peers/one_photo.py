"""One photo through ResNet101 and DenseNet201 in one process, as bench/one_photo.cpp does it.

    python3 one_photo.py ENGINE MATERIAL THREADS

Prints "NAME CLASS" for each network, then the milliseconds since the imports were done.
"""
import sys
import time

import numpy as np
from PIL import Image

NETWORKS = ("resnet101", "densenet201")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def read_photo(path):
    """torchvision's preset: short side 256, bilinear, centre 224; (1,3,224,224) f32."""
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    short = min(width, height)
    picture = picture.resize((256 * width // short, 256 * height // short), Image.BILINEAR)
    width, height = picture.size
    left, top = round((width - 224) / 2), round((height - 224) / 2)
    pixels = np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32) / 255
    pixels = (pixels - np.float32(MEAN)) / np.float32(STD)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]


def classify_onnxruntime(material, threads):
    import onnxruntime

    start = time.perf_counter()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    image = read_photo(material + "/photo.jpg")
    for name in NETWORKS:
        session = onnxruntime.InferenceSession("%s/%s-1.onnx" % (material, name), options,
                                               ["CPUExecutionProvider"])
        print(name, session.run(None, {"images": image})[0].argmax())
    return start


def classify_pytorch(material, threads):
    """Without initialising the weights first and without copying them: as fast as it gets."""
    import torch
    import torchvision

    start = time.perf_counter()
    torch.set_num_threads(threads)
    image = torch.from_numpy(read_photo(material + "/photo.jpg"))
    for name in NETWORKS:
        with torch.device("meta"):
            model = getattr(torchvision.models, name)()
        weights = torch.load("%s/%s.pth" % (material, name), mmap=True, weights_only=True)
        model.load_state_dict(weights, assign=True)
        with torch.inference_mode():
            print(name, int(model.eval()(image).argmax()))
    return start


if __name__ == "__main__":
    classify = {"onnxruntime": classify_onnxruntime, "pytorch": classify_pytorch}[sys.argv[1]]
    begin = classify(sys.argv[2], int(sys.argv[3]))
    print("after_imports_ms", 1e3 * (time.perf_counter() - begin), flush=True)
