#!/usr/bin/env python3
"""Opening a torchvision checkpoint and being ready to run it: Limbic beside PyTorch after its
imports, in turns, a fresh process each time, the file in the page cache.

    python3 bench/open_checkpoint.py resnet101 resnet101.pth

PyTorch does it twice: as its documentation says (build, torch.load, load_state_dict), and as fast
as it can (on the meta device, memory-mapped, assigned). Memory is the peak above what the process
had before; of a mapped file it counts the pages that were touched, which PyTorch's second way puts
off to the first run, so that way is also measured with one run of the network (as Limbic's is).
"""
import pathlib
import statistics
import subprocess
import sys

PROGRAM = str(pathlib.Path(__file__).parent.parent / "build" / "bench" / "open_checkpoint")
ROUNDS, THREADS = 9, 2


def torch_worker(way, name, weights):
    import resource
    import time

    import torch
    import torchvision

    torch.set_num_threads(THREADS)
    build = getattr(torchvision.models, name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if way == "plain":
        model = build()
        model.load_state_dict(torch.load(weights, weights_only=True))
    else:
        with torch.device("meta"):
            model = build()
        model.load_state_dict(torch.load(weights, mmap=True, weights_only=True), assign=True)
    model.eval()
    if way == "mapped_and_run":
        with torch.inference_mode():
            model(torch.zeros(1, 3, 224, 224))
    print("%.2f %.1f" % (1e3 * (time.perf_counter() - start),
                         (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))


def main(name, weights):
    ways = {"Limbic": [PROGRAM, name, weights, str(THREADS)]}
    for way in ("plain", "mapped", "mapped_and_run"):
        ways["PyTorch " + way] = [sys.executable, __file__, way, name, weights]
    figures = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, command in ways.items():
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            figures[way].append(tuple(map(float, out.split())))
    ours = [statistics.median(column) for column in zip(*figures["Limbic"])]
    for way, rows in figures.items():
        ms, mb = (statistics.median(column) for column in zip(*rows))
        print("%-24s %7.1f ms (%.1f to %.1f)  %6.1f MB   Limbic needs %.2f of the time, %.2f of the "
              "memory" % (way, ms, min(rows)[0], max(rows)[0], mb, ours[0] / ms, ours[1] / mb))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        torch_worker(*sys.argv[1:])
    else:
        main(*sys.argv[1:])
