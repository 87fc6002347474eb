"""What the tests share: where things are, drawn photos, small models. Finds `limbic` in the
repository where none is installed, and there the library of build/."""
import atexit
import functools
import importlib.util
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("LIMBIC_PROGRAM")

if importlib.util.find_spec("limbic") is None or importlib.util.find_spec("limbic").origin is None:
    sys.path.insert(0, str(ROOT / "python"))
if "LIMBIC_LIBRARY" not in os.environ and (ROOT / "build" / "liblimbic_c.so").exists():
    os.environ["LIMBIC_LIBRARY"] = str(ROOT / "build" / "liblimbic_c.so")
# Which of its ways the library takes is timed and remembered there: in this run's own folder, so that
# all its processes take the same.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="limbic-test-cache-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

import numpy as np  # noqa: E402

import limbic  # noqa: E402

BESIDE = pathlib.Path(limbic.__file__).with_name("liblimbic_c.so")
LIBRARY = BESIDE if BESIDE.exists() else pathlib.Path(os.environ.get("LIMBIC_LIBRARY", ""))

has_sklearn = importlib.util.find_spec("sklearn") is not None
needs_sklearn = unittest.skipUnless(has_sklearn, "scikit-learn is not installed")
needs_program = unittest.skipUnless(PROGRAM, "LIMBIC_PROGRAM names no `limbic`")


def png(pixels):
    """The bytes of a PNG file of a uint8 array (height, width, 3)."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def photo(seed, shape=(40, 30)):
    return np.random.default_rng(seed).integers(0, 256, shape + (3,), np.uint8)


@functools.lru_cache(maxsize=None)
def folder():
    """A folder of this run, with net.safetensors, classes.txt, photo.jpg and photos/0.png ..."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="limbic-test-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    graph = limbic.Graph.of("resnet8", 3)
    with limbic.Trainer(graph, batch=2, size=(32, 32), seed=7) as trainer:
        trainer.parameters["linear.weight"] = 0.1 * trainer.parameters["linear.weight"]
        trainer.save(path / "net.safetensors")
    (path / "classes.txt").write_text("awe\nfear\njoy\n")
    (path / "photo.jpg").write_bytes(png(photo(0)))
    (path / "photos").mkdir()
    for i in range(12):
        (path / "photos" / f"{i}.png").write_bytes(png(photo(i)))
    return path


def open_net(**options):
    return limbic.open(folder() / "net.safetensors", labels=folder() / "classes.txt", **options)


@functools.lru_cache(maxsize=None)
def fitted():
    """A folder that `limbic fit` made."""
    data = folder() / "data"
    for c, name in enumerate(("awe", "fear", "joy")):
        (data / name).mkdir(parents=True)
        for i in range(6):
            pixels = photo(100 * c + i, (16, 16)) // 2
            pixels[..., c] += 120
            (data / name / f"{i}.png").write_bytes(png(pixels))
    subprocess.run([PROGRAM, "fit", "--data", data, "--diff1", "resnet8", "--preset", "cifar",
                    "--diff2", "none", "--epochs", "1", "--batch-size", "6", "--out",
                    folder() / "fitted", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return folder() / "fitted"


def one_line(test, kinds, call, *arguments, **named):
    """That the call raises one of these, in a line. -> the text"""
    with test.assertRaises(kinds) as caught:
        call(*arguments, **named)
    test.assertNotIn("\n", str(caught.exception))
    return str(caught.exception)


def python(source, *arguments, **environment):
    """Runs Python code in a process of its own. -> what subprocess.run gives"""
    paths = [str(pathlib.Path(limbic.__file__).parents[1]), str(pathlib.Path(__file__).parent)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
    return subprocess.run([sys.executable, "-c", source, *map(str, arguments)], env=variables,
                          capture_output=True, text=True)
