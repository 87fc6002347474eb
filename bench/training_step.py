#!/usr/bin/python3
"""How exact is one training step? Ours and f32 PyTorch, both against f64 PyTorch.

    build/bench/training_step resnet50 8 224 ours.safetensors
    /usr/bin/python3 bench/training_step.py resnet50 8 224 ours.safetensors
"""
import json
import os
import struct
import sys

import numpy as np
import torch
import torchvision

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "goldens"))
from deterministic import load, uniform  # noqa: E402

name, batch, size, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


def read(file):
    raw = open(file, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    kinds = {"F32": np.float32, "F64": np.float64}
    return {k: np.frombuffer(raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]],
                             kinds[v["dtype"]]).astype(np.float64) for k, v in header.items()}


def step(dtype):
    model = load(getattr(torchvision.models, name)(num_classes=8)).to(dtype).train()
    x = torch.from_numpy((1.7 * uniform("input", (batch, 3, size, size))).astype(np.float32))
    logits = model(x.to(dtype))
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(batch) * 3 % 8)
    loss.backward()
    out = {"logits": logits, "loss": loss.reshape(1)}
    out.update({"gradient/" + n: p.grad for n, p in model.named_parameters()})
    out.update({"buffer/" + n: b for n, b in model.named_buffers() if "running" in n})
    return {k: v.detach().double().reshape(-1).numpy() for k, v in out.items()}


reference, single, ours = step(torch.float64), step(torch.float32), read(path)


def errors(got, kind):
    return [np.linalg.norm(got[k] - v) / np.linalg.norm(v)
            for k, v in reference.items() if k.startswith(kind)]


print("%-12s %28s %28s %s" % (name, "ours: median, max", "PyTorch f32: median, max", "ratios"))
for kind in ("loss", "logits", "gradient/", "buffer/"):
    a, b = errors(ours, kind), errors(single, kind)
    print("%-12s %14.3g %13.3g %14.3g %13.3g   %.2f %.2f" % (
        kind, np.median(a), max(a), np.median(b), max(b),
        np.median(a) / max(np.median(b), 1e-300), max(a) / max(max(b), 1e-300)))


def together(got, kind):
    keys = [k for k in reference if k.startswith(kind)]
    d = np.concatenate([got[k] - reference[k] for k in keys])
    return np.linalg.norm(d) / np.linalg.norm(np.concatenate([reference[k] for k in keys]))


for kind in ("gradient/", "buffer/"):
    a, b = together(ours, kind), together(single, kind)
    print("%-12s all as one vector: ours %.3g, PyTorch f32 %.3g, ratio %.2f" % (kind, a, b, a / b))
