#!/usr/bin/env python3
"""Every text file of a folder by Limbic's SVM verbs and by LIBSVM's programs: who takes it, who does not.

    scripts/compare_svm.py FOLDER [--limbic build/limbic]

Files named model_* are models, range* ranges, the others data. Needs LIBSVM's programs (Debian: libsvm-tools). A line a
file: LIBSVM's verdict and Limbic's, what Limbic said where they part, and whether predictions agree where both predict.
"""
import argparse
import pathlib
import subprocess
import tempfile


def run(command, folder):
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace",
                              timeout=60)
        return done.returncode == 0, done.stdout, (done.stderr or done.stdout).strip()
    except subprocess.TimeoutExpired:
        return False, "", "does not end"


def trained(programs, data, folder, name):
    """(taken, predictions of the training file, what was said)."""
    taken, _, said = run(programs["train"] + ["-q", data, name + ".model"], folder)
    if not taken:
        return False, "", said
    taken, _, said = run(programs["predict"] + [data, name + ".model", name + ".out"], folder)
    return taken, (folder / (name + ".out")).read_text() if taken else "", said


def scaled(programs, data, folder, name):
    return run(programs["scale"] + [data], folder)


def predicted(programs, model, folder, name):
    (folder / "one.txt").write_text("1 1:0.5 2:0.25\n-1 1:-0.5\n")
    taken, _, said = run(programs["predict"] + ["one.txt", model, name + ".out"], folder)
    return taken, (folder / (name + ".out")).read_text() if taken else "", said


def same_numbers(a, b):
    def numbers(text):
        return [float(part.split(":")[-1]) for part in text.split()]
    try:
        x, y = numbers(a), numbers(b)
        return len(x) == len(y) and all(abs(p - q) <= 1e-5 * (1 + abs(p)) for p, q in zip(x, y))
    except ValueError:
        return a == b


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limbic", default="build/limbic")
    args = parser.parse_args()
    limbic = str(pathlib.Path(args.limbic).resolve())
    ours = {verb: [limbic, "svm-" + verb] for verb in ("train", "predict", "scale")}
    theirs = {verb: ["svm-" + verb] for verb in ("train", "predict", "scale")}
    counts = {"same": 0, "part": 0}
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        for path in sorted(args.folder.iterdir()):
            name = path.name
            if name.startswith(("README", "range")) or not path.is_file():
                continue
            source = str(path.resolve())
            tries = [("predict", predicted)] if name.startswith("model_") else [
                ("train", trained), ("scale", scaled)]
            for what, function in tries:
                a, a_out, _ = function(theirs, source, folder, "libsvm")
                b, b_out, said = function(ours, source, folder, "limbic")
                same = a == b and (not a or same_numbers(a_out, b_out))
                counts["same" if same else "part"] += 1
                verdict = {True: "takes", False: "refuses"}
                line = f"{name:28} {what:8} LIBSVM {verdict[a]:8} Limbic {verdict[b]:8}"
                if not same:
                    reason = said.splitlines()[-1] if said and not b else "other values"
                    line += " " + reason.replace(source, name)
                print(line)
    print(f"{counts['same']} the same, {counts['part']} not")


if __name__ == "__main__":
    main()
