"""Keeps results.json and writes the tables of results.md and README.md from it."""
import json
import os
import re

from rows import PEERS

TITLES = {"resnet101": "ResNet101", "densenet201": "DenseNet201", "resnet20": "CIFAR ResNet-20",
          "photo": "one photo, ResNet101 and DenseNet201", "resnet18": "ResNet18",
          "resnet50": "ResNet50", "densenet121": "DenseNet121", "squeezenet1_1": "SqueezeNet 1.1",
          "efficientnet_lite0": "EfficientNet-Lite0",
          "mobilenet_v2": "MobileNetV2", "alexnet": "AlexNet", "vgg16": "VGG16"}


def read(path):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def write(path, text):
    with open(path + ".part", "w") as file:
        file.write(text)
    os.replace(path + ".part", path)


def update(folder, name, result, order):
    """Replaces one row, keeps the others and those of other processors, and writes the tables anew.
    `order`: all rows' names."""
    path = os.path.join(folder, "results.json")
    results = read(path)
    rows = results.setdefault(result["processor"], {})
    rows[name] = result
    results[result["processor"]] = {n: rows[n] for n in order if n in rows}
    write(path, json.dumps(results, indent=1) + "\n")
    write(os.path.join(folder, "results.md"), everything(results))
    readme = os.path.join(folder, "..", "README.md")
    with open(readme) as file:
        text = file.read()
    fresh = re.sub(r"(<!-- bench:begin -->\n).*?(<!-- bench:end -->)",
                   lambda m: m.group(1) + "\n".join(map(short, results.values()))
                   + m.group(2), text, flags=re.DOTALL)
    if fresh != text:
        write(readme, fresh)


def ours_of(result):
    return next((e for e in result["entries"] if e["engine"] == "limbic"), None)


def least_ahead(result):
    """The smallest ratio of another engine's time to ours."""
    ours = ours_of(result)
    if ours is None:
        return 0
    return min((e["median_ms"] / ours["median_ms"] for e in result["entries"]
                if e["engine"] in PEERS and e["dtype"] == result["dtype"]), default=9)


def behind_first(rows):
    """(name, row) of a processor: first those where somebody is faster, the furthest ahead of us
    leading; the others as they come."""
    return sorted(rows.items(), key=lambda item: min(least_ahead(item[1]), 1))


def title(result):
    if result["mode"] == "photo":
        return TITLES["photo"]
    task = "training step, " if result["mode"] == "train" else ""
    return "%s, %s%s, batch %d" % (TITLES[result["network"]], task, result["dtype"],
                                   result["batch_size"])


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def unit(ms):
    return "%.0f ms" % ms if ms >= 100 else "%.1f ms" % ms


def best(result, engine):
    """An engine's fastest way of computing the row in the row's own dtype."""
    entries = [e for e in result["entries"]
               if e["engine"] == engine and e["dtype"] == result["dtype"]]
    return min(entries, key=lambda e: e["median_ms"], default=None)


def beside(entry, ours):
    if entry is None:
        return ""
    if ours is None:
        return unit(entry["median_ms"])
    return "%s (%.2fx)" % (unit(entry["median_ms"]), entry["median_ms"] / ours["median_ms"])


def memory_beside(entry, ours):
    if entry is None:
        return ""
    if ours is None:
        return "%.0f MB" % entry["peak_mb"]
    return "%.0f MB (%.2fx)" % (entry["peak_mb"], ours["peak_mb"] / entry["peak_mb"])


def short(results):
    """README's tables of one processor: medians, an engine's fastest variant a column."""
    rows = [row for _, row in behind_first(results)]
    newest = max(rows, key=lambda r: r["date"])
    versions = {}
    for row in rows:
        versions.update(row["versions"])
    known = (("onednn", "Limbic's oneDNN"), ("onnxruntime", "ONNX Runtime"),
             ("openvino", "OpenVINO"), ("torch", "PyTorch"), ("ncnn", "ncnn"),
             ("executorch", "ExecuTorch"))
    text = "%s; %s, %d threads; %s.\n\n" % (
        newest["date"], newest["processor"], newest["threads"],
        ", ".join("%s %s" % (name, re.split("[-+]", versions[key])[0])
                  for key, name in known if key in versions))
    text += line(["", "Limbic", *PEERS.values()]) + line(["---"] + ["--:"] * (1 + len(PEERS)))
    for row in rows:
        ours = ours_of(row)
        text += line([title(row), unit(ours["median_ms"]) if ours else "not yet",
                      *(beside(best(row, engine), ours) for engine in PEERS)])
    training = [row for row in rows if row["mode"] == "train"]
    if training:
        text += "\n" + line(["peak memory", "Limbic", "PyTorch", "its memory_efficient"])
        text += line(["---"] + ["--:"] * 3)
        for row in training:
            ours = ours_of(row)
            saving = next((e for e in row["entries"] if "memory_efficient" in e["label"]), None)
            text += line([title(row), "%.0f MB" % ours["peak_mb"] if ours else "not yet",
                          memory_beside(best(row, "pytorch"), ours), memory_beside(saving, ours)])
    return text


def everything(results):
    """results.md: every engine of every row, with spread, memory, error and goal."""
    text = ("# Measured\n\nWritten by `make bench`; the numbers are in `results.json`. Times are "
            "medians with (minimum to maximum)\nand the 99th percentile. Rows where another engine "
            "is faster come first. \"Faster\" is the other's time divided by "
            "Limbic's, with the goal in brackets. Memory is the peak of resident\nmemory above "
            "what the process needed before there was a network; \"of it\" is Limbic's share of "
            "the\nother's. The error is ||a-b|| / ||b|| of the logits against f64, in training of "
            "the first step's loss.\n")
    for processor, rows in results.items():
        text += "\n## %s\n" % processor
        text += "".join(section(name, row) for name, row in behind_first(rows))
    return text


def section(name, row):
    ours = ours_of(row)
    text = "\n### %s\n\n`make bench ROWS=%s`, %s, commit %s, %d threads, %s; %s\n\n" % (
        title(row), name, row["date"], row["commit"], row["threads"], row["processor"],
        ", ".join("%s %s" % pair for pair in sorted(row["versions"].items())))
    text += line(["", "time", "p99", "faster", "memory", "of it", "error"])
    text += line(["---"] + ["--:"] * 6)
    for entry in row["entries"]:
        text += line(cells(entry, ours, row["mode"]))
    return text + "".join("\n- " + note for note in row["notes"]) + ("\n" if row["notes"] else "")


def cells(entry, ours, mode):
    """One engine's line in results.md."""
    faster = share = ""
    if ours and entry is not ours:
        faster = "%.2fx" % (entry["median_ms"] / ours["median_ms"])
        faster += " (%.2f)" % entry["goal"] if entry["goal"] else ""
        if mode == "train":
            share = "%.2f" % (ours["peak_mb"] / entry["peak_mb"])
            share += " (%.2f)" % entry["memory_goal"] if entry["memory_goal"] else ""
    photo = mode == "photo"
    error = "%.1e" % entry["error"]
    if photo:
        error = "same classes" if entry["error"] == 0 else "other classes"
    return [entry["label"],
            "%.1f ms (%.1f to %.1f)" % (entry["median_ms"], entry["min_ms"], entry["max_ms"]),
            "%.1f ms" % entry["p99_ms"] if "p99_ms" in entry else "", faster, "" if photo else "%.0f MB" % entry["peak_mb"], share, error]
