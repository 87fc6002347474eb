#!/usr/bin/python3
"""Writes tests/goldens/svm/: data sets and what LIBSVM makes of them.

Needs Debian 12's libsvm-tools (3.24), python3-numpy and python3-sklearn (1.2.1), the latter for its
data sets alone:

    /usr/bin/python3 tests/goldens/make_svm_goldens.py

For each case NAME: NAME.data is the data in LIBSVM's format, NAME.model what svm-train wrote, and
NAME.golden holds, a line each:
    C, gamma, kernel (rbf or linear), weights (label weight ...)
    objective: of each pair;  labels: svm-predict's of the first rows
    decision: a line for each of these rows, from NAME.model in f64
"""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
from sklearn import datasets

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "svm")
EPS = "1e-5"
ROWS = 40


def text(value):
    return f"{value:.6g}"


def write_data(path, x, y):
    with open(path, "w") as out:
        for row, label in zip(x, y):
            pairs = [f"{j + 1}:{text(v)}" for j, v in enumerate(row) if float(text(v)) != 0]
            out.write(" ".join([str(int(label))] + pairs) + "\n")


def read_model(path, features):
    header, lines = {}, open(path).read().splitlines()
    start = lines.index("SV")
    for line in lines[:start]:
        key, *values = line.split()
        header[key] = values
    k = len(header["label"])
    coef, sv = [], []
    for line in lines[start + 1:]:
        words = line.split()
        coef.append([float(w) for w in words[:k - 1]])
        row = np.zeros(features)
        for pair in words[k - 1:]:
            index, value = pair.split(":")
            row[int(index) - 1] = float(value)
        sv.append(row)
    return header, np.array(coef).T, np.array(sv)


def decisions(model_path, x, gamma, kernel):
    header, coef, sv = read_model(model_path, x.shape[1])
    if kernel == "linear":
        values = x @ sv.T
    else:
        values = np.exp(-gamma * ((x[:, None, :] - sv[None, :, :]) ** 2).sum(2))
    ends = np.cumsum([0] + [int(n) for n in header["nr_sv"]])
    out, pair = [], 0
    for i in range(len(ends) - 1):
        for j in range(i + 1, len(ends) - 1):
            a, b = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
            out.append(values[:, a] @ coef[j - 1, a] + values[:, b] @ coef[i, b]
                       - float(header["rho"][pair]))
            pair += 1
    return np.array(out).T


def case(name, x, y, C, gamma, kernel="rbf", weights=()):
    data, model = os.path.join(OUT, name + ".data"), os.path.join(OUT, name + ".model")
    write_data(data, x, y)
    flags = ["-c", repr(C), "-g", repr(gamma), "-e", EPS, "-t", "2" if kernel == "rbf" else "0"]
    for label, weight in weights:
        flags += [f"-w{label}", repr(weight)]
    log = subprocess.run(["svm-train", *flags, data, model], check=True, capture_output=True,
                         text=True).stdout
    objectives = re.findall(r"obj = (\S+),", log)
    with tempfile.TemporaryDirectory() as folder:
        labels = os.path.join(folder, "labels")
        subprocess.run(["svm-predict", data, model, labels], check=True, capture_output=True)
        predicted = open(labels).read().split()
    # Every (n / ROWS)-th row, so that all classes are among them.
    rows = np.linspace(0, len(y) - 1, min(ROWS, len(y))).astype(int)
    read = np.array([[float(text(v)) for v in row] for row in x])[rows]
    with open(os.path.join(OUT, name + ".golden"), "w") as out:
        out.write(f"C {C!r}\ngamma {gamma!r}\nkernel {kernel}\n")
        out.write("weights" + "".join(f" {a} {b!r}" for a, b in weights) + "\n")
        out.write("objective " + " ".join(objectives) + "\n")
        out.write("rows " + " ".join(str(r) for r in rows) + "\n")
        out.write("labels " + " ".join(predicted[r] for r in rows) + "\n")
        for row in decisions(model, read, gamma, kernel):
            out.write("decision " + " ".join(f"{v:.7g}" for v in row) + "\n")


def main():
    os.makedirs(OUT, exist_ok=True)
    random = np.random.default_rng(3)
    iris, wine, cancer = datasets.load_iris(), datasets.load_wine(), datasets.load_breast_cancer()
    standard = lambda x: (x - x.mean(0)) / x.std(0)

    case("iris", iris.data, iris.target, 1.0, 0.25)
    case("iris_linear", iris.data, iris.target, 1.0, 0.25, kernel="linear")
    case("wine_raw", wine.data, wine.target, 1.0, 1 / 13)
    case("wine_scaled", standard(wine.data), wine.target, 10.0, 0.05)
    mixed = random.permutation(569)[:120]
    case("cancer_raw", cancer.data[mixed], cancer.target[mixed], 1.0, 1 / 30)
    case("cancer_scaled", standard(cancer.data)[mixed], cancer.target[mixed] * 2 - 1, 1.5, 0.02)

    x = np.concatenate([random.normal(0, 1, (130, 6)), random.normal(0.9, 1, (20, 6))])
    y = np.array([1] * 130 + [2] * 20)
    case("unbalanced", x, y, 2.0, 0.1, weights=((1, 0.5), (2, 6.0)))

    centres = random.normal(0, 1, (8, 5))
    y = random.integers(0, 8, 200) * 10 - 30
    x = centres[(y + 30) // 10] + random.normal(0, 0.9, (200, 5))
    case("eight", x, y, 1.5, 0.2)

    x = random.integers(0, 3, (120, 2)).astype(float)  # nine points: duplicates, contradictions
    y = np.where(x.sum(1) + random.normal(0, 1, 120) > 2, 7, -4)
    case("contradictory", x, y, 3.0, 0.5)


if __name__ == "__main__":
    sys.exit(main())
