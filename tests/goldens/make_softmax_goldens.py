#!/usr/bin/python3
"""Writes tests/goldens/softmax.json: the least penalised losses of softmax regression on data sets of
tests/goldens/svm/, as scikit-learn (Debian 12's python3-sklearn 1.2.1) finds them.

    /usr/bin/python3 tests/goldens/make_softmax_goldens.py

For each data set and weight decay: the loss, mean of -log p(label) + decay / 2 ||W||^2, and the
probabilities of the first row, classes in ascending order of their labels.
"""
import json
import os

import numpy as np
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import LogisticRegression

HERE = os.path.dirname(os.path.abspath(__file__))

cases = []
for name in ["iris", "wine_scaled", "eight", "cancer_scaled"]:
    x, y = load_svmlight_file(os.path.join(HERE, "svm", name + ".data"))
    x, y = x.toarray().astype(np.float32).astype(np.float64), np.unique(y, return_inverse=True)[1]
    for decay in [1e-3, 0.1]:
        # multinomial with two classes too, as a softmax has them
        model = LogisticRegression(C=1 / (len(y) * decay), tol=1e-10, max_iter=100000,
                                   multi_class="multinomial")
        model.fit(x, y)
        weights = model.coef_
        if len(weights) == 1:  # scikit-learn keeps one row of two, of opposite sign
            weights = np.concatenate([-weights, weights])
        p = model.predict_proba(x)
        loss = -np.log(p[np.arange(len(y)), y]).mean() + decay / 2 * (weights ** 2).sum()
        cases.append({"data": name, "decay": decay, "loss": loss, "first": p[0].tolist()})
with open(os.path.join(HERE, "softmax.json"), "w") as out:
    json.dump(cases, out, indent=1)
    out.write("\n")
