#!/usr/bin/env python3
"""Writes tests/goldens/resize.bin: what Pillow makes of small random pictures. Made with Pillow 9.4.0
and NumPy 1.24.2; run it from anywhere:

    python3 tests/goldens/make_resize_goldens.py

The file is a sequence of cases, all integers little-endian 32-bit: filter (0 nearest, 1 box,
2 bilinear, 3 bicubic, 4 lanczos), source height and width, result height and width, then the
result's pixels (height, width, 3). The source's byte i is splitmix(case, i) below, rounded to 0 or
255 in every third case, which makes filters overshoot.
"""
import pathlib
import struct

import numpy as np
from PIL import Image

FILTERS = [Image.NEAREST, Image.BOX, Image.BILINEAR, Image.BICUBIC, Image.LANCZOS]
SIZES = [  # source height, width -> result height, width
    (1, 1, 3, 5), (1, 1, 1, 1), (7, 5, 7, 5), (2, 9, 5, 9), (11, 3, 11, 8), (40, 30, 9, 7),
    (13, 17, 29, 23), (200, 1, 10, 4), (1, 200, 4, 10), (33, 64, 11, 20), (90, 120, 17, 22),
    (19, 21, 20, 20), (5, 300, 3, 26), (64, 64, 16, 16), (31, 37, 8, 41),
]


def source(case, height, width):
    mask = 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    for i in range(height * width * 3):
        z = (case * 0x9E3779B97F4A7C15 + i * 0xBF58476D1CE4E5B9 + 1) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        value = (z ^ (z >> 31)) & 255
        out.append((0 if value < 128 else 255) if case % 3 == 0 else value)
    return np.frombuffer(bytes(out), np.uint8).reshape(height, width, 3)


def main():
    data = bytearray()
    case = 0
    for filter_index, pil_filter in enumerate(FILTERS):
        for height, width, to_height, to_width in SIZES:
            result = Image.fromarray(source(case, height, width), "RGB").resize(
                (to_width, to_height), pil_filter)
            data += struct.pack("<5i", filter_index, height, width, to_height, to_width)
            data += np.asarray(result).tobytes()
            case += 1
    path = pathlib.Path(__file__).parent / "resize.bin"
    path.write_bytes(data)
    print(f"{case} cases, {len(data)} bytes in {path}")


if __name__ == "__main__":
    main()
