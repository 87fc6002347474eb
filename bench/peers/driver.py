#!/usr/bin/env python3
"""Runs Limbic beside other frameworks: same weights, same pictures, same threads, in turns.

    python3 bench/peers/driver.py [--list] [--short] [ROW ...]      (`make bench ROWS="..."`)

Each row starts one worker process an engine. Their outputs are held against a reference in f64
first; then two warm-up runs each and rounds A B C A B C ..., so that a change of the machine's
speed meets all alike. Idle workers are stopped by a signal. Results go to bench/results.json row by
row, and from there to bench/results.md and README.md (table.py).
"""
import argparse
import dataclasses
import datetime
import importlib.util
import json
import math
import os
import re
import statistics
import subprocess
import sys

import numpy as np

import safetensors
import table
import contender as contenders
from contender import HERE, Unavailable
from material import reference_file
from rows import ROWS, Contender

WARM_UP = 2
# ||a-b|| / ||b|| of the logits, or of the first step's loss, against f64; a photo's classes
# must be equal.
LIMITS = {"infer": {"f32": 1e-4, "bf16": 3e-2, "int8": 2e-1},
          "train": {"f32": 1e-4, "bf16": 1e-2},
          "photo": {"f32": 0}}
MODULES = {"pytorch": "torch", "inductor": "torch", "onnxruntime": "onnxruntime",
           "openvino": "openvino", "ncnn": "ncnn", "executorch": "executorch"}


def processor():
    with open("/proc/cpuinfo") as file:
        text = file.read()
    model = re.search(r"model name\s*: (.*)", text).group(1).strip()
    flags = set(re.search(r"flags\s*: (.*)", text).group(1).split())
    kinds = [k for k in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if k in flags]
    return "%s, %d cores, %s" % (model, len(os.sched_getaffinity(0)), " ".join(kinds))


def commit():
    def git(*arguments):
        return subprocess.run(["git", "-C", HERE, *arguments], capture_output=True,
                              text=True).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":!:/README.md",
                  ":!/bench/results.md", ":!/bench/results.json")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def error_of(output, expected):
    return float(np.linalg.norm(output - expected) / np.linalg.norm(expected))


def start(row, settings):
    """The workers that can run, and what kept the others from it."""
    workers, notes = [], []
    for contender in [Contender("limbic", row.dtype), *row.peers]:
        module = MODULES.get(contender.engine)
        try:
            if module and importlib.util.find_spec(module) is None:
                raise Unavailable("not installed")
            workers.append((contender, contenders.start(contender, row, settings)))
        except Unavailable as reason:
            notes.append("%s: %s" % (contender.label(), reason))
    return workers, notes


def check_outputs(row, workers, notes, settings):
    """Runs each once; errors by label. Leaves out who fails."""
    path = reference_file(settings.material, row.network, row.batch_size)
    expected = safetensors.read(path)[row.mode].ravel()
    errors = {}
    for contender, worker in list(workers):
        try:
            worker.run()
            errors[contender.label()] = error_of(worker.output(), expected)
        except Unavailable as reason:
            notes.append("%s: %s" % (contender.label(), reason))
            workers.remove((contender, worker))
            worker.close()
    return errors


def measure(row, settings):
    workers, notes = start(row, settings)
    try:
        errors = check_outputs(row, workers, notes, settings)
        times = {c.label(): [] for c, _ in workers}
        for turn in range(WARM_UP - 1 + row.rounds):  # the check was the first run
            for contender, worker in workers:
                ms = worker.run()
                if turn >= WARM_UP - 1:
                    times[contender.label()].append(ms)
        memory = {c.label(): w.memory() for c, w in workers}
        versions = {}
        for _, worker in workers:
            versions.update(worker.ready["versions"])
    finally:
        for _, worker in workers:
            worker.close()
    entries = []
    for contender, _ in workers:
        label = contender.label()
        limit = LIMITS[row.mode][contender.dtype]
        entries.append({"label": label, "engine": contender.engine, "dtype": contender.dtype,
                        "median_ms": statistics.median(times[label]), "min_ms": min(times[label]),
                        "p99_ms": sorted(times[label])[math.ceil(0.99 * len(times[label])) - 1],
                        "max_ms": max(times[label]), "rounds": len(times[label]),
                        "peak_mb": memory[label], "error": errors[label], "limit": limit,
                        "goal": contender.goal, "memory_goal": contender.memory_goal})
        if not errors[label] <= limit:
            notes.append("%s: output differs from f64 by %.1e, more than %.0e" %
                         (label, errors[label], limit))
    return {"network": row.network, "mode": row.mode, "dtype": row.dtype,
            "batch_size": row.batch_size, "threads": settings.threads,
            "date": datetime.date.today().isoformat(), "commit": commit(),
            "processor": processor(), "versions": versions, "entries": entries, "notes": notes}


def print_row(name, result):
    print(name)
    ours = table.ours_of(result)
    for entry in result["entries"]:
        label, time, p99, faster, memory, share, error = table.cells(entry, ours, result["mode"])
        print("  %-40s %-30s %10s %-13s %8s %-12s %s" % (label, time, p99, faster, memory,
                                                         share and share + " of it", error))
    for note in result["notes"]:
        print("  " + note)
    sys.stdout.flush()


def run_rows(rows, settings):
    """True if ours ran in every row and its outputs were within their limits."""
    right = True
    for row in rows:
        subprocess.run([settings.python, os.path.join(HERE, "material.py"), settings.material,
                        row.network], check=True, stdout=subprocess.DEVNULL,
                       stderr=None if settings.verbose else subprocess.DEVNULL)
        result = measure(row, settings)
        print_row(row.name, result)
        table.update(os.path.dirname(HERE), row.name, result, [r.name for r in ROWS])
        ours = table.ours_of(result)
        right &= ours is not None and ours["error"] <= ours["limit"]
    return right


def main():
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to run (default: all)")
    parser.add_argument("--short", action="store_true",
                        help="a few small rows and fewer rounds: about ten minutes, once weights "
                             "and other engines' files are made")
    parser.add_argument("--list", action="store_true", help="names the rows")
    parser.add_argument("--build", default="build", help="build folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="what making the weights says")
    settings = parser.parse_args()
    if settings.list:
        print("\n".join(names))
        return 0
    unknown = [name for name in settings.rows if name not in names]
    if unknown:
        parser.error("unknown rows: %s; known: %s" % (" ".join(unknown), " ".join(names)))
    settings.python = sys.executable
    settings.material = settings.build + "/bench-material"
    chosen = [row for row in ROWS if (row.name in settings.rows if settings.rows
                                      else row.short or not settings.short)]
    if settings.short:
        chosen = [dataclasses.replace(row, rounds=min(row.rounds, 31)) for row in chosen]
    return 0 if run_rows(chosen, settings) else 1


if __name__ == "__main__":
    sys.exit(main())
