#!/usr/bin/env python3
"""clang over every source, warnings as errors, without making code: what `make clang` compiles in full.

    scripts/check_syntax.py [FILE...]      (default: all that build-clang/ would compile)
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def syntax(entry):
    words = [w for w in shlex.split(entry["command"]) if w != "-c"]
    if words[0].endswith("ccache"):
        words = words[1:]
    at = words.index("-o")
    command = words[:at] + words[at + 2:] + ["-fsyntax-only"]
    run = subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True)
    return entry["file"], run.returncode, run.stderr


def main():
    subprocess.run(["cmake", "--preset", "clang"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    # What a program of the build writes is included, too.
    subprocess.run(["cmake", "--build", "--preset", "clang", "--target", "walk_embedded"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    entries = json.loads((ROOT / "build-clang/compile_commands.json").read_text())
    wanted = [str(pathlib.Path(f).resolve()) for f in sys.argv[1:]]
    entries = {e["file"]: e for e in entries if not wanted or e["file"] in wanted}
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, status, text in pool.map(syntax, entries.values()):
            if status:
                failed += 1
                print("%s:\n%s" % (name, text), flush=True)
    print("clang: %d of %d sources without a warning" % (len(entries) - failed, len(entries)))
    return 1 if failed or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
