#!/usr/bin/python3
"""Writes resnet50.json and densenet121.json: PyTorch's stages and one training step, in f64.

    /usr/bin/python3 tests/goldens/make_network_goldens.py

Needs Debian's python3-torch and python3-torchvision. Made with torch 1.13.1, torchvision 0.14.1.
Each tensor is stored as its norm and a few of its values. float32_error holds how far PyTorch's own
f32 gradients are from these by the same measure: ReLU masks that flip make that far more than 1e-6.
"""
import json
import os
import sys

import numpy as np
import torch
import torchvision

sys.path.insert(0, os.path.dirname(__file__))
from deterministic import fnv1a, load, uniform  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPE = (8, 3, 64, 64)
CLASSES = 8
STAGES = {
    "resnet50": ["maxpool", "layer1", "layer2", "layer3", "layer4"],
    "densenet121": ["features.denseblock%d" % i for i in (1, 2, 3, 4)],
}


def samples(name, tensor, count):
    flat = tensor.detach().double().reshape(-1).numpy()
    at = [(fnv1a(name) + 7919 * k) % flat.size for k in range(count)]
    out = {"norm": float("%.5g" % np.linalg.norm(flat))}
    if count:
        out["values"] = [float("%.5g" % flat[i]) for i in at]
    return out


def stages(model, names, x):
    out = {}
    modules = dict(model.named_modules())
    hooks = [modules[n].register_forward_hook(
        lambda m, i, o, n=n: out.__setitem__(n, samples(n, o, 6))) for n in names]
    logits = model(x)
    for h in hooks:
        h.remove()
    out["logits"] = samples("logits", logits, CLASSES)
    return out, logits


def error(ours, golden, size):
    """The test's measure: of the norm, and of the samples relative to the rms."""
    norm = golden["norm"]
    return max([abs(ours["norm"] - norm) / norm] +
               [abs(a - b) / (norm / size ** 0.5)
                for a, b in zip(ours["values"], golden["values"])])


def gradients(model, x, labels):
    torch.nn.functional.cross_entropy(model(x), labels).backward()
    return {n: samples(n, p.grad, 1) for n, p in model.named_parameters()}


def golden(name):
    def fresh():
        return load(getattr(torchvision.models, name)(num_classes=CLASSES)).train()

    model = fresh().double()
    x = torch.from_numpy((1.7 * uniform("input", SHAPE)).astype(np.float32)).double()
    labels = torch.arange(SHAPE[0]) * 3 % CLASSES
    g = {"torch": torch.__version__, "torchvision": torchvision.__version__,
         "shape": SHAPE, "classes": CLASSES, "labels": labels.tolist()}

    g["training"], logits = stages(model, STAGES[name], x)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    g["loss"] = loss.item()
    g["gradients"] = {n: samples(n, p.grad, 1) for n, p in model.named_parameters()}
    single = gradients(fresh(), x.float(), labels)
    errors = [error(single[n], g["gradients"][n], p.numel()) for n, p in model.named_parameters()]
    g["float32_error"] = {"median": float(np.median(errors)), "max": max(errors)}
    g["statistics"] = {n: samples(n, b, 0) for n, b in model.named_buffers()
                       if "running" in n}
    # Running statistics after one step of momentum 0.1 from (0, 1), undone: the batch's own.
    for n, b in model.named_buffers():
        if n.endswith("running_mean"):
            b.copy_(b.float().double() / 0.1)
        if n.endswith("running_var"):
            b.copy_((b.float().double() - 0.9) / 0.1)
    model.eval()
    with torch.no_grad():
        g["inference"], _ = stages(model, STAGES[name], x)
    path = os.path.join(HERE, name + ".json")
    with open(path, "w") as f:
        lines = ["%s: %s" % (json.dumps(k), json.dumps(v, separators=(",", ":")))
                 for k, v in g.items()]
        f.write("{\n" + ",\n".join(lines) + "\n}\n")
    print(path, os.path.getsize(path))


for model_name in STAGES:
    golden(model_name)
