#!/usr/bin/env python3
"""Whether Limbic's SVM gives LIBSVM's answers, over a dozen data sets: the table that it prints has,
for each, the largest relative difference of a pair's dual objective, support vectors, the largest KKT
violation of our solution under an f64 kernel, equal labels on the test rows (of all, and of those
whose every |decision value| exceeds 1e-3), and rows on which svm-predict and limbic svm-predict differ
when they read the same model, ours or LIBSVM's. Needs NumPy, scikit-learn and Debian's libsvm-tools;
build first:

    python3 bench/svm_agreement.py
    python3 bench/svm_agreement.py --only iris,wine --data ../shared/data --cifar FOLDER

--data has the real photos and weights (see the tests' ../shared/data); without it those sets are left
out. --cifar is a folder of CIFAR-10's classes with at least 1,000 pictures each. Exit status 1 where a
limit is broken: objectives 1e-4, labels 99.9 % and all with a margin, support vectors max(2, 1 %), KKT
violation eps, exchanged models 0.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

from svm_data import (LIMBIC, cifar, classic, generated, hymenoptera, unbalanced,
                      write_libsvm)

ROOT = pathlib.Path(__file__).parent.parent
EPS = 1e-3


class Model:
    """A model in LIBSVM's text format, with an RBF kernel."""

    def __init__(self, path, width):
        lines = open(path).read().splitlines()
        at = lines.index("SV")
        head = {line.split()[0]: line.split()[1:] for line in lines[:at]}
        self.gamma = float(head["gamma"][0])
        self.labels = [int(v) for v in head["label"]]
        self.count = [int(v) for v in head["nr_sv"]]
        self.rho = [float(v) for v in head["rho"]]
        rows = [line.split() for line in lines[at + 1:]]
        k = len(self.labels)
        self.coef = np.array([[float(v) for v in row[:k - 1]] for row in rows]).T
        self.vectors = np.zeros((len(rows), width), np.float32)
        for i, row in enumerate(rows):
            for pair in row[k - 1:]:
                j, value = pair.split(":")
                self.vectors[i, int(j) - 1] = float(value)
        self.start = np.concatenate([[0], np.cumsum(self.count)])

    def part(self, c):
        return slice(self.start[c], self.start[c + 1])

    def pairs(self):
        k = len(self.labels)
        return [(i, j) for i in range(k) for j in range(i + 1, k)]


def kernel(a, b, gamma):
    a, b = a.astype(np.float64), b.astype(np.float64)
    origin = b.mean(0)
    a, b = a - origin, b - origin
    distances = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * a @ b.T
    return np.exp(-gamma * np.maximum(distances, 0))


def decisions(model, x):
    values = kernel(x, model.vectors, model.gamma)
    return np.stack([values[:, model.part(i)] @ model.coef[j - 1, model.part(i)]
                     + values[:, model.part(j)] @ model.coef[i, model.part(j)] - rho
                     for (i, j), rho in zip(model.pairs(), model.rho)], 1)


def alphas(model, x, y):
    """For each class: its training rows and the coefficients (k-1) of each; support vectors stand in
    the order of the training rows."""
    out = []
    for c, label in enumerate(model.labels):
        rows = x[y == label]
        coef = np.zeros((len(rows), len(model.labels) - 1))
        t = 0
        for v in range(model.start[c], model.start[c + 1]):
            while not np.array_equal(rows[t], model.vectors[v]):
                t += 1
            coef[t] = model.coef[:, v]
            t += 1
        out.append((rows, coef))
    return out


def kkt_violation(model, x, y, C, weights):
    """max over I_up of u - min over I_low of u, u_t = y_t - sum_s y_s alpha_s K_st; largest pair."""
    of_class = alphas(model, x, y)
    worst = 0
    for i, j in model.pairs():
        rows = np.concatenate([of_class[i][0], of_class[j][0]])
        signed = np.concatenate([of_class[i][1][:, j - 1], of_class[j][1][:, i]])
        sign = np.repeat([1.0, -1.0], [len(of_class[i][0]), len(of_class[j][0])])
        bound = np.repeat([C * weights.get(model.labels[c], 1.0) for c in (i, j)],
                          [len(of_class[c][0]) for c in (i, j)])
        support = signed != 0
        u = sign - kernel(rows, rows[support], model.gamma) @ signed[support]
        alpha = np.abs(signed)
        up = np.where(sign > 0, alpha < bound, alpha > 0)
        low = np.where(sign > 0, alpha > 0, alpha < bound)
        worst = max(worst, u[up].max() - u[low].min())
    return worst


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True,
                          text=True).stdout


def labels_in(path):
    return np.array([int(float(line)) for line in open(path).read().split()])


def compare(name, x, y, u, v, C, weights):
    limits = []
    with tempfile.TemporaryDirectory() as f:
        write_libsvm(f"{f}/train", x, y)
        write_libsvm(f"{f}/test", u, v)
        flags = ["-c", repr(C), "-g", repr(1.0 / x.shape[1]), "-e", repr(EPS), "-m", "1000"]
        for label, weight in weights:
            flags += [f"-w{label}", repr(weight)]
        theirs_said = run("svm-train", *flags, f"{f}/train", f"{f}/theirs")
        ours_said = json.loads(run(LIMBIC, "svm-train", *flags, f"{f}/train", f"{f}/ours",
                                   "--format", "json"))
        objective = np.array([pair["objective"] for pair in ours_said["pairs"]])
        expected = np.array([float(t) for t in re.findall(r"obj = (\S+),", theirs_said)])
        difference = np.max(np.abs(objective - expected) / np.abs(expected))
        ours, theirs = Model(f"{f}/ours", x.shape[1]), Model(f"{f}/theirs", x.shape[1])
        n_ours, n_theirs = len(ours.vectors), len(theirs.vectors)
        violation = kkt_violation(ours, x, y, C, dict(weights))
        for model in ("ours", "theirs"):
            run("svm-predict", f"{f}/test", f"{f}/{model}", f"{f}/{model}.libsvm")
            run(LIMBIC, "svm-predict", f"{f}/test", f"{f}/{model}", f"{f}/{model}.limbic", "-q")
        out = {key: labels_in(f"{f}/{key}") for key in
               ("ours.libsvm", "ours.limbic", "theirs.libsvm", "theirs.limbic")}
    equal = out["ours.limbic"] == out["theirs.libsvm"]
    wide = np.abs(decisions(theirs, u)).min(1) > 1e-3
    exchanged = [int(np.sum(out[m + ".libsvm"] != out[m + ".limbic"])) for m in ("ours", "theirs")]
    limits = [difference <= 1e-4, np.mean(equal) >= 0.999, np.all(equal[wide]),
              abs(n_ours - n_theirs) <= max(2, 0.01 * n_theirs), violation < EPS, sum(exchanged) == 0]
    print("%-18s %6d x %-5d %2d  %7.1e %6d %6d  %7.2e  %4d of %4d  %4d of %4d  %d, %d  %s" % (
        name, *x.shape, len(ours.labels), difference, n_ours, n_theirs, violation, equal.sum(),
        len(equal), equal[wide].sum(), wide.sum(), *exchanged, "holds" if all(limits) else "BROKEN"),
        flush=True)
    return all(limits)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="names, comma-separated")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cifar", type=pathlib.Path)
    o = parser.parse_args()
    sets = {}
    for name in ("iris", "wine", "digits", "breast_cancer"):
        for scaled in (False, True):
            sets[name + (" scaled" if scaled else "")] = lambda n=name, s=scaled: classic(n, s)
    sets["unbalanced"] = unbalanced
    if o.data.exists():
        sets["hymenoptera"] = lambda: hymenoptera(o.data)
        if o.cifar:
            sets["cifar10"] = lambda: cifar(o.data, o.cifar)
    sets["generated"] = generated
    print("%-18s %14s %2s  %7s %6s %6s  %8s  %12s  %12s  %s" % (
        "", "rows x features", "k", "obj.", "SVs", "LIBSVM", "KKT", "equal labels", "with margin",
        "exchanged"))
    good = True
    for name, make in sets.items():
        if o.only and name not in o.only.split(","):
            continue
        good = compare(name, *make()) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
