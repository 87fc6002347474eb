"""Networks as data, and Limbic computing them: cases go to conformance_driver in a .safetensors file
and come back in another (driver.cpp says what is in them)."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "goldens"))
from safetensors_file import read_safetensors, write_safetensors  # noqa: E402

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build"
DRIVER = BUILD / "tests" / "conformance" / "conformance_driver"
FOLDER = BUILD / "conformance"


class Network:
    """An input picture and layers. Values are numbers: 0 is the picture, i + 1 is layer i's."""

    def __init__(self, images):
        self.images = np.asarray(images, np.float32)
        self.nodes, self.parameters = [], {}

    def layer(self, op, *src, parameters=None, **options):
        """Appends a layer; returns its value. `parameters` by their last names."""
        name = "l%d" % (len(self.nodes) + 1)
        self.nodes.append({"op": op, "name": name, "src": list(src), **options})
        for key, value in (parameters or {}).items():
            self.parameters[name + "." + key] = value
        return len(self.nodes)

    def conv2d(self, src, weight, bias=None, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1),
               groups=1):
        """weight OIHW; padding top, left, bottom, right."""
        parameters = {"weight": np.asarray(weight, np.float32)}
        if bias is not None:
            parameters["bias"] = np.asarray(bias, np.float32)
        return self.layer("conv2d", src, parameters=parameters, out_channels=weight.shape[0],
                          kernel_size=weight.shape[2:], stride=stride, padding=padding,
                          dilation=dilation, groups=groups, bias=bias is not None)

    def linear(self, src, weight, bias=None):
        """weight (out_features, in_features)."""
        parameters = {"weight": np.asarray(weight, np.float32)}
        if bias is not None:
            parameters["bias"] = np.asarray(bias, np.float32)
        return self.layer("linear", src, parameters=parameters, out_features=weight.shape[0],
                          bias=bias is not None)

    def batch_norm(self, src, weight, bias, mean, var, epsilon=1e-5, momentum=0.1):
        tensors = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": var}
        return self.layer("batch_norm", src, epsilon=float(epsilon), momentum=float(momentum),
                          parameters={k: np.asarray(v, np.float32) for k, v in tensors.items()})


def plan(name, **changes):
    """How driver.cpp makes a plan; inference where nothing else is said."""
    out = {"name": name, "gradients": False, "batch_statistics": False, "dropout": False,
           "fuse": True, "winograd": True, "rebuild": False, "frozen": [], "keep": [],
           "keep_gradients": []}
    assert set(changes) <= set(out), changes
    return {**out, **changes}


def case(name, network, plans, batch=None, tensors=None, **more):
    """One network with its data in some plans; `tensors` go beside the parameters."""
    images = network.images
    head = {"name": name, "batch": int(batch or images.shape[0]), "channels": images.shape[1],
            "height": images.shape[2], "width": images.shape[3], "nodes": network.nodes,
            "plans": plans, **more}
    return head, {"images": images, **network.parameters, **(tensors or {})}


def run(cases, schedules=()):
    """{(case, plan): {what: array}} and {(case, plan): message of an Error}; of schedules
    {("schedule", name): rates}. A driver that dies is an error of the case that kills it."""
    tensors = {"%s/%s" % (head["name"], key): value for head, own in cases
               for key, value in own.items()}
    metadata = {"cases": json.dumps([head for head, _ in cases]),
                "schedules": json.dumps(list(schedules))}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        source, target = folder + "/cases.safetensors", folder + "/results.safetensors"
        write_safetensors(source, tensors, metadata)
        done = subprocess.run([DRIVER, source, target], capture_output=True, text=True,
                              env={**os.environ, "OMP_WAIT_POLICY": "passive"})
        found, metadata = read_safetensors(target) if done.returncode == 0 else ({}, {})
    if done.returncode != 0 and len(cases) > 1:
        half = len(cases) // 2
        first, second = run(cases[:half], schedules), run(cases[half:])
        return {**first[0], **second[0]}, {**first[1], **second[1]}
    if done.returncode != 0:
        message = "the driver ends with %d: %s" % (done.returncode, done.stderr.strip())
        return {}, {(head["name"], p["name"]): message for head, _ in cases for p in head["plans"]}
    results = {}
    for key, value in found.items():
        name, rest = key.split("/", 1)
        if name == "schedule":
            results[name, rest] = value
        else:
            results.setdefault((name, rest.split("/", 1)[0]), {})[rest.split("/", 1)[1]] = value
    errors = {tuple(k.split("/")): v for k, v in json.loads(metadata["errors"]).items()}
    return results, errors
