#!/usr/bin/python3
"""Writes tests/goldens/svm/iris_probability.model and .golden: what LIBSVM makes of probabilities.

Needs Debian 12's libsvm-tools (3.24) and python3-sklearn (1.2.1):

    /usr/bin/python3 tests/goldens/make_platt_goldens.py

The model is svm-train -b 1's on iris.data, degree 2 polynomial; the golden's lines are svm-predict
-b 1's "labels" and one "probabilities" for every fifth row, and "sigmoid a b" of the decisions and
labels that the test names, from scikit-learn's _sigmoid_calibration (Platt's targets).
"""
import math
import os
import subprocess

import numpy as np
from sklearn.calibration import _sigmoid_calibration

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "svm")
MODEL = os.path.join(HERE, "iris_probability.model")
lines = open(os.path.join(HERE, "iris.data")).read().splitlines()
subprocess.run(["svm-train", "-q", "-b", "1", "-t", "1", "-d", "2", "-g", "0.25", "-r", "1",
                os.path.join(HERE, "iris.data"), MODEL], check=True)
rows, out = "/tmp/iris_rows", "/tmp/iris_out"
open(rows, "w").write("\n".join(lines[::5]) + "\n")
subprocess.run(["svm-predict", "-q", "-b", "1", rows, MODEL, out], check=True)
with open(os.path.join(HERE, "iris_probability.golden"), "w") as golden:
    header, *answers = open(out).read().splitlines()
    golden.write(header + "\n")
    for answer in answers:
        golden.write("probabilities " + " ".join(answer.split()[1:]) + "\n")
    # Decision i = sin(i) + 0.3, +1 where cos(3 i) < 0.4 + decision; 50 of them.
    f = np.array([math.sin(i) + 0.3 for i in range(50)])
    y = np.array([1 if math.cos(3 * i) < 0.4 + f[i] else -1 for i in range(50)])
    a, b = _sigmoid_calibration(f, y)
    golden.write(f"sigmoid {a:.6f} {b:.6f}\n")
    # Separable: Platt's targets alone keep the sigmoid from a step.
    a, b = _sigmoid_calibration(f, np.where(f > 0.3, 1, -1))
    golden.write(f"sigmoid {a:.6f} {b:.6f}\n")
