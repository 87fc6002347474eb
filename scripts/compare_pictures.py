#!/usr/bin/env python3
"""Every picture of a folder by Limbic and by Pillow: equal, refused, different.

    scripts/compare_pictures.py FOLDER [--limbic build/limbic] [--expected FILE.tsv]

Prints a table by format and a line for each file that is not equal, with what Limbic said of it. Needs
Pillow, or --expected (file, WxH, the first 16 digits of the SHA-256 of the RGB rows, or "refused"). Status 1 where a file differs.
"""
import argparse
import collections
import hashlib
import json
import pathlib
import subprocess
import sys


def by_pillow(path):
    """(size, hash), or why not."""
    from PIL import Image, ImageOps
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path) as image:
            rgb = ImageOps.exif_transpose(image).convert("RGB")
            return "%dx%d" % rgb.size, hashlib.sha256(rgb.tobytes()).hexdigest()[:16]
    except Exception as error:  # whatever Pillow throws at hostile files
        return "refused", type(error).__name__


def by_limbic(program, path):
    out = subprocess.run([program, "--format", "json", "--max-pixels", "1000000000", "inspect", "--",
                          path], capture_output=True, text=True, errors="replace")
    if not out.stdout.strip():
        return "refused", "DIED: status %d %s" % (out.returncode, out.stderr.strip()[:200]), ""
    said = json.loads(out.stdout)
    if "error" in said:
        return "refused", said["error"], ""
    return "%dx%d" % (said["width"], said["height"]), said["sha256_rgb"][:16], said["format"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limbic", default="build/limbic")
    parser.add_argument("--expected", type=pathlib.Path)
    o = parser.parse_args()
    expected = {}
    if o.expected:
        for line in o.expected.read_text().splitlines()[1:]:
            name, size, digits = (line + "\t\t").split("\t")[:3]
            expected[name] = (size, digits)
    table = collections.Counter()
    for path in sorted(p for p in o.folder.rglob("*") if p.is_file()):
        if o.expected and path.name not in expected:
            continue
        size, digits = expected[path.name] if o.expected else by_pillow(path)
        ours, said, kind = by_limbic(o.limbic, path)
        if "refused" in (ours, size):
            verdict = ("refused by both" if ours == size else
                       "refused, Pillow reads" if ours == "refused" else "read, Pillow refuses")
        else:
            verdict = "equal" if (ours, said) == (size, digits) else "different"
        table[kind or path.suffix.lstrip(".").lower(), verdict] += 1
        if verdict not in ("equal", "refused by both"):
            print("%-36s %-22s %s" % (path.name, verdict, said))
    verdicts = ["equal", "refused by both", "refused, Pillow reads", "read, Pillow refuses", "different"]
    print("%-8s" % "" + "".join("%23s" % v for v in verdicts))
    for kind in sorted({k for k, _ in table}):
        print("%-8s" % kind + "".join("%23d" % table[kind, v] for v in verdicts))
    return any(v == "different" for _, v in table)


if __name__ == "__main__":
    sys.exit(main())
