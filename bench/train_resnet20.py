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
import torch.nn.functional as F
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))
from cifar_resnet20 import ResNet20

folder, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
torch.set_num_threads(threads)
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
