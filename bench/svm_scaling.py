#!/usr/bin/env python3
"""Seconds of an SVM fit against the number of rows, as a table and as a picture with the exponent of
the line through the fits in memory. Rows are generated (see svm.py), 4,968 features in 8 classes, about
two thirds of them becoming support vectors. Needs NumPy; build first; quiet machine, 30 minutes:

    python3 bench/svm_scaling.py --out bench/svm_scaling.svg
"""
import argparse
import math
import subprocess
import tempfile

import numpy as np

from svm import PROGRAM
from svm_data import make_features, write_safetensors

IN_MEMORY_MB = 4000


def measure(rows, budget_mb, repeat, o):
    """Median seconds, support vectors and peak memory in MB of a process that fits `repeat` times."""
    x, y = make_features(rows + 100, o.features, 8, o.difficulty)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/features.safetensors"
        write_safetensors(path, {"train": x[:rows], "test": x[rows:], "labels": y[:rows],
                                 "truth": y[rows:]})
        del x
        process = subprocess.run(["/usr/bin/time", "-f", "%M", PROGRAM, path, str(o.threads)],
                                 input=f"fit 1.5 0.001 {budget_mb}\n" * repeat, text=True,
                                 capture_output=True, check=True)
    fits = [line.split() for line in process.stdout.splitlines()[1:]]
    return (sorted(float(f[0]) for f in fits)[len(fits) // 2], int(fits[0][2]),
            int(process.stderr.split()[-1]) / 1024)


def draw(path, points, exponent, factor):
    """Rows and seconds on two logarithmic axes."""
    left, top, width, height = 70, 30, 520, 340
    low, high = math.log(1500), math.log(65000)
    bottom, ceiling = math.log(0.1), math.log(1000)

    def at(rows, seconds):
        return (left + width * (math.log(rows) - low) / (high - low),
                top + height * (1 - (math.log(seconds) - bottom) / (ceiling - bottom)))
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="620" height="430" font-family="sans-serif" '
           'font-size="12" text-anchor="middle">',
           f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="white" stroke="#888"/>']
    for seconds in (0.1, 1, 10, 100, 1000):
        y = at(1500, seconds)[1]
        out.append(f'<path d="M{left} {y:.1f}h{width}" stroke="#ddd"/>'
                   f'<text x="{left - 24}" y="{y + 4:.1f}">{seconds:g} s</text>')
    for rows in (2000, 5000, 10000, 20000, 50000):
        x = at(rows, 1)[0]
        out.append(f'<path d="M{x:.1f} {top}v{height}" stroke="#ddd"/>'
                   f'<text x="{x:.1f}" y="{top + height + 18}">{rows:,}</text>')
    ends = [at(rows, factor * rows ** exponent) for rows in (1700, 60000)]
    out.append('<path d="M%.1f %.1fL%.1f %.1f" stroke="#36c" stroke-dasharray="5 4"/>' % (
        *ends[0], *ends[1]))
    for rows, budget, seconds, _, _ in points:
        x, y = at(rows, seconds)
        fill = "#36c" if budget == IN_MEMORY_MB else "white"
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{fill}" stroke="#36c" '
                   f'stroke-width="2"/><text x="{x - 26:.1f}" y="{y - 8:.1f}">{seconds:.3g} s</text>')
    out.append(f'<text x="310" y="18">SVM fit, rows x 4,968 in 8 classes, 2 threads: time ~ rows^'
               f'{exponent:.2f}</text>')
    out.append('<text x="330" y="412">training rows (full circles: kernel matrix in memory; open: rows '
               'through a cache)</text></svg>')
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="svm_scaling.svg")
    parser.add_argument("--features", type=int, default=4968)
    parser.add_argument("--difficulty", type=float, default=0.75)
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    points = []
    print("%8s %9s %9s %7s %9s" % ("rows", "budget MB", "seconds", "SVs", "peak MB"))
    for rows, budget, repeat in ((2000, IN_MEMORY_MB, 5), (5000, IN_MEMORY_MB, 5),
                                 (10000, IN_MEMORY_MB, 3), (18560, IN_MEMORY_MB, 3),
                                 (18560, 200, 1), (50000, 2500, 1)):
        points.append((rows, budget, *measure(rows, budget, repeat, o)))
        print("%8d %9d %9.2f %7d %9.0f" % points[-1], flush=True)
    whole = [p for p in points if p[1] == IN_MEMORY_MB]
    exponent, constant = np.polyfit([math.log(p[0]) for p in whole],
                                    [math.log(p[2]) for p in whole], 1)
    print("in memory: seconds ~ rows^%.2f" % exponent)
    draw(o.out, points, exponent, math.exp(constant))


if __name__ == "__main__":
    main()
