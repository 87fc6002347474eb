#!/usr/bin/env python3
"""Learning rates of torch.optim.lr_scheduler and values of torch.nn.CrossEntropyLoss in f64.

Writes schedules.json and losses.json beside this file; read by tests/train.
    python3 tests/goldens/make_schedule_goldens.py
"""
import json
import pathlib

import torch
from torch.optim import lr_scheduler

from deterministic import uniform

HERE = pathlib.Path(__file__).parent
BASE = 0.1


def rates(total, make):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
    scheduler = make(optimiser)
    out = []
    for _ in range(total):
        out.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step() if len(out) < total else None
    return out


def schedules():
    cases = []
    for total in (10, 30, 97):
        cases.append({"kind": "one-cycle", "total": total, "rates": rates(
            total, lambda o: lr_scheduler.OneCycleLR(o, max_lr=BASE, total_steps=total))})
        cases.append({"kind": "cosine", "total": total, "rates": rates(
            total, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=total))})
    for total, every in ((30, 10), (27, 9), (50, 10), (20, 2)):
        cases.append({"kind": "step", "total": total, "every": every, "rates": rates(
            total, lambda o: lr_scheduler.StepLR(o, step_size=every, gamma=0.1))})
    return {"torch": torch.__version__, "base": BASE, "cases": cases}


def losses():
    logits = torch.from_numpy(4 * uniform("logits", (6, 4))).float().double()
    weights = torch.tensor([0.5, 2.0, 1.0, 0.25], dtype=torch.float64)
    cases = []
    for labels in ([0, 3, 1, 2, 2, 0], [1, -1, 3, 0, -1, 2]):
        for smoothing in (0.0, 0.1):
            for weighted in (False, True):
                x = logits.clone().requires_grad_()
                loss = torch.nn.functional.cross_entropy(
                    x, torch.tensor(labels), weight=weights if weighted else None,
                    ignore_index=-1, label_smoothing=smoothing)
                loss.backward()
                cases.append({"labels": labels, "smoothing": smoothing, "weighted": weighted,
                              "loss": loss.item(), "gradient": x.grad.flatten().tolist()})
    return {"torch": torch.__version__, "logits": logits.flatten().tolist(),
            "weights": weights.tolist(), "cases": cases}


for name, content in (("schedules", schedules()), ("losses", losses())):
    (HERE / f"{name}.json").write_text(json.dumps(content) + "\n")
