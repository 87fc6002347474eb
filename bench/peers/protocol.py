"""What every worker speaks with the driver, on its standard input and output, one line each.

At the start it says `ready {"baseline_mb": .., "versions": {..}}`. Then it is asked:

    run          one timed run            -> {"ms": ..}
    output FILE  writes raw f32           -> {}    logits, or the loss of the first training step
    memory       peak of resident memory  -> {"peak_mb": ..}
    quit

`network_worker.cpp` is the same in C++.
"""
import json
import sys
import time

import numpy as np


def resident_mb(field):
    """VmRSS (now) or VmHWM (peak) of this process."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    raise RuntimeError("no " + field + " in /proc/self/status")


def baseline():
    """Resident memory now; the peak counts from here on, not from what imports needed."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return resident_mb("VmRSS")


def serve(run, output, baseline_mb, versions):
    """`run()` is timed; `output()` gives an array."""
    def say(text):
        print(text, flush=True)

    say("ready " + json.dumps({"baseline_mb": baseline_mb, "versions": versions}))
    for line in sys.stdin:
        word, _, argument = line.strip().partition(" ")
        if word == "run":
            start = time.perf_counter()
            run()
            say(json.dumps({"ms": 1e3 * (time.perf_counter() - start)}))
        elif word == "output":
            np.ascontiguousarray(output(), dtype="<f4").tofile(argument)
            say("{}")
        elif word == "memory":
            say(json.dumps({"peak_mb": resident_mb("VmHWM")}))
        elif word == "quit":
            return
        else:
            sys.exit("unknown request: " + line)
