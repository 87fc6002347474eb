"""Reads and writes .safetensors files: an 8-byte length, a JSON header, the elements.

Source: https://github.com/huggingface/safetensors (Format).
"""
import json
import os

import numpy as np

DTYPES = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}


def write(path, tensors):
    """tensors: name -> f32 or i64 array. Wide elements come first, so that all are aligned."""
    names = sorted(tensors, key=lambda n: (-tensors[n].dtype.itemsize, n))
    header, end = {}, 0
    for name in names:
        array = tensors[name]
        dtype = next(k for k, v in DTYPES.items() if v == array.dtype)
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path + ".part", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(np.ascontiguousarray(tensors[name]).tobytes())
    os.replace(path + ".part", path)


def read(path):
    """name -> array, copied out of the file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start, tensors = file.tell(), {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            file.seek(start + begin)
            array = np.frombuffer(bytearray(file.read(end - begin)), DTYPES[entry["dtype"]])
            tensors[name] = array.reshape(entry["shape"])
    return tensors
