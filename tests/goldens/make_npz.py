#!/usr/bin/env python3
"""Writes tests/goldens/npz/: arrays as NumPy 2.x saves them, under the names that people give Caffe's.

    python3 tests/goldens/make_npz.py            with numpy from PyPI; times in the archives are fixed

Number i of an array of n is (i - n / 3) / 8, which F16 holds; integers are i.
"""
import io
import os
import zipfile

import numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npz")


def numbers(*shape, dtype="<f4"):
    n = int(np.prod(shape))
    values = np.arange(n) if np.dtype(dtype).kind in "iub" else (np.arange(n) - n // 3) / 8
    return values.astype(dtype).reshape(shape)


def array(values, **options):
    out = io.BytesIO()
    np.lib.format.write_array(out, values, **options)
    return out.getvalue()


def save(name, members, method):
    with zipfile.ZipFile(os.path.join(HERE, name), "w", method) as archive:
        for key, content in members.items():
            archive.writestr(zipfile.ZipInfo(key + ".npy"), content, method)


def main():
    os.makedirs(HERE, exist_ok=True)
    kinds = {"conv1_w": array(numbers(2, 3, 1, 2)), "conv1_b": array(numbers(2)),
             "conv2.weight": array(numbers(2, 1, 3, 1, dtype="<f8")),
             "conv2.bias": array(numbers(2, dtype="<f2")),
             "conv3/weight": array(numbers(1, 2, 2, 2)), "conv3/bias": array(numbers(1)),
             "conv4_0": array(numbers(4, 2, 1, 1), version=(2, 0)), "conv4_1": array(numbers(4)),
             "fc6_0": array(numbers(1, 1, 3, 4)), "fc6_1": array(numbers(1, 1, 1, 3)),
             "steps": array(np.int64(7)[()].reshape(())), "one_1": array(numbers(3, dtype="u1"))}
    save("stored.npz", kinds, zipfile.ZIP_STORED)
    save("deflated.npz", kinds, zipfile.ZIP_DEFLATED)
    save("fortran.npz", {"fc_w": array(np.asfortranarray(numbers(3, 2)))}, zipfile.ZIP_STORED)
    save("objects.npz", {"fc": array(np.array({"w": 1}, dtype=object))}, zipfile.ZIP_STORED)
    save("big_endian.npz", {"fc_w": array(numbers(3, 2, dtype=">f4"))}, zipfile.ZIP_STORED)
    save("twice.npz", {"fc_w": array(numbers(2)), "fc/weight": array(numbers(2))}, zipfile.ZIP_STORED)
    with open(os.path.join(HERE, "conv1_w.npy"), "wb") as out:
        out.write(array(numbers(2, 3, 1, 2)))


if __name__ == "__main__":
    main()
