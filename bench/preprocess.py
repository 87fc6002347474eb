#!/usr/bin/env python3
"""Limbic's decoding, resizing and normalising beside Pillow and NumPy: first equality, then time.

    python3 bench/preprocess.py PHOTO ...         (needs Pillow and NumPy; build first)

1. 200 random pairs of sizes by 5 filters: every pixel of Pillow's resize.
2. Every pixel of Pillow's decoding of the photos.
3. Decode, resize the short side to 256, crop 224, scale and normalise to (3,224,224) f32, one
   thread each, in turns, photo by photo: the ratio of the summed medians of 5.
"""
import pathlib
import random
import statistics
import subprocess
import sys
import time

import numpy as np
from PIL import Image, features
import PIL

PROGRAM = pathlib.Path(__file__).parent.parent / "build" / "bench" / "preprocess"
FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR,
           "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
MEAN, STD = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))


class Worker:
    def __init__(self, mode):
        self.process = subprocess.Popen([PROGRAM, mode], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()
        return self.process.stdout


def make_picture(index, height, width):
    i = np.arange(height * width * 3, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(index * 0x9E3779B97F4A7C15 % 2**64) + i * np.uint64(0xBF58476D1CE4E5B9)
        z = z + np.uint64(1)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = z ^ (z >> np.uint64(31))
    return z.astype(np.uint8).reshape(height, width, 3)


def check_resize():
    worker, chance, different = Worker("resize"), random.Random(0), 0
    for index in range(200):
        height, width, to_height, to_width = (chance.randint(1, 400) for _ in range(4))
        picture = Image.fromarray(make_picture(index, height, width))
        for name, pil_filter in FILTERS.items():
            out = worker.ask("%d %d %d %d %d %s %s" % (
                index, height, width, to_height, to_width, name, PIL.__version__.split(".")[0]))
            ours = np.frombuffer(out.read(to_height * to_width * 3), np.uint8)
            theirs = np.asarray(picture.resize((to_width, to_height), pil_filter)).ravel()
            different += not np.array_equal(ours, theirs)
    print("resize: %d of %d results equal Pillow's in every pixel" % (1000 - different, 1000))
    return different == 0


def check_decode(photos):
    worker, different, largest = Worker("decode"), 0, 0
    for path in photos:
        out = worker.ask(path)
        width, height = map(int, out.readline().split())
        ours = np.frombuffer(out.read(width * height * 3), np.uint8).astype(int)
        theirs = np.asarray(Image.open(path).convert("RGB")).ravel().astype(int)
        different += not np.array_equal(ours, theirs)
        largest = max(largest, np.abs(ours - theirs).max())
    print("decode: %d of %d photos equal Pillow's in every pixel, largest difference %d"
          % (len(photos) - different, len(photos), largest))
    return different == 0


def prepare(path):
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    short = min(width, height)
    picture = picture.resize((256 * width // short, 256 * height // short), Image.BILINEAR)
    width, height = picture.size
    left, top = round((width - 224) / 2), round((height - 224) / 2)
    pixels = np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32)
    return np.ascontiguousarray(((pixels / np.float32(255) - MEAN) / STD).transpose(2, 0, 1))


def compare_time(photos):
    worker, ours, theirs = Worker("time"), 0, 0
    for path in photos:
        times = [], []
        for _ in range(5):
            times[0].append(float(worker.ask(path).readline()))
            start = time.perf_counter()
            prepare(path)
            times[1].append(time.perf_counter() - start)
        ours += statistics.median(times[0])
        theirs += statistics.median(times[1])
    print("decode + resize + normalise, %d photos: Limbic %.2f ms a photo, Pillow + NumPy %.2f ms "
          "(%.2fx)" % (len(photos), 1e3 * ours / len(photos), 1e3 * theirs / len(photos),
                       theirs / ours))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python3 bench/preprocess.py PHOTO ...")
    print("Pillow %s, libjpeg-turbo %s" % (PIL.__version__, features.version("libjpeg_turbo")))
    equal = check_resize() & check_decode(sys.argv[1:])
    compare_time(sys.argv[1:])
    sys.exit(not equal)
