#!/usr/bin/python3
"""Writes hog.json: histograms of oriented gradients by scikit-image 0.19.3.

    ./make_hog_goldens.py > hog.json
"""
import json

import numpy
from skimage.feature import hog


def picture(height, width):
    """The picture of make_algorithm_goldens.c."""
    y, x = numpy.mgrid[:height, :width]
    return ((x * x + 3 * y * y + 7 * x * y + (x * 37 + y * 91) % 53) // 4 % 256).astype(numpy.uint8)


cases = []
for height, width, cell, block in [(32, 40, 8, 2), (37, 29, 8, 2), (30, 33, 6, 3)]:
    values = hog(picture(height, width), orientations=9, pixels_per_cell=(cell, cell),
                 cells_per_block=(block, block), block_norm="L2-Hys")
    cases.append({"height": height, "width": width, "cell": cell, "block": block,
                  "values": [round(float(v), 7) for v in values]})
print(json.dumps(cases))
