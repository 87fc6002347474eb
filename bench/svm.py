#!/usr/bin/env python3
"""Limbic's SVM beside scikit-learn's SVC and LIBSVM itself, in turns, samples in memory on all sides,
with the same eps and cache; says whether they agree. Needs NumPy and scikit-learn, and Debian's libsvm3;
build first:

    python3 bench/svm.py                       3,400 x 4,968 in 8 classes to train, 600 to test
    python3 bench/svm.py --rows 18560 --peers none --budget 200
    python3 bench/svm.py --set hymenoptera                  real features, standardised
    python3 bench/svm.py --set cifar10 --cifar FOLDER       (see svm_agreement.py)

The generated samples stand for features of CNNs: 32 hidden factors, a class moving 12 of them, are mixed at
random into d features; noise is added, negative values cut off as ReLU does, pooling over 7 x 7 places
imitated by an exponent, and each feature brought to mean 0 and variance 1. --difficulty scales the
movement: by default about two thirds of the rows become support vectors.
"""
import argparse
import ctypes
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from svm_data import cifar, hymenoptera, make_features, write_safetensors

ROOT = pathlib.Path(__file__).parent.parent
PROGRAM = ROOT / "build" / "bench" / "bench_svm"


class Limbic:
    def __init__(self, path, threads):
        self.process = subprocess.Popen([PROGRAM, path, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
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


class Numpy:
    """x x' by NumPy, which computes one triangle (syrk of its OpenBLAS), under one of OpenBLAS' kernels."""

    PROGRAM = """
import sys, time, numpy
x = numpy.load(sys.argv[1])
for line in sys.stdin:
    start = time.perf_counter(); x @ x.T; print(time.perf_counter() - start, flush=True)
"""

    def __init__(self, path, kernels, threads):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        environment["OPENBLAS_NUM_THREADS"] = str(threads)
        if kernels != "its own choice":
            environment["OPENBLAS_CORETYPE"] = kernels
        self.process = subprocess.Popen([sys.executable, "-c", self.PROGRAM, path], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment)

    def product(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


class LibsvmProblem(ctypes.Structure):
    _fields_ = [("l", ctypes.c_int), ("y", ctypes.c_void_p), ("x", ctypes.c_void_p)]


class LibsvmParameter(ctypes.Structure):
    """svm.h of LIBSVM 3.24."""
    _fields_ = [("svm_type", ctypes.c_int), ("kernel_type", ctypes.c_int), ("degree", ctypes.c_int),
                ("gamma", ctypes.c_double), ("coef0", ctypes.c_double),
                ("cache_size", ctypes.c_double), ("eps", ctypes.c_double), ("C", ctypes.c_double),
                ("nr_weight", ctypes.c_int), ("weight_label", ctypes.c_void_p),
                ("weight", ctypes.c_void_p), ("nu", ctypes.c_double), ("p", ctypes.c_double),
                ("shrinking", ctypes.c_int), ("probability", ctypes.c_int)]


class Libsvm:
    """LIBSVM's own library on samples in memory; its sparse nodes leave zeros out, as a file would."""

    def __init__(self, train, labels):
        self.library = ctypes.CDLL("libsvm.so.3")
        node = np.dtype([("index", np.int32), ("value", np.float64)], align=True)
        self.rows = []
        for row in train:
            kept = np.flatnonzero(row)
            nodes = np.empty(len(kept) + 1, node)
            nodes["index"][:-1], nodes["value"][:-1] = kept + 1, row[kept]
            nodes["index"][-1] = -1
            self.rows.append(nodes)
        self.pointers = np.array([nodes.ctypes.data for nodes in self.rows], np.uintp)
        self.y = labels.astype(np.float64)
        self.problem = LibsvmProblem(len(labels), self.y.ctypes.data, self.pointers.ctypes.data)
        self.said = []
        self.listener = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(
            lambda text: self.said.append(text.decode()))
        self.library.svm_set_print_string_function(self.listener)
        self.library.svm_train.restype = ctypes.c_void_p

    def fit(self, o):
        """Seconds and the pairs' summed dual objective."""
        parameter = LibsvmParameter(kernel_type=2, gamma=1.0 / o.features, cache_size=o.cache,
                                    eps=o.eps, C=o.C, shrinking=1)
        self.said.clear()
        start = time.perf_counter()
        model = ctypes.c_void_p(self.library.svm_train(ctypes.byref(self.problem),
                                                       ctypes.byref(parameter)))
        seconds = time.perf_counter() - start
        self.library.svm_free_and_destroy_model(ctypes.byref(model))
        return seconds, sum(map(float, re.findall(r"obj = (\S+),", "".join(self.said))))


def spread(values):
    return "%.3f s (%.3f to %.3f, %d runs)" % (statistics.median(values), min(values), max(values),
                                               len(values))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", default="generated",
                        choices=("generated", "hymenoptera", "cifar10"))
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cifar", type=pathlib.Path)
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
    parser.add_argument("--peers", default="sklearn,libsvm", help="and onedal, scikit-learn-intelex")
    parser.add_argument("--kernels", nargs="*", default=["its own choice"],
                        help="OPENBLAS_CORETYPE of the products by NumPy beside ours")
    o = parser.parse_args()
    peers = o.peers.split(",")
    if o.set == "generated":
        x, y = make_features(o.rows + o.test_rows, o.features, o.classes, o.difficulty)
        train, labels, test, truth = x[:o.rows], y[:o.rows], x[o.rows:], y[o.rows:]
    else:
        train, labels, test, truth = (hymenoptera(o.data) if o.set == "hymenoptera"
                                      else cifar(o.data, o.cifar))[:4]
        (o.rows, o.features), o.classes = train.shape, len(np.unique(labels))
        # LIBSVM numbers classes as they come, scikit-learn sorts: a tie goes to the first.
        order = list(dict.fromkeys(labels))
        labels, truth = (np.array([order.index(c) for c in part]) for part in (labels, truth))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/features.safetensors"
        write_safetensors(path, {"train": train, "test": test, "labels": labels, "truth": truth})
        compare(path, (train, labels, test, truth), peers, o)


def compare(path, data, peers, o):
    train, labels, test, truth = data
    limbic = Limbic(path, o.threads)
    print("%d x %d, %d classes; %s, %d threads" % (o.rows, o.features, o.classes, limbic.core,
                                                   o.threads))
    times = {name: [] for name in ("fit", "predict", "sklearn fit", "sklearn predict", "onedal fit",
                                   "onedal predict", "libsvm", "product", "kernel")}
    makers = {}
    if "sklearn" in peers:
        from sklearn.svm import SVC
        makers["sklearn"] = SVC
    if "onedal" in peers:
        from sklearnex.svm import SVC
        makers["onedal"] = SVC
    np.save(path + ".npy", train)
    products = {kernels: Numpy(path + ".npy", kernels, o.threads) for kernels in o.kernels}
    times.update({"NumPy's product, " + kernels: [] for kernels in products})
    libsvm = Libsvm(train, labels) if "libsvm" in peers else None
    for round_ in range(o.repeat):
        seconds, objective, support, iterations = limbic.ask(
            "fit %r %r %r" % (o.C, o.eps, o.budget or o.cache))
        times["fit"].append(seconds)
        seconds, accuracy = limbic.ask("predict")
        times["predict"].append(seconds)
        if o.budget is None:
            for name, value in zip(("product", "kernel"), limbic.ask("product")):
                times[name].append(value)
            for kernels, numpy in products.items():
                times["NumPy's product, " + kernels].append(numpy.product())
        for name, maker in makers.items():
            svc = maker(C=o.C, gamma=1.0 / o.features, tol=o.eps, cache_size=o.cache)
            start = time.perf_counter()
            svc.fit(train, labels)
            times[name + " fit"].append(time.perf_counter() - start)
            start = time.perf_counter()
            theirs = svc.predict(test)
            times[name + " predict"].append(time.perf_counter() - start)
        if libsvm and round_ < o.libsvm_repeat:
            seconds, libsvm_objective = libsvm.fit(o)
            times["libsvm"].append(seconds)
    print("objective %.10g, %d support vectors, %d iterations, accuracy %.4f" % (
        objective, support, iterations, accuracy))
    if "libsvm" in peers:
        print("LIBSVM's objective %.10g, relative difference %.2g" % (
            libsvm_objective, abs(objective - libsvm_objective) / abs(libsvm_objective)))
    if makers:
        ours, margin = limbic.labels()
        print("the last of them: %d support vectors; equal labels on %.4f of test rows, on %.4f of those "
              "with |decision| > 1e-3" % (len(svc.support_), np.mean(ours == theirs),
                                          np.mean((ours == theirs)[margin > 1e-3])))
    for name, values in times.items():
        if values:
            print("%-16s %s" % (name, spread(values)))
    median = {name: statistics.median(values) for name, values in times.items() if values}
    if "product" in median:
        work = o.rows * o.rows * o.features / 1e9
        print("product %.1f GFLOP/s" % (work / median["product"]))
        for name in median:
            if name.startswith("NumPy"):
                print("product: %.2f x %s" % (median[name] / median["product"], name))
    for ours, theirs in (("fit", "sklearn fit"), ("predict", "sklearn predict"),
                         ("fit", "onedal fit"), ("predict", "onedal predict"), ("fit", "libsvm")):
        if theirs in median:
            print("%s: %.1f x %s" % (ours, median[theirs] / median[ours], theirs))


if __name__ == "__main__":
    main()
