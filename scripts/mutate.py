#!/usr/bin/env python3
"""Changes one place of the sources at a time and asks whether a test notices.

    scripts/mutate.py                        300 mutants over all folders
    scripts/mutate.py --count 40 --folders svm train --seed 7
    scripts/mutate.py --list --count 20      shows what would be tried and runs nothing
    scripts/mutate.py --report               the table of what has been tried so far
    scripts/mutate.py --retry --count 40     tests were added: do they kill what had survived?

A mutant is one small change: an operator exchanged, a constant off by one, a condition negated, a
statement or an `else` left out, what is returned replaced. The sources are copied to FOLDER/source
(default build-mutation), built there with -O1, and for each mutant the programs that test its
folder run, the quickest first. A mutant that does not compile counts for nothing and another is
drawn. One that fails a test, crashes or does not end is killed; one that passes everything has
survived, and is a test that is missing or a change without an effect.

Each result is a line of FOLDER/results.jsonl as it comes: a run that is stopped goes on where it
was, and a line that has changed since is tried anew. Ends with status 1 where one survived that
ACCEPTED does not explain.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What tests a folder, a program and its arguments. The cases that take longest come by themselves,
# so that a mutant that the others kill does not wait for them.
FIRST_FAILURE = ["-m", "-aa=1"]
SLOW = ("int8 and bf16*,int8: nearly*,networks: every*,networks: ResNet50*,plan: a run after*,"
        "winograd: every instruction*,winograd: the naive twin*,winograd: more weights*")
PROGRAMS = {
    "core": ["test_core"] + FIRST_FAILURE,
    "graphs": ["random_graphs", "--graphs", "60"],
    "histories": ["random_histories", "--histories", "100"],
    "nn": ["test_nn", "-tce=" + SLOW] + FIRST_FAILURE,
    "nn, slow": ["test_nn", "-tc=" + SLOW] + FIRST_FAILURE,
    "train": ["test_train", "-tce=training: each speed-up*"] + FIRST_FAILURE,
    "train, slow": ["test_train", "-tc=training: each speed-up*"] + FIRST_FAILURE,
    **{name: ["test_" + name] + FIRST_FAILURE for name in ("threads", "weights", "svm", "emotion", "demo", "io")},
}
TESTS = {
    "core": ["core", "graphs", "histories", "nn", "nn, slow", "train", "train, slow"],
    "threads": ["threads", "core", "graphs"],
    "nn": ["core", "graphs", "histories", "nn", "nn, slow", "train", "train, slow"],
    "models": ["nn", "nn, slow", "train"],
    "train": ["train", "train, slow", "histories"],
    "weights": ["weights", "train"],
    "svm": ["svm", "emotion"],
    "emotion": ["emotion"],
    "network": ["train", "train, slow", "histories"],
    "report": ["report", "demo"],
    "demo": ["demo"],
    "hash": ["core", "weights", "io"],
    "io": ["io", "train"],
}

# What is not mutated: (path, line, why no test can or should notice).
EQUIVALENT = [
    (r"core/version\.cpp", r"", "a text that is printed"),
    (r"core/processor\.", r"", "what this processor is; another answer is another machine's"),
    (r"", r"\breserve\(|\bshrink_to_fit\(", "memory ahead of time"),
    (r"", r"(?i)prefetch|__restrict|\balignas\(", "speed alone"),
    (r"", r"(?i)\b(constexpr|const) .*\b\w*(chunk|block_|grain|tile_rows|cache_bytes)\w* = \d",
     "how work is cut: any size gives the same values"),
    (r"", r"schedule\(|num_threads\(|n_threads =|threads\(\)", "how many threads, not what"),
    (r"", r"madvise|MADV_|sched_|CPU_|posix_fadvise", "advice to the system"),
    (r"demo/paintings(_objects)?\.cpp", r"\d|canvas\.|pen\.",
     "how a painting looks: another is as good"),
    (r"nn/cpu/winograd/convolution\.cpp",
     r"const double (input|weights|rows|product|cycles) = |cycles >= best",
     "an estimate of time: however threads share the tiles, a test says that the bits are the same"),
    (r"report/(charts|figure|style)\.cpp", r"\d", "where a chart has its lines"),
    (r"", r"static_assert|\busing\b|\btemplate\b|\bfriend\b|= delete|= default", "no run-time logic"),
    (r"", r"\bprogress\(|std::cerr|std::cout|\breport\.note\(", "what is told, not what is done"),
]

# Survivors that were looked into: (path, line without spaces around, the change, why it is right).
ACCEPTED = [
    ("svm/platt.cpp", "for (int64_t round = 0; round < std::max<int64_t>(100, k); ++round) {",
     "std::max -> std::min", "LIBSVM's limit; no draw of pairs has needed more rounds than classes"),
    ("emotion/sweep.cpp", "for (size_t i = 0; i < part.size(); ++i)", " <  ->  <= ",
     "reads behind the end, where AddressSanitizer's run stops"),
    ("weights/official.cpp",
     'torchvision("mobilenet_v2-7ebf99e0.pth", 13.598, 72.154, 90.822, "torchvision-v2"),',
     "13.598 -> (2 * 13.598 + 1)", "a published size: the file itself would tell"),
    ("train/checkpoint.cpp", '{"validation_pictures", start.validation.substr(0, 16)},', "16 -> 17",
     "how much of a hash is kept"),
    ("train/trainer.cpp", "predicted_at_once = validation_loader_->batch_size();",
     "predicted_at_once = validation_loader_->batch_size(); -> ;",
     "speed alone: pictures are predicted one by one"),
    ("svm/libsvm_model.cpp", "int64_t n_classes_ = 0, total_ = -1;", "1 -> 2",
     "any negative number says that total_sv has not come"),
    ("svm/svr.h", "double objective = 0;                  ///< Of the dual.", "0 -> 1",
     "training always writes it"),
    ("weights/keras/keras.cpp", "uint64_t i = 0;", "0 -> 1", "always assigned before it is read"),
    ("nn/compile/arena.cpp", "ArenaLayout layout{std::vector<int64_t>(buffers.size(), 0), 0};",
     "0 -> 1", "every offset is assigned"),
    ("nn/ops/reshape.cpp", "bool backward_reads_src() const override { return false; }",
     "false -> true", "memory alone: the plan keeps what nobody reads"),
    ("nn/cpu/winograd/transforms.cpp", "V half[2][n];", "2 -> 3", "room that nobody uses"),
    ("svm/smo.cpp", "if (s != t && (up ? in_up(s) : in_low(s)) && !problem_.kernel.ready(row_[s]))",
     " !=  ->  == ", "speed alone: which rows are computed ahead"),
    ("svm/scaler.cpp", "low = value < low ? value : low;", " <  ->  <= ",
     "of two equal values either is the lowest"),
]

EXCHANGES = [
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "),
    (r" < ", " > "), (r" > ", " < "), (r" == ", " != "), (r" != ", " == "),
    (r" && ", " || "), (r" \|\| ", " && "),
    (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " / "), (r" / ", " * "), (r" % ", " / "),
    (r" \+= ", " -= "), (r" -= ", " += "), (r" \*= ", " /= "), (r" /= ", " *= "),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"\bstd::min\b", "std::max"), (r"\bstd::max\b", "std::min"),
    (r"\bcontinue;", "break;"), (r"\bbreak;", "continue;"),
    (r"(?<=[(\s])!(?=\w)", ""), (r"\belse\b", "else if (false)"),
]
STATEMENT = re.compile(r"^\s*(?!return|else|if|for|while|case|throw|const|auto|delete|break|continue)"
                       r"[A-Za-z_*][\w.\->\[\]():+*&<, ]*?( [-+*/]?= .*|\(.*\)|\+\+|--);$")
DECLARATION = re.compile(r"^\s*[\w:<>,]+[&*]* [&*]?\w+(\{.*\}|\(.*\))?( = .*)?;$|\(.*\bconst \w+&")

Mutant = collections.namedtuple("Mutant", "folder path line column before after text")


def code_mask(text):
    """For each character whether it is code: not comment, literal, preprocessor or message."""
    mask = bytearray(b"\1" * len(text))
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|^\s*#[^\n]*'
                         r'(?:\\\n[^\n]*)*', re.S | re.M)
    for m in pattern.finditer(text):
        mask[m.start():m.end()] = bytes(m.end() - m.start())
    for m in re.finditer(r"\b(require|fail|str_cat)\(", text):
        # The condition of a `require` is logic, what stands behind its comma is a message.
        depth, at, message = 0, m.end() - 1, m.group(1) != "require"
        while at < len(text):
            if mask[at]:
                depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(text[at], 0)
            if depth == 0:
                break
            message = message or (depth == 1 and text[at] == ",")
            if message:
                mask[at] = 0
            at += 1
    return mask


def closing(line, at):
    """Where the parenthesis closes that was opened before `at`; `at` where it does not here."""
    depth = 1
    for i in range(at, len(line)):
        depth += {"(": 1, ")": -1}.get(line[i], 0)
        if depth == 0:
            return i
    return at


def changes_of(line, mask):
    """(column, before, after) of every change to one line."""
    is_code = lambda start, end: all(mask[start:end])
    for pattern, after in EXCHANGES:
        for m in re.finditer(pattern, line):
            if is_code(*m.span()):
                yield m.start(), m.group(), after
    for m in re.finditer(r"(?<![\w.'])(\d+)(?![\w.'])", line):
        if is_code(*m.span()):
            yield m.start(), m.group(), str(int(m.group()) + 1)
            if int(m.group()) == 1:
                yield m.start(), m.group(), "0"
    for m in re.finditer(r"(?<![\w.'])\d+\.\d+(?![\w.'])", line):
        if is_code(*m.span()):
            yield m.start(), m.group(), "(2 * %s + 1)" % m.group()
    m = re.match(r"^\s*(?:\} else )?if \(", line)
    condition = line[m.end():closing(line, m.end())] if m else ""
    if condition and ";" not in condition:
        yield m.end(), condition, "!(%s)" % condition
    m = re.match(r"^\s*return (.+);$", line)
    if m and is_code(m.start(), m.start() + 6) and m.group(1) != "{}":
        yield m.start(1), m.group(1), "{}"
    if STATEMENT.match(line) and not DECLARATION.search(line) and is_code(len(line) - 1, len(line)):
        if line.count("(") == line.count(")") and line.count("{") == line.count("}"):
            start = len(line) - len(line.lstrip())
            yield start, line[start:], ";"


def mutants_of(folder, suffixes):
    paths = subprocess.run(["git", "ls-files", folder], cwd=ROOT, text=True, check=True,
                           stdout=subprocess.PIPE).stdout.split()
    for path in paths:
        if not path.endswith(suffixes):
            continue
        text = (ROOT / path).read_text()
        mask, at, before = code_mask(text), 0, ";"
        for number, line in enumerate(text.split("\n"), 1):
            part = mask[at:at + len(line)]
            at += len(line) + 1
            ends = before.rstrip().endswith((";", "{", "}", ")", ":", "else")) or not before.strip()
            before = line.split("//")[0] or before
            if reason_of(path, line):
                continue
            for column, old, new in changes_of(line, part):
                if new == ";" and not ends:  # the tail of a statement of several lines
                    continue
                yield Mutant(folder, path, number, column, old, new, line)


def key_of(mutant):
    """What names a mutant while the file around it changes."""
    return "|".join([mutant.path, mutant.text.strip(), str(mutant.column), mutant.before,
                     mutant.after])


def draw(arguments):
    """Every mutant in the order in which it is tried: a folder at a time, a line at a time."""
    queues = []
    for folder in arguments.folders:
        of_line = collections.defaultdict(list)
        for m in mutants_of(folder, tuple(arguments.suffixes)):
            of_line[m.path, m.line].append(m)
        chooser = random.Random("%d %s" % (arguments.seed, folder))
        lines = sorted(of_line)
        chooser.shuffle(lines)
        queues.append([chooser.choice(of_line[line]) for line in lines])
    return queues


class Scratch:
    """A copy of the sources that is built and tested."""

    def __init__(self, folder, jobs):
        self.source, self.build = folder / "source", folder / "build"
        self.temporary, self.jobs = folder / "tmp", jobs
        self.times = {}
        for path in (self.source, self.build, self.temporary):
            path.mkdir(parents=True, exist_ok=True)

    def synchronise(self):
        """Takes over what differs, so that only that is built again."""
        wanted = set(subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                                    text=True, check=True, stdout=subprocess.PIPE)
                     .stdout.splitlines())
        wanted = {name for name in wanted if (ROOT / name).is_file()}
        for old in self.source.rglob("*"):
            if old.is_file() and str(old.relative_to(self.source)) not in wanted:
                old.unlink()
        for name in wanted:
            new, data = self.source / name, (ROOT / name).read_bytes()
            if new.exists() and new.read_bytes() == data:
                continue
            new.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(data)

    def configure(self):
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        # -w last: a mutant may leave a variable unused, and that is not for the compiler to find.
        subprocess.run(["cmake", "-S", self.source, "-B", self.build, "-G", "Ninja",
                        "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O1 -w", "-DLIMBIC_TESTS=ON"]
                       + launcher, check=True, stdout=subprocess.DEVNULL)

    def make(self, programs, quiet=True):
        out = subprocess.DEVNULL if quiet else None
        return subprocess.run(["nice", "ninja", "-C", self.build, "-j", str(self.jobs)] + programs,
                              stdout=out, stderr=out).returncode == 0

    def run(self, name):
        """"" where every test of TESTS' entry passes, else what happened."""
        environment = dict(os.environ, OMP_WAIT_POLICY="passive", TMPDIR=str(self.temporary))
        program = PROGRAMS[name][0]
        command = ["nice", str(self.build / "tests" / program)] + PROGRAMS[name][1:]
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
        started = time.time()
        child = subprocess.Popen(command, cwd=self.temporary, env=environment, preexec_fn=limit,
                                 start_new_session=True, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        try:
            out = child.communicate(timeout=60 + 6 * self.times.get(name, 1000))[0]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return name + ": does not end"
        finally:
            shutil.rmtree(self.temporary, ignore_errors=True)
            self.temporary.mkdir(exist_ok=True)
        self.times.setdefault(name, time.time() - started)
        if child.returncode == 0:
            return ""
        # Of doctest's sections the first with an error: messages have sections too.
        case = re.search(rb"TEST CASE: +([^\n]*)\n(?:(?!={70})[^\n]*\n)*?[^\n]*ERROR:", out)
        return "%s: %s" % (name, case.group(1).decode(errors="replace") if case else
                           "status %d" % child.returncode)

    def baseline(self, names):
        """Builds what is unchanged, which must pass, and learns how long it takes."""
        if not self.make(sorted({PROGRAMS[name][0] for name in names}), quiet=False):
            sys.exit("mutate.py: the unchanged sources do not build")
        for name in names:
            failure = self.run(name)
            if failure:
                sys.exit("mutate.py: the unchanged sources fail: " + failure)
            print("%s: %.0f s" % (name, self.times[name]), flush=True)

    def fate(self, mutant):
        """What becomes of it: (uncompiled | killed | survived, by what)."""
        path = self.source / mutant.path
        original = path.read_text()
        lines = original.split("\n")
        line = lines[mutant.line - 1]
        end = mutant.column + len(mutant.before)
        lines[mutant.line - 1] = line[:mutant.column] + mutant.after + line[end:]
        try:
            path.write_text("\n".join(lines))
            for name in sorted(TESTS[mutant.folder], key=lambda n: self.times[n]):
                if not self.make([PROGRAMS[name][0]]):
                    return "uncompiled", ""
                failure = self.run(name)
                if failure:
                    return "killed", failure
            return "survived", ""
        finally:
            path.write_text(original)


def reason_of(path, line):
    return next((why for p, l, why in EQUIVALENT if re.search(p, path) and re.search(l, line)), "")


def accepted_reason(result):
    for path, line, change, why in ACCEPTED:
        if (result["path"], result["text"].strip(), result["before"] + " -> " +
                result["after"]) == (path, line, change):
            return why
    return reason_of(result["path"], result["text"])


def report(results):
    """Prints the table and the survivors; how many of them have no reason."""
    table = collections.defaultdict(collections.Counter)
    for r in results:
        table[r["folder"]][r["fate"]] += 1
    print("%-10s %8s %8s %8s %7s %12s" %
          ("folder", "sampled", "killed", "survived", "killed", "(uncompiled)"))
    total = collections.Counter()
    for folder, fates in list(table.items()) + [("all", total)]:
        if folder != "all":
            total.update(fates)
        sampled = fates["killed"] + fates["survived"]
        print("%-10s %8d %8d %8d %6.1f%% %12d" %
              (folder, sampled, fates["killed"], fates["survived"],
               100 * fates["killed"] / max(1, sampled), fates["uncompiled"]))
    unexplained = 0
    for r in results:
        if r["fate"] != "survived":
            continue
        why = accepted_reason(r)
        unexplained += not why
        print("\n%s:%d: %s -> %s\n    %s\n    %s" %
              (r["path"], r["line"], r["before"], r["after"], r["text"].strip(),
               why or "no test notices"))
    return unexplained


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=300, help="mutants that compile (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folders", nargs="+", default=[f for f in TESTS if f != "io"],
                        choices=list(TESTS))
    parser.add_argument("--suffixes", nargs="+", default=[".cpp", ".h"],
                        help=".cpp alone is far quicker: a header builds much anew")
    parser.add_argument("--jobs", type=int, default=2, help="compilers at once")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build-mutation")
    parser.add_argument("--list", action="store_true", help="show the mutants, run nothing")
    parser.add_argument("--retry", action="store_true", help="try those that survived again")
    parser.add_argument("--report", action="store_true", help="the table of results.jsonl, no run")
    return parser.parse_args()


def main():
    arguments = parse()
    queues = draw(arguments)
    log = arguments.out / "results.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    done = {key_of(Mutant(**{f: r[f] for f in Mutant._fields})): r for r in map(json.loads, lines)}
    order = [m for turn in range(max(map(len, queues)))
             for q in queues if turn < len(q) for m in [q[turn]]]
    if arguments.list:
        for m in order[:arguments.count]:
            print("%s:%d: %s -> %s\n    %s" % (m.path, m.line, m.before, m.after, m.text.strip()))
        return 0
    if not arguments.report:
        scratch = Scratch(arguments.out, arguments.jobs)
        scratch.synchronise()
        scratch.configure()
        scratch.baseline(list(dict.fromkeys(n for f in arguments.folders for n in TESTS[f])))
        tried = 0
        for mutant in order:
            if tried >= arguments.count:
                break
            result = done.get(key_of(mutant))
            if result is None or (arguments.retry and result["fate"] == "survived"):
                started = time.time()
                fate, by = scratch.fate(mutant)
                result = dict(mutant._asdict(), fate=fate, by=by,
                              seconds=round(time.time() - started))
                with open(log, "a") as f:
                    f.write(json.dumps(result) + "\n")
                done[key_of(mutant)] = result
                print("%s %s:%d %s -> %s  %s" % (fate, mutant.path, mutant.line, mutant.before,
                                                 mutant.after, by), flush=True)
            tried += result["fate"] != "uncompiled"
    return 1 if report(list(done.values())) else 0


if __name__ == "__main__":
    sys.exit(main())
