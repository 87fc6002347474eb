"""A worker process as the driver sees it."""
import json
import os
import signal
import subprocess
import tempfile
import time

import numpy as np

from material import pictures_file

HERE = os.path.dirname(os.path.abspath(__file__))


class Unavailable(Exception):
    """The engine cannot run this row; the message says why in one line."""


def environment():
    """Without the variables that steer threads or kernels: every engine decides for itself."""
    steering = ("OPENBLAS_", "OMP_", "KMP_", "GOMP_", "MKL_", "DNNL_", "ONEDNN_", "LIMBIC_")
    return {k: v for k, v in os.environ.items() if not k.startswith(steering)}


class Worker:
    """Started, asked and stopped by signals: between its runs no thread of it may spin."""

    def __init__(self, command):
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=self.errors, env=environment(), text=True)
        except OSError as error:
            raise Unavailable(str(error)) from error
        word, _, text = self.read_line().partition(" ")
        if word != "ready":
            raise Unavailable("said %r instead of ready" % word)
        self.ready = json.loads(text)
        self.pause()

    def read_line(self):
        line = self.process.stdout.readline()
        if line:
            return line.strip()
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        raise Unavailable(lines[-1] if lines else "ended with %d" % self.process.returncode)

    def ask(self, request):
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.read_line())
        self.pause()
        return answer

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def run(self):
        return self.ask("run")["ms"]

    def output(self):
        with tempfile.NamedTemporaryFile() as file:
            self.ask("output " + file.name)
            return np.fromfile(file.name, "<f4")

    def memory(self):
        """MB above what the process needed before there was a network."""
        return self.ask("memory")["peak_mb"] - self.ready["baseline_mb"]

    def close(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
        self.process.wait()


class Photo:
    """A program that classifies one photo; each run is a whole process, from start to exit."""

    def __init__(self, command, after_imports):
        self.command, self.after_imports = command, after_imports
        self.ready, self.classes, self.peak_mb = {"versions": {}}, [], 0

    def run(self):
        begin = time.perf_counter()
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment(), text=True)
        text, errors = process.communicate()
        ms = 1e3 * (time.perf_counter() - begin)
        if process.returncode:
            raise Unavailable((errors.strip().splitlines() or ["failed"])[-1])
        said = dict(line.split() for line in text.splitlines())
        self.classes = [float(said["resnet101"]), float(said["densenet201"])]
        return float(said["after_imports_ms"]) if self.after_imports else ms

    def output(self):
        return np.array(self.classes, "<f4")

    def memory(self):
        return 0.0  # its peak is not asked for

    def close(self):
        pass


def build_folder(contender, settings):
    return settings.build + ("-static" if contender.engine == "limbic-static" else "")


def start(contender, row, settings):
    """Starts what runs a contender; throws Unavailable."""
    if row.mode == "photo":
        return Photo(photo_command(contender, settings), contender.after_imports)
    return Worker(worker_command(contender, row, settings))


def photo_command(contender, settings):
    if contender.engine != "limbic":
        return [settings.python, os.path.join(HERE, "one_photo.py"), contender.engine,
                settings.material, str(settings.threads)]
    stem = settings.material + "/"
    return [settings.build + "/bench/one_photo", str(settings.threads), stem + "photo.jpg",
            "resnet101", stem + "resnet101.safetensors",
            "densenet201", stem + "densenet201.safetensors"]


def worker_command(contender, row, settings):
    common = ["--mode", row.mode, "--dtype", contender.dtype, "--threads", str(settings.threads)]
    if contender.engine.startswith("limbic"):
        if contender.dtype == "int8":
            common += ["--calibration", settings.material + "/calibration-224.safetensors"]
        return [build_folder(contender, settings) + "/bench/network_worker", "--model", row.network,
                "--weights", "%s/%s.safetensors" % (settings.material, row.network),
                "--input", pictures_file(settings.material, row.network, row.batch_size), *common]
    return [settings.python, os.path.join(HERE, "worker.py"), contender.engine,
            "--material", settings.material, "--network", row.network,
            "--batch-size", str(row.batch_size), *common, *contender.options]
