#!/usr/bin/env python3
"""Checks the rooms of the house: which includes which, what each needs, how many lines a ring has.

    scripts/check_rings.py          prints the table; ends with status 1 where a rule is broken
    scripts/check_rings.py --draw   writes the drawing into docs/architecture.md anew

A ring includes only rings inside it. A room includes the rooms that its line names, and outside
libraries that it is entitled to. A budget is raised by a sentence in docs/architecture.md that says
what it bought.
"""
import argparse
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Room: (ring, rooms that it may include, outside libraries that it may include).
ROOMS = {
    "reference": (0, "", ""),
    "core": (1, "", "hwy omp.h"),
    "threads": (1, "core", "pthread.h"),
    "nn/cpu": (1, "core", "hwy oneapi"),
    "nn/graph": (1, "core nn/cpu", ""),
    "nn/ops": (1, "core nn/cpu nn/graph", "hwy"),
    "nn/passes": (1, "core nn/graph nn/ops", ""),
    "nn/compile": (1, "core nn/cpu nn/graph nn/ops nn/passes", ""),
    "nn": (1, "core nn/graph nn/compile", ""),
    "models": (1, "core nn nn/graph nn/ops", ""),
    "twins": (1, "reference core nn nn/graph nn/compile nn/ops", ""),
    "hash": (2, "core", "md5.h sha2.h"),
    "io": (2, "core hash", "nlohmann jpeglib.h jerror.h png.h webp gif_lib.h zlib.h"),
    "svm": (2, "core", ""),
    "statistics": (2, "core", ""),
    "weights": (2, "core hash", "nlohmann zlib.h"),
    "weights/hdf5": (3, "core weights", "zlib.h"),
    "weights/keras": (3, "core weights weights/hdf5", "nlohmann"),
    "network": (2, "core models nn nn/graph nn/cpu nn/ops io weights", "nlohmann"),
    "train": (2, "core models nn nn/graph nn/ops nn/compile io weights network hash", "nlohmann"),
    "emotion": (3, "core models nn/ops io weights svm network train hash", "nlohmann"),
    "session": (3, "core models nn nn/graph nn/compile nn/ops io weights network emotion", "nlohmann"),
    "report": (3, "core nn/graph io svm statistics train", ""),
    "explain": (3, "core models nn nn/graph nn/ops io svm network emotion report", ""),
    "demo": (3, "core io emotion report train", ""),
    "cli": (3, "core models nn nn/graph nn/compile nn/cpu nn/ops io weights svm network train "
               "emotion session report demo hash weights/keras", "nlohmann CLI"),
    "capi": (4, "core models nn nn/graph nn/compile nn/ops io weights weights/keras svm train session",
             "nlohmann"),
    "baselines": (4, "core models nn nn/graph nn/compile nn/ops io svm weights network train emotion "
                     "hash", ""),
    "walk": (4, "reference core nn nn/graph nn/ops io network train report", "nlohmann zlib.h"),
    "explain/verb": (4, "core hash models nn nn/graph io network emotion report session cli explain "
                        "walk", "nlohmann"),
    "serve": (4, "core capi cli", "httplib.h"),
    "reproduce": (4, "core hash io svm statistics models network train emotion report demo baselines "
                     "cli", "nlohmann"),
    "mpi": (4, "core train cli program", "mpi.h"),
    "program": (4, "core models cli emotion session serve reproduce explain/verb", ""),
}
# Lines of .cpp and .h; rooms that share one are named together. A room without a line counts with
# the one that holds its folder.
BUDGETS = {
    "reference": 1800,
    "core nn models": 11950,
    "threads": 300,
    "twins": 800,
    "svm": 4600,
    "statistics": 350,
    "io hash": 3850,
    "weights": 4150,
    "weights/keras weights/hdf5": 2600,
    "network train": 3950,
    "emotion session report demo": 6800,
    "explain": 2000,
    "walk": 1500,
    "cli": 5550,
    "capi": 1550,
    "baselines": 3200,
    "serve": 1000,
    "reproduce": 3000,
    "program": 300,
    "mpi": 700,
}


def room_of(path):
    """The longest room that holds a path, or nothing."""
    return max((r for r in ROOMS if path.startswith(r + "/")), key=len, default=None)


def read():
    """Lines of each room, and its includes as {(room, what): files}."""
    lines, rooms, outside = collections.Counter(), {}, {}
    for top in sorted({r.split("/")[0] for r in ROOMS}):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in (".cpp", ".h"):
                continue
            name = str(path.relative_to(ROOT))
            room, text = room_of(name), path.read_text()
            lines[room] += text.count("\n")
            for include in re.findall(r'^#\s*include [<"]([^>"]+)[>"]', text, re.M):
                inner = include.removeprefix("limbic/")
                other = room_of(inner)
                if other and (ROOT / inner).exists():
                    if other != room:
                        rooms.setdefault((room, other), []).append(name)
                elif is_outside(include):
                    outside.setdefault((room, include.split("/")[0]), []).append(name)
    return lines, rooms, outside


# What is the system's, of C or POSIX; C++'s own headers have neither a slash nor a dot.
SYSTEM = "dlfcn.h elf.h fcntl.h malloc.h poll.h sched.h stddef.h stdint.h unistd.h".split()


def is_outside(include):
    if include.startswith(("sys/", "limbic/")) or include in SYSTEM:
        return False
    return "/" in include or include.endswith(".h") and not (ROOT / "reference" / include).exists()


def lines_of(names, lines):
    """Lines of the rooms of one budget."""
    of = {room: max((b for names in BUDGETS for b in names.split()
                     if room == b or room.startswith(b + "/")), key=len) for room in ROOMS}
    return sum(n for room, n in lines.items() if of[room] in names.split())


CIRCLE = "a circle of includes: "


def check(lines, rooms, outside):
    faults = []
    for (room, other), files in rooms.items():
        if other not in ROOMS[room][1].split():
            faults.append("%s includes %s (%s)" % (room, other, files[0]))
        if ROOMS[other][0] > ROOMS[room][0]:
            faults.append("%s, of ring %d, includes %s, of ring %d" %
                          (room, ROOMS[room][0], other, ROOMS[other][0]))
    for (room, library), files in outside.items():
        if library not in ROOMS[room][2].split():
            faults.append("%s includes %s (%s)" % (room, library, files[0]))
    # No cycle: every room can be taken whose own arrows lead to rooms taken before.
    left = set(ROOMS)
    while left:
        free = {r for r in left if not any((r, o) in rooms for o in left if o != r)}
        if not free:
            while len(inner := {r for r in left if any((o, r) in rooms for o in left)}) < len(left):
                left = inner  # without those that only look at the circle
            faults.append(CIRCLE + ", ".join(sorted(left)))
            break
        left -= free
    for names, budget in BUDGETS.items():
        own = lines_of(names, lines)
        if own > budget:
            faults.append("%s: %d lines, the budget is %d" % (names, own, budget))
    return faults


def table(lines, rooms, outside):
    print("%-13s %4s %6s  %-38s %s" % ("room", "ring", "lines", "outside libraries", "includes"))
    for room, (ring, _, _) in ROOMS.items():
        print("%-13s %4d %6d  %-38s %s" %
              (room, ring, lines[room], " ".join(sorted({l for r, l in outside if r == room})),
               " ".join(sorted(o for r, o in rooms if r == room))))
    for names, budget in BUDGETS.items():
        own = lines_of(names, lines)
        print("%-27s %6d of %d" % (names, own, budget))


def drawing(rooms):
    """The rooms by how far they stand from the ground, outermost first, each with its arrows."""
    depth = {}

    def of(room):
        if room not in depth:
            depth[room] = 1 + max((of(o) for r, o in rooms if r == room), default=-1)
        return depth[room]

    out = []
    for room in sorted(ROOMS, key=lambda r: (-ROOMS[r][0], -of(r), r)):
        own = {o for r, o in rooms if r == room}
        # What another arrow leads to anyway is left out.
        near = {o for o in own if not any((p, o) in closure(rooms) for p in own if p != o)}
        out.append("    R%d %-13s -> %s" % (ROOMS[room][0], room, ", ".join(sorted(near)) or "nothing"))
    return "\n".join(out)


def closure(rooms, memory={}):
    if not memory:
        pairs = set(rooms)
        while True:
            more = {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs
            if not more:
                break
            pairs |= more
        memory["pairs"] = pairs
    return memory["pairs"]


BEGIN, END = "<!-- rooms:begin -->\n", "<!-- rooms:end -->"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draw", action="store_true", help="write the drawing anew")
    arguments = parser.parse_args()
    lines, rooms, outside = read()
    page = ROOT / "docs/architecture.md"
    text = page.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    faults = check(lines, rooms, outside)
    if any(f.startswith(CIRCLE) for f in faults):  # which has no drawing
        drawn = text[begin:end]
    else:
        drawn = drawing(rooms) + "\n"
    if arguments.draw:
        page.write_text(text[:begin] + drawn + text[end:])
        return 0
    table(lines, rooms, outside)
    if text[begin:end] != drawn:
        faults.append("docs/architecture.md: its drawing is out of date; scripts/check_rings.py --draw")
    for fault in faults:
        print("FAULT: " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
