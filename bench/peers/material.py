"""Weights, pictures and ONNX files that every engine of a row gets, made once from a seed.

    python3 material.py FOLDER NETWORK

The weights are random but behave like trained ones: batch norm's running statistics are those of
some batches, so that activations stay of order 1 and logits differ between pictures. The pictures
are blurred noise, whose statistics vary in space as a photo's do.
"""
import copy
import hashlib
import importlib.util
import os
import sys

import numpy as np

import safetensors

BATCHES = {"resnet101": (1, 8), "densenet201": (1, 8), "resnet20": (128,),
           "efficientnet_lite0": (1, 8),
           **{name: (1,) for name in ("resnet18", "resnet50", "densenet121", "squeezenet1_1",
                                      "mobilenet_v2", "alexnet", "vgg16")}}
PHOTO_NETWORKS = ("resnet101", "densenet201")
CALIBRATION = 32  # pictures for int8


def image_size(network):
    return 32 if network == "resnet20" else 224


def classes(network):
    return 10 if network == "resnet20" else 1000


def pictures_file(folder, network, batch):
    return "%s/pictures-%d-%d.safetensors" % (folder, image_size(network), batch)


def reference_file(folder, network, batch):
    return "%s/reference-%s-%d.safetensors" % (folder, network, batch)


def pictures(count, size, seed):
    """(count,3,size,size) f32, about normal: sums of noise at four scales."""
    random = np.random.default_rng(seed)
    total = np.zeros((count, 3, size, size))
    for cells in (2, 4, 8, 16):
        coarse = random.standard_normal((count, 3, cells, cells))
        total += coarse.repeat(size // cells, 2).repeat(size // cells, 3)
    return (total / 2 + 0.1 * random.standard_normal(total.shape)).astype(np.float32)


def fresh_model(network, **options):
    """A PyTorch module of other people's code, as it comes."""
    if network == "resnet20":
        from cifar_resnet20 import ResNet20
        return ResNet20()
    if network.startswith("efficientnet_lite"):
        from efficientnet_lite_pytorch import EfficientNet
        return EfficientNet.from_name(network.replace("_lite", "-lite"))
    import torchvision
    return getattr(torchvision.models, network)(weights=None, **options)


def make_model(network):
    """A PyTorch module, seeded and calibrated."""
    import torch

    torch.manual_seed(1)
    model = fresh_model(network)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, 0, 0.1)
        norm.momentum = None  # running statistics are the mean over batches
    for name, module in model.named_modules():
        if name.endswith(".bn3"):  # ends a residual branch, which adds little in a trained network
            torch.nn.init.uniform_(module.weight, 0.1, 0.4)
    model.train()
    with torch.no_grad():
        for seed in (1, 2):
            model(torch.from_numpy(pictures(16, image_size(network), seed)))
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def reference(path, model):
    """What the network computes in f64: its logits, and the loss of a first training step."""
    import torch

    data = {k: torch.from_numpy(v) for k, v in safetensors.read(path).items()}
    model = copy.deepcopy(model).double()  # training moves the running statistics
    images = data["images"].double()
    with torch.no_grad():
        logits = model.eval()(images)
        loss = torch.nn.functional.cross_entropy(model.train()(images), data["labels"])
    return {"infer": logits.float().numpy(), "train": loss.float().reshape(1).numpy()}


def export(model, batch, size, path):
    import torch

    torch.onnx.export(model, (torch.zeros(batch, 3, size, size),), path + ".part",
                      input_names=["images"], output_names=["logits"], external_data=False,
                      dynamo=True, optimize=True, verbose=False)
    os.replace(path + ".part", path)


def export_ncnn(model, picture, folder):
    import pnnx

    os.makedirs(folder, exist_ok=True)
    pnnx.export(model, folder + "/model.pt", (picture,), fp16=False)


def export_executorch(model, picture, path):
    """For XNNPACK, which takes all layers that it knows."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = to_edge_transform_and_lower(torch.export.export(model, (picture,)),
                                          partitioner=[XnnpackPartitioner()]).to_executorch()
    with open(path + ".part", "wb") as file:
        file.write(program.buffer)
    os.replace(path + ".part", path)


def quantise(source, target, batch, size, batch_norm):
    """ONNX Runtime's static quantisation: QDQ, u8 activations, s8 weights per channel; of batch
    norms that no convolution has swallowed only if asked."""
    from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                          quantize_static)
    from onnxruntime.quantization.registry import QDQRegistry
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.batches = iter(np.split(pictures(CALIBRATION, size, 1), CALIBRATION // batch))

        def get_next(self):
            images = next(self.batches, None)
            return None if images is None else {"images": images}

    folded = target + ".folded"
    quant_pre_process(source, folded, skip_symbolic_shape=True)
    quantize_static(folded, target + ".part", Reader(), quant_format=QuantFormat.QDQ,
                    per_channel=True, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    op_types_to_quantize=[op for op in QDQRegistry
                                          if batch_norm or op != "BatchNormalization"])
    os.remove(folded)
    os.replace(target + ".part", target)


def installed(module):
    return importlib.util.find_spec(module) is not None


def write_photo(path):
    """A JPEG of a photo's usual proportions."""
    from PIL import Image

    x = pictures(1, 512, 7)[0, :, :375, :500].transpose(1, 2, 0)
    Image.fromarray(np.clip(128 + 50 * x, 0, 255).astype(np.uint8)).save(path, quality=90)


def make_inputs(folder, network):
    size = image_size(network)
    for batch in BATCHES[network]:
        path = pictures_file(folder, network, batch)
        if not os.path.exists(path):
            labels = np.random.default_rng(4).integers(0, classes(network), batch)
            safetensors.write(path, {"images": pictures(batch, size, 3), "labels": labels})
    calibration = "%s/calibration-%d.safetensors" % (folder, size)
    if not os.path.exists(calibration):
        safetensors.write(calibration, {"images": pictures(CALIBRATION, size, 1)})


def stamp():
    """What the files depend on: this program and the installed exporters."""
    with open(__file__, "rb") as file:
        parts = [hashlib.sha256(file.read()).hexdigest()]
    return " ".join(parts + [m for m in ("onnxscript", "onnxruntime", "pnnx", "executorch")
                             if installed(m)])


def make_photo(folder):
    """The photo, and the class that each network gives it in f64."""
    import torch
    import torchvision
    from one_photo import read_photo

    for network in PHOTO_NETWORKS:
        make(folder, network)
    write_photo(folder + "/photo.jpg")
    image = torch.from_numpy(read_photo(folder + "/photo.jpg")).double()
    classes = []
    for network in PHOTO_NETWORKS:
        model = getattr(torchvision.models, network)()
        model.load_state_dict(torch.load("%s/%s.pth" % (folder, network), weights_only=True))
        with torch.no_grad():
            best = model.double().eval()(image)[0].topk(2)
        ahead = float(best.values[0] - best.values[1])
        assert ahead > 1e-3, "the photo's two best classes are too close: choose another seed"
        classes.append(float(best.indices[0]))
    safetensors.write(reference_file(folder, "photo", 1), {"photo": np.float32(classes)})


def make(folder, network):
    """Makes what is not there yet."""
    os.makedirs(folder, exist_ok=True)
    if network == "photo":
        return make_photo(folder)
    make_inputs(folder, network)
    stem, size = "%s/%s" % (folder, network), image_size(network)
    if os.path.exists(stem + ".stamp") and open(stem + ".stamp").read() == stamp():
        return
    import torch

    model = make_model(network)
    safetensors.write(stem + ".safetensors",
                      {k: v.numpy() for k, v in model.state_dict().items()})
    torch.save(model.state_dict(), stem + ".pth")  # PyTorch's own format
    if network != "resnet20" and installed("onnxscript"):
        for batch in BATCHES[network]:
            export(model, batch, size, "%s-%d.onnx" % (stem, batch))
        if installed("onnxruntime") and 8 in BATCHES[network]:
            # ONNX Runtime is faster with DenseNet's batch norms quantised, OpenVINO cannot run
            # them: each gets what suits it.
            quantise(stem + "-8.onnx", stem + "-8-int8.onnx", 8, size, batch_norm=True)
            quantise(stem + "-8.onnx", stem + "-8-int8-openvino.onnx", 8, size, batch_norm=False)
    if 1 in BATCHES[network]:
        picture = torch.zeros(1, 3, size, size)
        if installed("pnnx"):
            export_ncnn(model, picture, stem + "-ncnn")
        if installed("executorch"):
            export_executorch(model, picture, stem + ".pte")
    for batch in BATCHES[network]:
        safetensors.write(reference_file(folder, network, batch),
                          reference(pictures_file(folder, network, batch), model))
    with open(stem + ".stamp", "w") as file:
        file.write(stamp())


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2])
