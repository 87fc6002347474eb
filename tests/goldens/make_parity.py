#!/usr/bin/env python3
"""Writes checkpoints of torchvision's networks and what PyTorch computes with them, for
tests/nn/parity_test.cpp.

    python3 tests/goldens/make_parity.py PHOTOS build/parity [NETWORK...]

Needs torch and torchvision. For each network: random weights, running statistics of one pass over
16 photos, NAME.pth (zip form), NAME.stream.pth (the form before 1.6), and NAME.safetensors with
three other photos as input, the logits and every stage's activations, computed in f64. Prints how
much the logits differ between the photos (their deviation over the photos, relative to their rms)
and how far PyTorch's own f32 is from its f64 at the worst stage.
"""
import glob
import os
import sys

import torch
import torchvision
from PIL import Image
from torchvision import transforms
from torchvision.models.resnet import BasicBlock, Bottleneck

from safetensors_file import write_safetensors

CALIBRATION = 16
NETWORKS = {
    **{name: ["maxpool", "layer1", "layer2", "layer3", "layer4"]
       for name in ("resnet18", "resnet50", "resnet101", "resnet152")},
    **{name: ["features.denseblock%d" % i for i in (1, 2, 3, 4)]
       for name in ("densenet121", "densenet201")},
    "vgg16_bn": ["features.%d" % i for i in (6, 13, 23, 33, 43)],
    "alexnet": ["features.%d" % i for i in (2, 5, 12)],
    "mobilenet_v2": ["features.%d" % i for i in range(19)],
    "squeezenet1_0": ["features.%d" % i for i in (3, 4, 5, 7, 8, 9, 10, 12)],
    "squeezenet1_1": ["features.%d" % i for i in (3, 4, 6, 7, 9, 10, 11, 12)],
}


def photos(folder, count):
    prepare = transforms.Compose([
        transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
        transforms.Normalize((.485, .456, .406), (.229, .224, .225))])
    paths = sorted(glob.glob(os.path.join(folder, "**", "*.*"), recursive=True))
    paths = [p for p in paths if p.lower().endswith((".jpg", ".jpeg", ".png"))]
    step = len(paths) // count
    return torch.stack([prepare(Image.open(p).convert("RGB")) for p in paths[::step][:count]])


def save_safetensors(path, tensors):
    write_safetensors(path, {name: tensor.float().numpy() for name, tensor in tensors.items()})


def fresh(name, images):
    """Random weights that pass signals on, and the images' running statistics.

    The last norm of a residual block gets 0.3, as trained networks have it: with 1, every block
    adds as much as is there, and errors grow until even PyTorch's f32 is 5e-4 from its f64 in
    layer4 of resnet152.
    """
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all passes: of one, its own
        elif name == "alexnet" and hasattr(module, "weight"):  # torch's default shrinks signals
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, Bottleneck):
            torch.nn.init.constant_(module.bn3.weight, 0.3)
        if isinstance(module, BasicBlock):
            torch.nn.init.constant_(module.bn2.weight, 0.3)
    with torch.no_grad():
        model.train()(images)
    return model.eval()


def activations(model, stages, x):
    out = {}
    modules = dict(model.named_modules())
    hooks = [modules[stage].register_forward_hook(
        lambda m, i, o, stage=stage: out.__setitem__(stage, o.clone())) for stage in stages]
    with torch.no_grad():
        out["logits"] = model(x)
    for hook in hooks:
        hook.remove()
    return out


def write(name, folder, images):
    calibration, x = images[:CALIBRATION], images[CALIBRATION:]
    model = fresh(name, calibration)
    state = model.state_dict()
    torch.save(state, os.path.join(folder, name + ".pth"))
    torch.save(state, os.path.join(folder, name + ".stream.pth"),
               _use_new_zipfile_serialization=False)
    single = activations(model, NETWORKS[name], x)
    out = activations(model.double(), NETWORKS[name], x.double())
    error = max((single[k].double() - out[k]).norm() / out[k].norm() for k in out)
    save_safetensors(os.path.join(folder, name + ".safetensors"), {"input": x, **out})
    logits = out["logits"]
    spread = logits.std(0).pow(2).mean().sqrt() / logits.pow(2).mean().sqrt()
    print("%-14s logits: rms %.3g, deviation over the photos %.3g of it; PyTorch's f32 error %.2g"
          % (name, logits.pow(2).mean().sqrt(), spread, error), flush=True)


def main():
    folder = sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    images = photos(sys.argv[1], CALIBRATION + 3)
    for name in sys.argv[3:] or NETWORKS:
        write(name, folder, images)


main()
