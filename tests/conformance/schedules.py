"""Learning rates beside torch.optim.lr_scheduler."""
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler

from engine import run

BASE = 0.1
warnings.simplefilter("ignore")  # of schedulers that step without an optimiser's step


def rates(count, make, base=BASE):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    scheduler = make(optimiser)
    out = []
    while len(out) < count:
        out.append(scheduler.get_last_lr()[0])
        if len(out) < count:
            scheduler.step()
    return out


def expected(s):
    """Limbic's warm-up takes a share of the steps and the schedule the rest: two of PyTorch's
    schedulers, one after the other."""
    warm = int(s["warmup"] * s["total"])
    rest = s["total"] - warm
    first = BASE / 25 if s["kind"] == "one-cycle" else BASE
    rise = rates(warm, lambda o: lr_scheduler.LinearLR(o, 1 / warm, 1, max(1, warm - 1)),
                 first) if warm else []
    make = {"constant": lambda o: lr_scheduler.ConstantLR(o, 1, 0),
            "step": lambda o: lr_scheduler.StepLR(o, round(s["step_every"] * rest), 0.1),
            "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, rest),
            "one-cycle": lambda o: lr_scheduler.OneCycleLR(o, BASE, total_steps=rest,
                                                           pct_start=s["one_cycle_rise"])}
    return rise + rates(rest, make[s["kind"]])


def all_schedules():
    for total in (1, 2, 3, 4, 5, 7, 10, 30, 97, 400):
        for warmup in (0, 0.1, 0.25):
            rest = total - int(warmup * total)
            for kind in ("constant", "step", "cosine", "one-cycle"):
                drops = [2, 3, 5] if kind == "step" else [3]
                for every in {max(1, rest // d) for d in drops}:
                    for rise in (0.1, 0.3, 0.5, 0.95) if kind == "one-cycle" else (0.3,):
                        name = "%s, %d steps, warm-up %g" % (kind, total, warmup)
                        name += ", every %d" % every if kind == "step" else ""
                        name += ", rise %g" % rise if kind == "one-cycle" else ""
                        yield {"name": name, "kind": kind, "warmup": warmup, "total": total,
                               "base": BASE, "step_every": every / rest, "one_cycle_rise": rise}


def schedules():
    """How many are equal, how many PyTorch divides by zero for, and a line for each that differs."""
    drawn = list(all_schedules())
    results, _ = run([], drawn)
    equal, undefined, wrong = 0, 0, []
    for s in drawn:
        ours = results["schedule", s["name"]]
        try:
            off = np.abs(ours - (theirs := np.array(expected(s))))
        except ZeroDivisionError:  # PyTorch's own, where one-cycle's first rise has no step
            undefined += 1
            continue
        if not off.max() <= 1e-9 * BASE:
            step = int(off.argmax())
            wrong.append("%s: step %d has %.6g, PyTorch's %.6g"
                         % (s["name"], step, ours[step], theirs[step]))
        else:
            equal += 1
    return equal, undefined, wrong
