#!/usr/bin/env python3
"""Grad-CAM and guided backpropagation, for tests/explain/explain_test.cpp: writes goldens.json beside itself.

    python3 tests/explain/make_goldens.py ../shared/data     (torch 1.13, Pillow)

The networks are written out here from their papers; they take the published weights of torchvision,
of akamaster's CIFAR ResNets and of efficientnet_lite_pytorch. The picture for SqueezeNet is an
ImageNet photo under torchvision's preset, that for the others a wave.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

data = pathlib.Path(sys.argv[1])


class Fire(nn.Module):
    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self):
        super().__init__()
        def pool():
            return nn.MaxPool2d(3, 2, ceil_mode=True)
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool(),
            Fire(128, 32, 128), Fire(256, 32, 128), pool(), Fire(256, 48, 192), Fire(384, 48, 192),
            Fire(384, 64, 256), Fire(512, 64, 256))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, 1000, 1), nn.ReLU())

    def forward(self, x):
        return self.classifier(self.features(x)).mean((2, 3))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride = stride

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride == 2:
            quarter = x.shape[1] // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
        return F.relu(y + x)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        def layer(inputs, outputs, stride):
            return nn.Sequential(Block(inputs, outputs, stride), Block(outputs, outputs, 1),
                                 Block(outputs, outputs, 1))
        self.layer1, self.layer2, self.layer3 = layer(16, 16, 1), layer(16, 32, 2), layer(32, 64, 2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


class EfficientNetLite0(nn.Module):
    """From the checkpoint's own names: what a block has decides what it computes."""
    STRIDES = {1: 2, 3: 2, 5: 2, 11: 2}  # of the blocks that have one

    def __init__(self, state):
        super().__init__()
        self.state, self.last = state, nn.Identity()  # for the hook

    def conv(self, name, x, stride=1):
        w = self.state[name + ".weight"]
        k = w.shape[2]
        def pad(n):  # TensorFlow's "same"
            total = max((-(-n // stride) - 1) * stride + k - n, 0)
            return total // 2, total - total // 2
        x = F.pad(x, pad(x.shape[3]) + pad(x.shape[2]))
        return F.conv2d(x, w, stride=stride, groups=x.shape[1] if w.shape[1] == 1 else 1)

    def norm(self, name, x):
        s = {k: self.state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")}
        return F.batch_norm(x, **s, eps=1e-3)

    def forward(self, x):
        x = F.relu6(self.norm("_bn0", self.conv("_conv_stem", x, 2)))
        for i in range(16):
            b, y = f"_blocks.{i}.", x
            if b + "_expand_conv.weight" in self.state:
                y = F.relu6(self.norm(b + "_bn0", self.conv(b + "_expand_conv", y)))
            y = self.conv(b + "_depthwise_conv", y, self.STRIDES.get(i, 1))
            y = self.norm(b + "_bn2", self.conv(b + "_project_conv", F.relu6(self.norm(b + "_bn1", y))))
            x = x + y if x.shape == y.shape else y
        x = self.last(F.relu6(self.norm("_bn1", self.conv("_conv_head", x))))
        return F.linear(x.mean((2, 3)), self.state["_fc.weight"], self.state["_fc.bias"])


def grad_cam(net, target, image, c):
    kept = {}
    net.eval()
    target.register_forward_hook(lambda _, __, out: kept.update(maps=out))
    target.register_full_backward_hook(lambda _, __, out: kept.update(slopes=out[0]))
    net(image)[0, c].backward()
    weights = kept["slopes"].mean((2, 3), keepdim=True)
    cam = F.relu((weights * kept["maps"]).sum(1))[0].detach().numpy().astype(np.float64)
    return ((cam - cam.min()) / (cam.max() - cam.min())).round(6).tolist()


class GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, slope):
        x, = ctx.saved_tensors
        return slope.clamp(min=0) * (x > 0)


def guided_gradient(net, image, c):
    """|sum over colours of guided backpropagation's gradient times the pixel|, stretched."""
    plain, F.relu = F.relu, GuidedReLU.apply
    image = image.detach().clone().requires_grad_()
    net.eval()
    net(image)[0, c].backward()
    F.relu = plain
    m = (image.grad * image).sum(1)[0].abs().detach().numpy().astype(np.float64)
    return ((m - m.min()) / (m.max() - m.min())).round(5).tolist()


def photo(path):
    picture = Image.open(path).convert("RGB")
    w, h = picture.size
    size = (256, int(256 * h / w)) if w < h else (int(256 * w / h), 256)
    picture = picture.resize(size, Image.BILINEAR)
    left, top = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
    x = np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32) / 255
    x = (x - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    return torch.from_numpy(x.transpose(2, 0, 1)[None].copy())


squeezenet = SqueezeNet()
squeezenet.load_state_dict(torch.load(data / "weights/squeezenet1_1.pth"))
resnet = ResNet20()
state = torch.load(data / "weights/resnet20-12fca82f.th", map_location="cpu")["state_dict"]
resnet.load_state_dict({k.replace("module.", ""): v for k, v in state.items()})
lite = EfficientNetLite0(torch.load(data / "weights/efficientnet-lite0-57934424.pth"))


def wave(side):
    n = torch.arange(3 * side * side, dtype=torch.float64)
    return torch.sin(n * 0.01).float().reshape(1, 3, side, side).requires_grad_()


cat = "n02124075_Egyptian_cat.JPEG"
out = {"torch": torch.__version__, "photo": cat,
       "squeezenet1_1": {str(c): grad_cam(squeezenet, squeezenet.features, photo(data / "images/imagenet100" / cat), c)
                         for c in (285, 281)},
       "resnet20": {str(c): grad_cam(resnet, resnet.layer3, wave(32), c) for c in (3, 8)},
       "resnet20 guided": {"3": guided_gradient(resnet, wave(32), 3)},
       "efficientnet_lite0": {str(c): grad_cam(lite, lite.last, wave(224), c) for c in (7, 600)}}
path = pathlib.Path(__file__).with_name("goldens.json")
path.write_text(json.dumps(out) + "\n")
print(path, path.stat().st_size, "bytes")
