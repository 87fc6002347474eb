"""Data sets for bench/svm.py and bench/svm_agreement.py, and files of them."""
import json
import pathlib
import struct
import subprocess
import tempfile

import numpy as np

LIMBIC = pathlib.Path(__file__).parent.parent / "build" / "limbic"


def make_features(rows, features, classes, separation, seed=0):
    """(rows, features) f32, standardised, and labels 0 ... classes-1."""
    random = np.random.default_rng(seed)
    hidden = 32
    centres = np.zeros((classes, hidden))
    for c in range(classes):
        centres[c, random.choice(hidden, 12, replace=False)] = separation * random.normal(size=12)
    labels = random.integers(classes, size=rows)
    labels[:classes] = np.arange(classes)  # LIBSVM numbers classes as they come, scikit-learn sorts
    mixing = random.normal(size=(hidden, features)).astype(np.float32) / np.sqrt(hidden)
    scale = random.gamma(2.0, size=features).astype(np.float32)
    x = np.empty((rows, features), np.float32)
    for begin in range(0, rows, 2048):
        part = labels[begin:begin + 2048]
        factors = (centres[part] + random.normal(size=(len(part), hidden))).astype(np.float32)
        noise = random.normal(size=(len(part), features)).astype(np.float32)
        x[begin:begin + 2048] = np.maximum(factors @ mixing + 0.3 * noise, 0) ** 1.5 * scale
    x -= x.mean(0)
    x /= x.std(0)
    return x, labels


def write_safetensors(path, tensors):
    names = {np.dtype(np.float32): "F32", np.dtype(np.int64): "I64"}
    header, at = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": names[value.dtype], "shape": list(value.shape),
                        "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            out.write(np.ascontiguousarray(value).tobytes())


def write_libsvm(path, x, labels):
    with open(path, "w") as out:
        for row, label in zip(x, labels):
            out.write("%d %s\n" % (label, " ".join("%d:%.9g" % (j + 1, v)
                                                   for j, v in enumerate(row) if v)))


def standardised(train, test):
    mean, deviation = train.mean(0), train.std(0)
    deviation[deviation == 0] = 1
    return ((train - mean) / deviation).astype(np.float32), ((test - mean) / deviation).astype(
        np.float32)


def split(x, y, train, seed=0):
    """Rows shuffled; `train` of them, then the others."""
    order = np.random.default_rng(seed).permutation(len(y))
    x, y = x[order].astype(np.float32), y[order].astype(int)
    return (x[:train], y[:train]), (x[train:], y[train:])


def classic(name, scaled):
    from sklearn import datasets
    set_ = getattr(datasets, "load_" + name)()
    (x, y), (u, v) = split(set_.data, set_.target, len(set_.target) * 7 // 10)
    if scaled:
        x, u = standardised(x, u)
    return x, y, u, v, 1.0, []


def generated():
    x, y = make_features(4000, 4968, 8, 1.2)
    return x[:3400], y[:3400], x[3400:], y[3400:], 1.5, []


def unbalanced():
    """About 900, 60 and 40 rows of three overlapping clouds to train, the rare ones weighted."""
    random = np.random.default_rng(5)
    y = np.repeat([0, 1, 2], [1800, 120, 80])
    x = random.normal(size=(2000, 20)) + 0.8 * (np.arange(20)[None, :] % 3 == y[:, None])
    (x, y), (u, v) = split(x, y, 1000)
    x, u = standardised(x, u)
    return x, y, u, v, 2.0, [(1, 15.0), (2, 22.5)]


def extracted(folder, model, weights, pictures):
    out = f"{folder}/features.safetensors"
    subprocess.run([LIMBIC, "extract", "--model", model, "--weights", weights, "--data", pictures,
                    "--layer", "features", "--out", out, "--quiet"], check=True)
    raw = open(out, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])

    def tensor(name, dtype):
        begin, end = header[name]["data_offsets"]
        return np.frombuffer(raw[8 + size + begin:8 + size + end], dtype).reshape(
            header[name]["shape"])
    return tensor("features", np.float32), tensor("labels", np.int64).astype(int)


def hymenoptera(data):
    with tempfile.TemporaryDirectory() as folder:
        parts = [extracted(folder, "squeezenet1_1", data / "weights/squeezenet1_1.pth",
                           data / "images/hymenoptera" / part) for part in ("train", "val")]
    (x, y), (u, v) = parts
    x, u = standardised(x, u)
    return x, y, u, v, 1.5, []


def cifar(data, pictures):
    """64 features of ResNet-20 of 1,000 pictures a class, 8,000 to train."""
    with tempfile.TemporaryDirectory() as folder:
        x, y = extracted(folder, "resnet20", data / "weights/resnet20-12fca82f.th", pictures)
    kept = np.concatenate([np.flatnonzero(y == c)[:1000] for c in range(10)])
    (x, y), (u, v) = split(x[kept], y[kept], 8000)
    x, u = standardised(x, u)
    return x, y, u, v, 1.5, []
