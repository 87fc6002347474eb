#!/usr/bin/python3
"""Writes architectures.json: what torchvision's networks consist of, layer by layer.

    /usr/bin/python3 tests/goldens/make_architecture_goldens.py

Needs Debian's python3-torch and python3-torchvision. Made with torch 1.13.1, torchvision 0.14.1.
Each network is traced on one picture of an odd size and becomes a list of lines, one a layer: its
op, everything that decides what it computes, its parameters' name, the shape that leaves it, and
the numbers of the lines that it reads. Lines are numbered as a walk back from the logits ends them
(of a sum, the longer branch first). The large networks are kept as the lines' number and hash: what
they repeat is in the lines of a smaller one. "initial" has, of some parameters, their number, rms and
largest value when torchvision has just drawn them.
"""
import json
import operator
import os
import sys

import torch
import torchvision
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

sys.path.insert(0, os.path.dirname(__file__))
from deterministic import fnv1a  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPE = (1, 3, 139, 117)
CLASSES = 10
WHOLE = ["resnet18", "squeezenet1_0", "squeezenet1_1", "alexnet", "vgg16", "mobilenet_v2"]
HASHED = ["resnet34", "resnet50", "resnet101", "resnet152", "densenet121", "densenet161",
          "densenet169", "densenet201", "vgg19", "vgg16_bn", "vgg19_bn"]
DRAWN = {"resnet18": ["conv1", "layer1.0.bn2", "layer4.1.conv2", "fc"],
         "densenet121": ["features.conv0", "features.denseblock4.denselayer16.conv2", "classifier"],
         "squeezenet1_1": ["features.0", "features.12.expand3x3", "classifier.1"],
         "alexnet": ["features.0", "features.10", "classifier.1", "classifier.6"],
         "vgg16_bn": ["features.0", "features.40", "classifier.0", "classifier.6"],
         "mobilenet_v2": ["features.0.0", "features.2.conv.1.0", "features.18.0", "classifier.1"]}


def both(x):
    return "%dx%d" % (x if isinstance(x, tuple) else (x, x))


def describe(module, name):
    """The line of a module, without its inputs; None for one that does nothing."""
    if isinstance(module, nn.Conv2d):
        return "conv2d %d>%d %s stride %s padding %s dilation %s groups %d bias %d %s" % (
            module.in_channels, module.out_channels, both(module.kernel_size), both(module.stride),
            both(module.padding), both(module.dilation), module.groups, module.bias is not None,
            name)
    if isinstance(module, nn.BatchNorm2d):
        return "batch_norm %d eps %g momentum %g %s" % (
            module.num_features, module.eps, module.momentum, name)
    if isinstance(module, nn.Linear):
        return "linear %d>%d bias %d %s" % (
            module.in_features, module.out_features, module.bias is not None, name)
    if isinstance(module, nn.MaxPool2d):
        return "max_pool2d %s stride %s padding %s ceil %d" % (
            both(module.kernel_size), both(module.stride), both(module.padding), module.ceil_mode)
    if isinstance(module, nn.AvgPool2d):
        return "avg_pool2d %s stride %s padding %s ceil %d counts padding %d" % (
            both(module.kernel_size), both(module.stride), both(module.padding), module.ceil_mode,
            module.count_include_pad)
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return "adaptive_avg_pool2d %s" % both(module.output_size)
    if isinstance(module, nn.Dropout):
        return "dropout %g" % module.p
    return {nn.ReLU: "relu", nn.ReLU6: "relu6"}[type(module)]


def describe_function(node):
    if node.target in (operator.add, operator.iadd):
        return "add"
    if node.target is torch.cat:
        return "concat"
    if node.target is torch.flatten:
        return "flatten"
    if node.target is nn.functional.relu:
        return "relu"
    assert node.target is nn.functional.adaptive_avg_pool2d, node.target
    return "adaptive_avg_pool2d %s" % both(node.args[1])


def lines_of(name):
    model = getattr(torchvision.models, name)(weights=None, num_classes=CLASSES).eval()
    traced = fx.symbolic_trace(model)
    ShapeProp(traced).propagate(torch.zeros(SHAPE))
    modules = dict(traced.named_modules())
    depth = {}
    for node in traced.graph.nodes:
        depth[node] = 1 + max([depth[n] for n in node.all_input_nodes], default=0)

    lines, number = [], {}

    def visit(node):
        if node in number:
            return number[node]
        sources = node.all_input_nodes
        if node.op == "placeholder":
            text = "input"
        elif node.op == "call_module":
            text = describe(modules[node.target], node.target)
        else:
            text = describe_function(node)
        if text == "add":
            sources = sorted(sources, key=lambda n: -depth[n])
        read = [visit(n) for n in sources]
        if text == "concat" and len(read) == 1:
            number[node] = read[0]
            return read[0]
        shape = node.meta["tensor_meta"].shape
        if text == "flatten" and lines[read[0]].startswith("adaptive_avg_pool2d 1x1"):
            # Both in one.
            lines[read[0]] = "global_avg_pool (%d,%d) < %s" % (
                *shape, lines[read[0]].split(" < ")[1])
            number[node] = read[0]
            return read[0]
        lines.append("%s (%s) < %s" % (text, ",".join(map(str, shape)), " ".join(map(str, read))))
        number[node] = len(lines) - 1
        return number[node]

    visit(next(n for n in traced.graph.nodes if n.op == "output").args[0])
    return lines


def drawn(name, layers):
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None)
    return {key: [p.numel(), float("%.4g" % p.double().square().mean().sqrt()),
                  float("%.4g" % p.abs().max())]
            for key, p in model.named_parameters() if key.rsplit(".", 1)[0] in layers}


def main():
    sys.setrecursionlimit(100000)  # a walk is as deep as the network
    golden = {"shape": SHAPE, "classes": CLASSES, "networks": {}, "initial": {}}
    with torch.no_grad():
        for name in WHOLE + HASHED:
            lines = lines_of(name)
            golden["networks"][name] = lines if name in WHOLE else {
                "lines": len(lines), "hash": "%016x" % fnv1a("\n".join(lines))}
            print(name, len(lines))
        for name, layers in DRAWN.items():
            golden["initial"][name] = drawn(name, layers)
    with open(os.path.join(HERE, "architectures.json"), "w") as f:
        json.dump(golden, f, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
