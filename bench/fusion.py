#!/usr/bin/env python3
"""The paper's dense softmax layer and the RBF SVM over fused features as wide as the paper's, beside
scikit-learn's logistic regression of the same penalty: losses and accuracies, for two seeds of the
data. Needs NumPy and scikit-learn; build first:

    python3 bench/fusion.py                    2048 + 1920 + 1000 features, 8 classes, 2,000 + 1,000 rows

The features are those of bench/svm.py (make_features), cut into three blocks. Fails where the dense
layer's loss is more than 1e-3 above scikit-learn's.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from sklearn.linear_model import LogisticRegression

from svm_data import make_features, write_safetensors

PROGRAM = pathlib.Path(__file__).parent.parent / "build" / "bench" / "bench_fusion"
DECAY = 1e-3  # SoftmaxClassifierOptions::weight_decay


def limbic(path, alpha, seed):
    out = subprocess.run([PROGRAM, path, str(alpha), str(seed)], check=True, capture_output=True,
                         text=True).stdout
    return json.loads(out)


def reference(x, y, u, v):
    """Accuracy and penalised loss of scikit-learn's optimum, in f64."""
    model = LogisticRegression(C=1 / (len(y) * DECAY), tol=1e-6, max_iter=10000)
    model.fit(x, y)
    p = model.predict_proba(x)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + DECAY / 2 * (model.coef_ ** 2).sum()
    return model.score(u, v), loss


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs=3, default=[2048, 1920, 1000])
    parser.add_argument("--rows", type=int, nargs=2, default=[2000, 1000], help="to train and to test")
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--difficulty", type=float, default=0.7, help="how far classes lie apart")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    o = parser.parse_args()
    ends = np.cumsum(o.widths)
    weights = np.repeat([o.alpha, 1 - o.alpha, 1], o.widths)
    wrong = 0
    print(f"{o.widths} features, {o.classes} classes, {o.rows[0]} + {o.rows[1]} rows, alpha {o.alpha}")
    for seed in o.seeds:
        x, y = make_features(sum(o.rows), int(ends[-1]), o.classes, o.difficulty, seed)
        train, test = x[:o.rows[0]], x[o.rows[0]:]
        mean, deviation = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
        deviation[deviation == 0] = 1
        accuracy, least = reference((train - mean) / deviation * weights, y[:o.rows[0]],
                                    (test - mean) / deviation * weights, y[o.rows[0]:])
        print(f"seed {seed}  scikit-learn  logistic regression {accuracy:.3f}  loss {least:.6f}")
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/features.safetensors"
            blocks = dict(zip(["diff1", "diff2", "supplement"], np.split(x, ends[:-1], axis=1)))
            write_safetensors(path, {**blocks, "labels": y.astype(np.int64),
                                     "train": np.array([o.rows[0]], np.int64)})
            r = limbic(path, o.alpha, seed)
            wrong += not abs(r["loss"] - least) < 1e-3
            print(f"seed {seed}  Limbic        dense {r['dense']:.3f}  loss {r['loss']:.6f} "
                  f"({r['loss'] - least:+.1e})  SVM {r['svm']:.3f}  dense {r['dense_s']} s, "
                  f"both {r['both_s']} s")
    return wrong > 0


if __name__ == "__main__":
    raise SystemExit(main())
