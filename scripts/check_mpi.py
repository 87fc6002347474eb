#!/usr/bin/env python3
"""Training over ranks, by Open MPI and MPICH: the same mathematics at 1 to 4 ranks, the same bits by the
ring, ranks killed and stopped at random and named, every run resumed to the undisturbed result.

    scripts/check_mpi.py [--kills N] [--data FOLDER] [--mpi openmpi,mpich]

Builds with `make mpi` first. Without --data it learns from pictures of `limbic demo`.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = {"openmpi": ROOT / "build-mpi", "mpich": ROOT / "build-mpich"}
os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
failures = []


def check(name, good, detail=""):
    print("%s: %s%s" % ("passed" if good else "FAILED", name, ": " + detail if detail else ""), flush=True)
    if not good:
        failures.append(name)


def launcher(mpi, ranks):
    if mpi == "mpich":
        return ["mpiexec.mpich", "-n", str(ranks)]
    return ["mpiexec.openmpi", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1",
            "-n", str(ranks)]


def losses(mpi, ranks, *words):
    run = subprocess.run(launcher(mpi, ranks) + [str(BUILD[mpi] / "train_steps"), *map(str, words)],
                         capture_output=True, text=True, timeout=600)
    found = [float(l.split()[2]) for l in run.stdout.splitlines() if l.startswith("step ")]
    if not found:
        sys.exit("train_steps said: " + run.stderr[-2000:])
    return found, run.stderr


def compare(mpi, name, one, other, times=1):
    apart = [abs(a - b) / abs(a) for a, b in zip(one, other)]
    first, last = max(apart[:10]), apart[-1]
    check("%s: %s" % (mpi, name), len(one) == len(other) and first < times * 1e-5 and last < times * 1e-3,
          "first 10 steps %.1e, step %d %.1e" % (first, len(apart), last))


def mathematics(mpi, data):
    cases = {"sync-bn resnet20, 50 steps": ["resnet20", data, 50, "sync", "lr=0.0003"],
             "103 samples, last batch kept": ["resnet20", data, 16, "sync", "keep", "samples=103", "batch=32",
                                              "lr=0.0001"],
             "ranks without a picture": ["resnet20", data, 12, "sync", "keep", "samples=98", "batch=32",
                                         "lr=0.0001"],
             "frozen batch norm, resnet18": ["resnet18", data, 20, "frozen_bn", "batch=16", "side=32",
                                             "lr=0.0001"]}
    for name, words in cases.items():
        one, _ = losses(mpi, 1, *words)
        for ranks in (2, 3, 4):
            compare(mpi, "%s, %d ranks" % (name, ranks), one, losses(mpi, ranks, *words)[0])
    words = cases["sync-bn resnet20, 50 steps"]
    compare(mpi, "gradients in the weights' own layout", losses(mpi, 1, *words)[0],
            losses(mpi, 4, *words, "canonical")[0])
    for kind in ("ring", "bf16"):
        first, again = (losses(mpi, 4, *words, kind)[0] for _ in range(2))
        check("%s: the bits of two runs are equal: %s" % (mpi, kind), first == again)
        compare(mpi, "4 ranks, " + kind, losses(mpi, 1, *words)[0], first, 10 if kind == "bf16" else 1)


class Training:
    def __init__(self, mpi, data, out):
        self.mpi, self.out = mpi, out
        self.words = [str(BUILD[mpi] / "limbic"), "train", "--data", data, "--model", "resnet20", "--epochs",
                      "8", "--lr", "0.01", "--sync-bn", "--allreduce", "ring", "--checkpoint-interval", "7",
                      "--timeout", "3", "--out", out]

    def start(self, ranks, *more):
        return subprocess.Popen(launcher(self.mpi, ranks) + self.words + list(more), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def weights(self):
        return (pathlib.Path(self.out) / "weights/final.safetensors").read_bytes()


def running_ranks():
    """pid -> rank of every rank of limbic on this machine."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            variables = (entry / "environ").read_bytes()
        except OSError:
            continue
        if not words[0].endswith(b"/limbic"):
            continue
        rank = re.search(rb"(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)", variables)
        if rank:
            found[int(entry.name)] = int(rank.group(1))
    return found


def disturb(mpi, data, folder, number, expected, seconds, draw):
    how = draw.choice([signal.SIGKILL, signal.SIGSTOP])
    training = Training(mpi, data, "%s/%s-%d" % (folder, mpi, number))
    launched = training.start(4)
    time.sleep(draw.uniform(0.8, seconds))
    ranks = running_ranks()
    if launched.poll() is not None or len(ranks) < 4:
        launched.wait()
        return None
    pid, rank = draw.choice(sorted(ranks.items()))
    os.kill(pid, how)
    try:
        said = launched.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        os.killpg(launched.pid, signal.SIGKILL)
        return "rank %d, %s: the others went on waiting" % (rank, how.name)
    resumed = training.start(4, "--resume").communicate(timeout=300)[0]
    named = re.findall(r"rank (\d+)[^\n]*(?:has not answered|come as far)", said) + \
        re.findall(r"ended: rank (\d+)", resumed)
    started = (pathlib.Path(training.out) / "weights/last.safetensors").exists()
    if str(rank) not in named and started and "resumed at step" in resumed:
        return "rank %d, %s, is not named: %s | %s" % (rank, how.name, said[-300:],
                                                             " ".join(re.findall(r"ended: [^\n]*", resumed)))
    if how is signal.SIGKILL and launched.returncode not in (137, 9) or launched.returncode == 0:
        return "rank %d, %s: status %d" % (rank, how.name, launched.returncode)
    if training.weights() != expected:
        return "rank %d, %s: resumed to another result" % (rank, how.name)
    return ""


def kills(mpi, data, folder, count):
    whole = Training(mpi, data, "%s/%s-whole" % (folder, mpi))
    before = time.time()
    said = whole.start(4).communicate(timeout=600)[0]
    seconds = time.time() - before
    check(mpi + ": a training of 4 ranks", "best epoch" in said, said.splitlines()[0])
    expected = whole.weights()
    part = Training(mpi, data, "%s/%s-two" % (folder, mpi))
    launched = part.start(4)
    time.sleep(seconds / 2)
    os.killpg(launched.pid, signal.SIGKILL)
    launched.wait()
    time.sleep(1)
    said = part.start(2, "--resume").communicate(timeout=600)[0]
    step = re.search(r"resumed at step (\d+)", said)
    check(mpi + ": resumed on 2 ranks", step is not None and "best epoch" in said,
          step.group(0) if step else said[-500:])
    draw, done, faults = random.Random(7), 0, []
    for number in range(2 * count):
        if done == count:
            break
        fault = disturb(mpi, data, folder, number, expected, seconds, draw)
        if fault is None:
            continue
        done += 1
        if fault:
            faults.append(fault)
    check("%s: %d random kills and stops" % (mpi, done), not faults, "; ".join(faults))
    full_disk(mpi, data, folder, expected)


IN_A_SMALL_ROOM = """room=$0 at=$1 copy=$2; shift 2
mount -t tmpfs -o size=$room limbic "$at" || exit 99
"$@"; status=$?
cp -a "$at/." "$copy"
exit $status"""


def full_disk(mpi, data, folder, expected):
    """Of rank 0: at the run's begin, in the middle, at a later checkpoint."""
    for room in ("4k", "100k", "1500k", "3m", "4m"):
        at, copy = ("%s/%s-%s-%s" % (folder, mpi, name, room) for name in ("full", "copy"))
        os.mkdir(at), os.mkdir(copy)
        training = Training(mpi, data, at)
        words = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", IN_A_SMALL_ROOM, room, at, copy]
        run = subprocess.run(words + launcher(mpi, 4) + training.words, capture_output=True, text=True, timeout=300)
        if run.returncode == 99 or run.stderr.startswith("unshare: "):
            return print("skipped: a full disk: no tmpfs may be mounted here")
        lines = [l for l in run.stderr.splitlines() if l.startswith("limbic: ")]
        left = [str(f) for f in pathlib.Path(copy).rglob("*.tmp.*")]
        check("%s: a disk of %s" % (mpi, room), run.returncode == 1 and len(lines) == 1 and not left and
              lines[0].startswith("limbic: rank 0: ") and "No space left" in lines[0],
              "status %d, %s %s" % (run.returncode, lines or run.stderr[-500:], left))
        resumed = Training(mpi, data, copy)
        said = resumed.start(4, "--resume").communicate(timeout=300)[0]
        check("%s: resumed with room" % mpi, resumed.weights() == expected,
              " ".join(re.findall(r"resumed at step \d+", said)) or "from the first step")


def refusals(mpi, data, folder):
    def said(words, ranks=2):
        run = subprocess.run(launcher(mpi, ranks) + [str(BUILD[mpi] / "limbic"), *words], capture_output=True,
                             text=True, timeout=120)
        lines = [l for l in run.stderr.splitlines() if l.startswith("limbic: ")]
        return run.returncode, lines
    train = ["train", "--model", "resnet20", "--epochs", "1", "--out", folder + "/refused", "--force"]
    status, lines = said(train + ["--data", folder + "/nothing"])
    check(mpi + ": no data", status == 1 and len(lines) == 1, str(lines))
    status, lines = said(train + ["--data", data, "--batch-size", "2"], ranks=4)
    check(mpi + ": more ranks than samples", status == 1 and len(lines) == 1 and "ranks" in lines[0], str(lines))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--data")
    parser.add_argument("--mpi", default="openmpi,mpich")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for mpi in given.mpi.split(","):
            build = subprocess.run(["make", "mpi", "MPI=" + mpi], cwd=ROOT, capture_output=True, text=True)
            if build.returncode == 0:
                build = subprocess.run(["cmake", "--build", BUILD[mpi], "--target", "train_steps"],
                                       capture_output=True, text=True)
            if build.returncode:
                sys.exit(build.stdout[-3000:] + build.stderr[-3000:])
            if given.data is None:
                subprocess.run([BUILD[mpi] / "limbic", "demo", "--out", folder + "/demo", "--epochs", "1"],
                               check=True, capture_output=True)
                given.data = folder + "/demo/pictures/train"
            mathematics(mpi, given.data)
            kills(mpi, given.data, folder, given.kills)
            refusals(mpi, given.data, folder)
    print("%d failed" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
