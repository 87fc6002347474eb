#!/usr/bin/env python3
"""Limbic's SVM beside scikit-learn's SVC and LIBSVM's svm-train, in turns, after checking that they
agree. Needs NumPy and scikit-learn, and Debian's libsvm-tools; build first:

    python3 bench/svm.py                       3,400 x 4,968 in 8 classes to train, 600 to test
    python3 bench/svm.py --rows 18560 --peers none --budget 200

The samples stand for features of CNNs: 32 hidden factors, a class moving 12 of them, are mixed at
random into d features; noise is added, negative values cut off as ReLU does, pooling over 7 x 7 places
imitated by an exponent, and each feature brought to mean 0 and variance 1. --difficulty scales the
movement: by default about two thirds of the rows become support vectors.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import struct
import subprocess
import tempfile
import time

import numpy as np

PROGRAM = pathlib.Path(__file__).parent.parent / "build" / "bench" / "bench_svm"


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


class Limbic:
    def __init__(self, path, threads):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        self.process = subprocess.Popen([PROGRAM, path, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment)
        self.core = self.process.stdout.readline().strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return [float(v) for v in self.process.stdout.readline().split()]

    def labels(self):
        self.process.stdin.write("labels\n")
        self.process.stdin.flush()
        pairs = [word.split(":") for word in self.process.stdout.readline().split()]
        return np.array([int(p[0]) for p in pairs]), np.array([float(p[1]) for p in pairs])


def run_libsvm(folder, o):
    start = time.perf_counter()
    text = subprocess.run(["svm-train", "-c", str(o.C), "-e", str(o.eps), "-m", str(o.cache),
                           "-g", repr(1.0 / o.features), f"{folder}/train.txt",
                           f"{folder}/model"], check=True, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - start
    return seconds, sum(map(float, re.findall(r"obj = (\S+),", text)))


def spread(values):
    return "%.3f s (%.3f to %.3f, %d runs)" % (statistics.median(values), min(values), max(values),
                                               len(values))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=3400)
    parser.add_argument("--test-rows", type=int, default=600)
    parser.add_argument("--features", type=int, default=4968)
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--difficulty", type=float, default=1.2)
    parser.add_argument("--C", type=float, default=1.5)
    parser.add_argument("--eps", type=float, default=1e-3)
    parser.add_argument("--cache", type=float, default=1000, help="MB, of all")
    parser.add_argument("--budget", type=float, help="MB of Limbic's kernel values instead")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--libsvm-repeat", type=int, default=1)
    parser.add_argument("--peers", default="sklearn,libsvm")
    o = parser.parse_args()
    peers = o.peers.split(",")
    x, y = make_features(o.rows + o.test_rows, o.features, o.classes, o.difficulty)
    train, labels, test, truth = x[:o.rows], y[:o.rows], x[o.rows:], y[o.rows:]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/features.safetensors"
        write_safetensors(path, {"train": train, "test": test, "labels": labels, "truth": truth})
        if "libsvm" in peers:
            write_libsvm(f"{folder}/train.txt", train, labels)
        compare(folder, path, (train, labels, test, truth), peers, o)


def compare(folder, path, data, peers, o):
    train, labels, test, truth = data
    limbic = Limbic(path, o.threads)
    print("%d x %d, %d classes; OpenBLAS core %s, %d threads" % (o.rows, o.features, o.classes,
                                                                 limbic.core, o.threads))
    times = {name: [] for name in ("fit", "predict", "sklearn fit", "sklearn predict", "libsvm",
                                   "product", "sgemm", "kernel")}
    if "sklearn" in peers:
        from sklearn.svm import SVC
    for round_ in range(o.repeat):
        seconds, objective, support, iterations = limbic.ask(
            "fit %r %r %r" % (o.C, o.eps, o.budget or o.cache))
        times["fit"].append(seconds)
        seconds, accuracy = limbic.ask("predict")
        times["predict"].append(seconds)
        if o.budget is None:
            for name, value in zip(("product", "sgemm", "kernel"), limbic.ask("product")):
                times[name].append(value)
        if "sklearn" in peers:
            svc = SVC(C=o.C, gamma=1.0 / o.features, tol=o.eps, cache_size=o.cache)
            start = time.perf_counter()
            svc.fit(train, labels)
            times["sklearn fit"].append(time.perf_counter() - start)
            start = time.perf_counter()
            theirs = svc.predict(test)
            times["sklearn predict"].append(time.perf_counter() - start)
        if "libsvm" in peers and round_ < o.libsvm_repeat:
            seconds, libsvm_objective = run_libsvm(folder, o)
            times["libsvm"].append(seconds)
    print("objective %.10g, %d support vectors, %d iterations, accuracy %.4f" % (
        objective, support, iterations, accuracy))
    if "libsvm" in peers:
        print("LIBSVM's objective %.10g, relative difference %.2g" % (
            libsvm_objective, abs(objective - libsvm_objective) / abs(libsvm_objective)))
    if "sklearn" in peers:
        ours, margin = limbic.labels()
        print("scikit-learn: %d support vectors; equal labels on %.4f of test rows, on %.4f of those "
              "with |decision| > 1e-3" % (len(svc.support_), np.mean(ours == theirs),
                                          np.mean((ours == theirs)[margin > 1e-3])))
    for name, values in times.items():
        if values:
            print("%-16s %s" % (name, spread(values)))
    median = {name: statistics.median(values) for name, values in times.items() if values}
    if "product" in median:
        work = o.rows * o.rows * o.features / 1e9
        print("distance product %.1f GFLOP/s, %.0f %% of sgemm's %.1f" % (
            work / median["product"], 50 * median["sgemm"] / median["product"],
            2 * work / median["sgemm"]))
    for ours, theirs in (("fit", "sklearn fit"), ("predict", "sklearn predict"), ("fit", "libsvm")):
        if theirs in median:
            print("%s: %.1f x %s" % (ours, median[theirs] / median[ours], theirs))


if __name__ == "__main__":
    main()
