#!/usr/bin/env python3
"""An epoch of CIFAR-10 ResNet-20 training in PyTorch, beside `limbic train --model resnet20`.

    python3 bench/train_resnet20.py FOLDER [THREADS]

FOLDER holds one sub-folder a class. All pictures are decoded before the clock starts and cropped
and flipped as whole batches, which spares PyTorch what its own data loader would cost. The best of
both memory layouts is what counts.
"""
import os
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

folder, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
torch.set_num_threads(threads)


class Block(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.missing = stride, width - width_in

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.missing:
            x = F.pad(x[:, :, ::self.stride, ::self.stride],
                      (0, 0, 0, 0, self.missing // 2, self.missing - self.missing // 2))
        return F.relu(y + x)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, width_in = [], 16
        for width, stride in ((16, 1), (32, 2), (64, 2)):
            for i in range(3):
                blocks.append(Block(width_in, width, stride if i == 0 else 1))
                width_in = width
        self.blocks, self.linear = nn.Sequential(*blocks), nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.linear(x.mean((2, 3)))


images, labels = [], []
for c, name in enumerate(sorted(os.listdir(folder))):
    for f in sorted(os.listdir(os.path.join(folder, name))):
        images.append(np.asarray(Image.open(os.path.join(folder, name, f)).convert("RGB")))
        labels.append(c)
x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
x = (x - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
    [0.229, 0.224, 0.225]).view(1, 3, 1, 1)
y = torch.tensor(labels)


def epoch(layout, steps=None):
    model = ResNet20().to(memory_format=layout).train()
    sgd = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
    order = torch.randperm(len(y))
    count = len(y) // 128 if steps is None else steps
    start = time.time()
    for i in range(count):
        rows = order[i * 128:(i + 1) * 128]
        batch = F.pad(x[rows], (4, 4, 4, 4))
        top, left = np.random.randint(0, 9, 2)
        batch = batch[:, :, top:top + 32, left:left + 32]
        if np.random.rand() < 0.5:
            batch = batch.flip(3)
        loss = F.cross_entropy(model(batch.contiguous(memory_format=layout)), y[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    return time.time() - start, count * 128


print("torch", torch.__version__, "threads", torch.get_num_threads())
for name, layout in (("contiguous", torch.contiguous_format),
                     ("channels_last", torch.channels_last)):
    epoch(layout, 10)
    seconds, pictures = epoch(layout)
    print("%-14s %.1f s an epoch, %.0f images/s" % (name, seconds, pictures / seconds), flush=True)
