#!/usr/bin/env python3
"""Runs a torchvision network on one photo and writes what every module of it puts out, for
`limbic compare --against`:

    python3 scripts/dump_pytorch.py resnet18 resnet18.pth photo.jpg dump.safetensors
    limbic compare --model resnet18 --weights resnet18.pth photo.jpg --against dump.safetensors

Needs PyTorch, torchvision and Pillow. The weights may be .pth or .safetensors (then the package
safetensors is needed). The photo is prepared as torchvision's first presets do.
"""
import json
import struct
import sys

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision.transforms.functional import center_crop, normalize, resize, to_tensor


def read_weights(path):
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def read_photo(path):
    picture = center_crop(resize(Image.open(path).convert("RGB"), 256), 224)
    return normalize(to_tensor(picture), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))[None]


def dump_modules(model, images):
    """Module name -> output; of a module that runs more than once, the first."""
    outputs = {}

    def keep(name):
        def hook(module, inputs, output):
            if torch.is_tensor(output) and name not in outputs:
                outputs[name] = output.detach().clone()  # the next layer may write in place
        return hook

    for name, module in model.named_modules():
        if name not in ("", "features"):  # Limbic's `features` is what the classifier sees
            module.register_forward_hook(keep(name))
    with torch.inference_mode():
        outputs["logits"] = model.eval()(images)
    return {"input": images, **outputs}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = np.ascontiguousarray(tensor.numpy(), np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    if len(sys.argv) != 5:
        sys.exit("usage: dump_pytorch.py MODEL WEIGHTS PHOTO OUT")
    name, weights, photo, out = sys.argv[1:]
    weights = read_weights(weights)
    classes = next(reversed([t for k, t in weights.items() if k.endswith("bias")])).shape[0]
    model = getattr(torchvision.models, name)(num_classes=classes)
    model.load_state_dict(weights)
    write_safetensors(out, dump_modules(model, read_photo(photo)))


if __name__ == "__main__":
    main()
