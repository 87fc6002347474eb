#!/usr/bin/env python3
"""Writes the lines of each file of docs/reading.md, and their sum, into it anew."""
import pathlib
import re

root = pathlib.Path(__file__).resolve().parent.parent
page = root / "docs/reading.md"
lengths = []


def row(match):
    lengths.append((root / match[1]).read_text().count("\n"))
    return "| `%s` | %d |" % (match[1], lengths[-1])


text = re.sub(r"\| `([^`]+)` \| \d+ \|", row, page.read_text())
text = re.sub(r"Together \d+ lines in \d+ files\.",
              "Together %d lines in %d files." % (sum(lengths), len(lengths)), text)
page.write_text(text)
