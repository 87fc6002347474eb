#!/usr/bin/env python3
"""Random networks, steps of SGD and schedules beside PyTorch in f64.

    /usr/bin/python3 tests/conformance/pytorch_suite.py [--networks 400] [--seed 1]

Outputs, losses, running statistics, weights and velocities differ by ||a-b|| / ||b|| of at most 1e-4,
gradients of 1e-3; rates by 1e-9 of the base rate. A tensor beyond its limit cancels, and is no
failure, where PyTorch's own f32, or its f64 of data disturbed by as much as f32 rounds, is a tenth as
far away, and a gradient where it is 0 beside the others. Prints a table and each failure; exits 1 where there is one.
"""
import argparse
import collections
import sys

import numpy as np
import torch

from engine import case, plan, run
from random_network import random_network
from schedules import schedules
from torch_network import BUFFERS, TorchNetwork, compute, loss_of

BATCH = 50  # networks in one run of the driver
LIMITS = {"gradients": 1e-3}
MODES = ("inference", "training", "frozen", "fixed")
PLANS = {  # name: mode, changes
    "fused": ("inference", {}),
    "unfused": ("inference", {"fuse": False}),
    "no winograd": ("inference", {"winograd": False}),
    "values kept": ("inference", {"keep": None}),
    "training": ("training", {}),
    "training, unfused": ("training", {"fuse": False}),
    "training, rebuilt": ("training", {"rebuild": True}),
    "training, values kept": ("training", {"keep": None, "keep_gradients": None}),
    "training, some frozen": ("frozen", {}),
    "training, fixed norms": ("fixed", {"winograd": False}),
}


class Row:
    """Tensors of one kind in one plan."""

    def __init__(self):
        self.tensors = self.cancelling = 0
        self.worst = self.torch_worst = 0.0


class Report:
    def __init__(self):
        self.rows = collections.defaultdict(Row)
        self.cases, self.failures = collections.Counter(), []
        self.equal = self.left_out = 0

    def kind(self, what):
        return ("losses" if what == "loss" else "gradients" if what.startswith("gradient") else
                "running statistics" if what.endswith(BUFFERS) else
                "outputs" if what.startswith("v") and what[1:].isdigit() else "weights, velocities")

    def compare(self, name, how, ours, expected, single, rounding):
        """One case in one plan. `rounding(what)`: how far rounding takes PyTorch itself."""
        wrong = []
        self.cases[how] += 1
        surplus = set(ours) ^ set(expected)
        if surplus:
            wrong.append("only one side has %s" % ", ".join(sorted(surplus)))
        norms = {k: float(v.double().norm()) for k, v in expected.items()}
        for what in sorted(set(ours) & set(expected)):
            kind = self.kind(what)
            row = self.rows[how, kind]
            row.tensors += 1
            a, b = np.asarray(ours[what], np.float64), expected[what].double().numpy()
            if a.size != b.size or not np.isfinite(a).all():
                wrong.append("%s is of another size or not finite" % what)
                continue
            size, error = np.linalg.norm(b), np.linalg.norm(a.flatten() - b.flatten())
            if error <= LIMITS.get(kind, 1e-4) * size:
                row.worst = max(row.worst, error / size if size else 0)
                off = np.linalg.norm(single[what].double().numpy().flatten() - b.flatten())
                row.torch_worst = max(row.torch_worst, off / size if size else 0)
            elif error <= 10 * rounding(what) or self.is_zero(what, error, norms):
                row.cancelling += 1
            else:
                wrong.append("%s is off by %.2e of %.2e (rounding: %.1e)"
                             % (what, error, size, rounding(what)))
        self.equal += not wrong
        self.failures += ["%s, %s: %s" % (name, how, "; ".join(wrong))] if wrong else []

    def is_zero(self, what, error, norms):
        """0 but for PyTorch's own last digits, and for ours, beside the gradients of its case."""
        largest = max([n for k, n in norms.items() if self.kind(k) == "gradients"], default=0)
        return (self.kind(what) == "gradients" and norms[what] <= 1e-12 * largest
                and error <= 1e-6 * largest)

    def print(self):
        print("%-24s %-20s %6s %8s %11s %16s %8s" % (
            "plan", "what", "cases", "tensors", "worst error", "PyTorch f32's", "cancel"))
        order = list(self.cases)
        for (how, kind), row in sorted(self.rows.items(), key=lambda r: (order.index(r[0][0]), r[0])):
            print("%-24s %-20s %6d %8d %11.1e %16.1e %8d" % (
                how, kind, self.cases[how], row.tensors, row.worst, row.torch_worst,
                row.cancelling))
        for failure in self.failures[:40]:
            print("failed: " + failure)


class Rounding:
    """How far rounding takes a computation of PyTorch's: disturbed(dtype, disturb) is the computation,
    exact its f64."""

    def __init__(self, disturbed, exact):
        self.disturbed, self.exact, self.runs = disturbed, exact, []

    def __call__(self, what):
        for i in range(len(self.runs), 8):
            generator = torch.Generator().manual_seed(i)
            disturb = lambda t: t * (1 + (torch.rand(t.shape, generator=generator) - 0.5).to(t) * 4e-7)
            self.runs.append(self.disturbed(torch.float32 if i % 2 else torch.float64, disturb))
        return max(float((r[what].double() - self.exact[what].double()).norm()) for r in self.runs)


def draw_loss(random, network, steps=1):
    """A cross-entropy over the last value's rows, or none."""
    values = TorchNetwork(network, torch.float64).forward(
        torch.tensor(network.images, dtype=torch.float64), False)
    n, c = values[-1].shape[:2]
    if values[-1].dim() != 2 or network.nodes[-1]["op"] == "softmax":
        return None, random.standard_normal(values[-1].shape).astype(np.float32)
    labels = [int(label) for label in random.integers(-1, c, n * steps)]
    labels[::n] = [int(label) for label in random.integers(0, c, steps)]  # one row counts
    weights = random.uniform(0.2, 2, c).astype(np.float32).tolist() if random.integers(2) else []
    smoothing = float(random.choice([0, 0.1, 0.3]))
    return {"labels": labels, "class_weights": weights, "label_smoothing": smoothing,
            "normaliser": 0}, None


def draw_frozen(random, network):
    """Some norms whole, some tensors; not a norm's running statistics without the rest."""
    names = [n["name"] for n in network.nodes if n["op"] == "batch_norm" and random.integers(2)]
    return names + [k for k in network.parameters
                    if not k.endswith(BUFFERS) and random.integers(6) == 0]


def is_possible(network, mode, loss, diff):
    """PyTorch refuses statistics of one value."""
    try:
        compute(network, torch.float64, mode, loss, diff, [])
        return True
    except ValueError as e:
        assert "more than 1 value per channel" in str(e)
        return False


class Case:
    """A network with its data, and what PyTorch says of it in each mode."""

    def __init__(self, seed):
        random = np.random.default_rng(seed + 1000000)
        self.name, self.network = "network %d" % seed, random_network(seed)
        self.loss, self.diff = draw_loss(random, self.network)
        self.last = len(self.network.nodes)
        self.kept = sorted({self.last, *(int(v) for v in random.integers(1, self.last + 1, 3))})
        frozen = draw_frozen(random, self.network)
        modes = {name: {"gradients": name != "inference", "frozen": frozen if name == "frozen" else [],
                        "batch_statistics": name in ("training", "frozen")} for name in MODES}
        self.modes = {k: m for k, m in modes.items()
                      if is_possible(self.network, m, self.loss, self.diff)}
        self.plans = {how: self.plan(how, mode, changes) for how, (mode, changes) in PLANS.items()
                      if mode in self.modes}

    def plan(self, how, mode, changes):
        keep = lambda k: self.kept if k in changes else [self.last] if k == "keep" else []
        rest = {k: v for k, v in changes.items() if not k.startswith("keep")}
        return plan(how, keep=keep("keep"), keep_gradients=keep("keep_gradients"),
                    **self.modes[mode], **rest)

    def driver_case(self):
        tensors = {} if self.diff is None else {"diff": self.diff}
        more = {} if self.loss is None else {"loss": self.loss}
        return case(self.name, self.network, list(self.plans.values()), tensors=tensors, **more)

    def compute(self, mode, dtype, disturb=None):
        return compute(self.network, dtype, self.modes[mode], self.loss, self.diff, self.kept,
                       disturb)

    def judge(self, results, errors, report):
        for mode in self.modes:
            exact, single = self.compute(mode, torch.float64), self.compute(mode, torch.float32)
            rounding = Rounding(lambda t, d: self.compute(mode, t, d), exact)
            for how, p in self.plans.items():
                if PLANS[how][0] != mode:
                    continue
                if (self.name, how) in errors:
                    report.cases[how] += 1
                    report.failures.append("%s, %s: %s" % (self.name, how, errors[self.name, how]))
                    continue
                # Parameters other than running statistics are stored as they were.
                ours = dict(results[self.name, how])
                for name in [k for k in ours if k.startswith("stored.")]:
                    if not name.endswith(BUFFERS):
                        self.check_unchanged(name, ours.pop(name), p, report, how)
                shown = ({"v%d" % v for v in p["keep"]} | {"gradient.v0"}
                         | {"gradient.v%d" % v for v in p["keep_gradients"]})
                wanted = {k: v for k, v in exact.items() if ".v" not in "." + k or k in shown}
                report.compare(self.name, how, ours, wanted, single, rounding)

    def check_unchanged(self, name, value, p, report, how):
        key = name[len("stored."):]
        if key.endswith("num_batches_tracked"):
            norm = key.rsplit(".", 1)[0]
            expected = int(p["batch_statistics"] and norm not in p["frozen"])
        else:
            expected = self.network.parameters[key]
        if not np.array_equal(value.flatten(), np.asarray(expected).flatten()):
            report.failures.append("%s, %s: %s has changed" % (self.name, how, key))


class Training:
    """Steps of SGD on a random network, each with data of its own."""

    STEPS = 4

    def __init__(self, seed):
        random = np.random.default_rng(seed + 2000000)
        self.name, self.network = "training %d" % seed, random_network(seed)
        self.batch = len(self.network.images)
        self.loss, self.diff = draw_loss(random, self.network, self.STEPS)
        self.network.images = random.standard_normal(
            (self.STEPS * self.batch, *self.network.images.shape[1:])).astype(np.float32)
        momentum = float(random.choice([0, 0.5, 0.9]))
        self.sgd = {"momentum": momentum, "nesterov": bool(momentum and random.integers(2)),
                    "weight_decay": float(random.choice([0, 1e-3, 0.05])),
                    "rates": [float(r) for r in random.uniform(0.001, 0.05, self.STEPS)]}
        self.frozen = draw_frozen(random, self.network) if random.integers(3) == 0 else []
        self.how = "SGD, " + ("nesterov" if self.sgd["nesterov"] else
                              "momentum" if momentum else "plain")

    def driver_case(self):
        p = plan(self.how, gradients=True, batch_statistics=True, keep=[len(self.network.nodes)],
                 frozen=self.frozen)
        more = {} if self.loss is None else {"loss": self.loss}
        return case(self.name, self.network, [p], self.batch,
                    {} if self.diff is None else {"diff": self.diff}, sgd=self.sgd, **more)

    def compute(self, dtype, disturb=None):
        net = TorchNetwork(self.network, dtype, self.frozen, disturb)
        images = torch.tensor(self.network.images, dtype=dtype)
        images = disturb(images) if disturb else images
        trainable = net.trainable()
        out = {"loss": []}
        optimiser = torch.optim.SGD(
            list(trainable.values()) or [torch.zeros(1)], lr=1, momentum=self.sgd["momentum"],
            nesterov=self.sgd["nesterov"], weight_decay=self.sgd["weight_decay"])
        for step, rate in enumerate(self.sgd["rates"]):
            optimiser.param_groups[0]["lr"] = rate
            span = slice(step * self.batch, (step + 1) * self.batch)
            output = net.forward(images[span], True)[-1]
            total = loss_of(output, self.loss, self.diff, self.loss and self.loss["labels"][span])
            optimiser.zero_grad()
            if trainable:
                total.backward()
            optimiser.step()
            out["loss"].append(float(total.detach()))
        out["loss"] = torch.tensor(out["loss"], dtype=torch.float64)
        if self.loss is None:
            del out["loss"]
        out.update({"stored." + k: v.detach() for k, v in net.parameters.items()})
        if self.sgd["momentum"]:
            out.update({"velocity." + k: optimiser.state[v]["momentum_buffer"]
                        for k, v in trainable.items()})
        return out

    def judge(self, results, errors, report):
        if (self.name, self.how) in errors:
            report.failures.append("%s: %s" % (self.name, errors[self.name, self.how]))
            return
        ours = {k: v for k, v in results[self.name, self.how].items()
                if not k.endswith("num_batches_tracked")
                and (self.sgd["momentum"] or not k.startswith("velocity."))}
        exact = self.compute(torch.float64)
        report.compare(self.name, self.how, ours, exact, self.compute(torch.float32),
                       Rounding(self.compute, exact))


def draw(kind, seed, report):
    """None where PyTorch refuses: statistics of one value."""
    made = kind(seed)
    if kind is Training:
        try:
            made.compute(torch.float64)
        except ValueError:
            report.left_out += 1
            return None
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    report = Report()
    for kind, count in ((Case, args.networks), (Training, args.networks // 4)):
        for first in range(0, count, BATCH):
            seeds = range(args.seed * 100000 + first, args.seed * 100000 + min(first + BATCH, count))
            made = [c for c in (draw(kind, s, report) for s in seeds) if c]
            results, errors = run([c.driver_case() for c in made])
            for c in made:
                c.judge(results, errors, report)
    equal, undefined, wrong = schedules()
    report.print()
    print("%d networks, PyTorch %s; %d schedules equal; PyTorch refuses %d trainings (statistics of "
          "one value) and %d schedules" % (args.networks, torch.__version__, equal, report.left_out,
                                           undefined))
    for line in wrong:
        print("failed: " + line)
    failed = len(report.failures) + len(wrong)
    print("pytorch: %d equal, 0 refused, 0 not expressible, %d failed"
          % (report.equal + equal, failed))
    return failed > 0 or report.equal == 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
