#!/usr/bin/env python3
"""Packs the module `limbic` and its shared library into a wheel, with the standard library alone:

    python/build_wheel.py [LIBRARY] [--out FOLDER]     (build/liblimbic_c.so, dist)

Prints the wheel's path. Refuses, in a line, a library that cannot be loaded, lacks a function that
the module calls, or is of another version than CMakeLists.txt says. The platform in the wheel's name
is manylinux_2_N where the library needs nothing but what every Linux with glibc 2.N has, else linux:
then what else it needs must be installed (oneDNN, Highway ... of the distribution)."""
import argparse
import base64
import ctypes
import hashlib
import importlib.util
import pathlib
import re
import struct
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "limbic"
LIBRARY_NAME = "liblimbic_c.so"

MACHINES = {62: "x86_64", 183: "aarch64"}
# What a manylinux wheel may find outside itself.
SYSTEM = {"libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libgcc_s.so.1",
          "libstdc++.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# libstdc++'s versions -> the N of manylinux_2_N that have them (gcc 4.8, 6, 7, 8, 9 ... 14).
STANDARD_LIBRARY = {"GLIBCXX_3.4": {19: 17, 22: 24, 24: 27, 25: 28, 28: 31, 29: 34, 30: 35, 32: 38,
                                    33: 39},
                    "CXXABI_1.3": {7: 17, 10: 24, 11: 27, 12: 31, 13: 34, 14: 38, 15: 39}}


class Refused(Exception):
    """In a line, why no wheel was made."""


class Elf:
    """What a 64-bit little-endian ELF file says of what it needs."""

    def __init__(self, path):
        self.data = path.read_bytes()
        if self.data[:6] != b"\x7fELF\x02\x01" or len(self.data) < 64:
            raise Refused(f"{path}: not a 64-bit ELF library")
        self.machine = self._at("<H", 18)[0]
        start, = self._at("<Q", 32)
        size, count = self._at("<HH", 54)
        self.segments = [self._at("<IIQQQQ", start + i * size) for i in range(count)]
        self.dynamic = self._dynamic()
        self.strings = self._offset(self._one(5))
        self.needed = [self._text(value) for tag, value in self.dynamic if tag == 1]
        self.versions = self._versions()

    def _at(self, form, offset):
        return struct.unpack_from(form, self.data, offset)

    def _dynamic(self):
        out = []
        for kind, _, offset, _, _, size in self.segments:
            if kind == 2:
                out += [self._at("<QQ", at) for at in range(offset, offset + size, 16)]
        return out

    def _one(self, wanted):
        return next((value for tag, value in self.dynamic if tag == wanted), 0)

    def _offset(self, address):
        for kind, _, offset, begin, _, size in self.segments:
            if kind == 1 and begin <= address < begin + size:
                return address - begin + offset
        raise Refused("an address outside of all segments")

    def _text(self, index):
        begin = self.strings + index
        return self.data[begin:self.data.index(b"\0", begin)].decode()

    def _versions(self):
        out, first = set(), self._one(0x6ffffffe)
        at = self._offset(first) if first else 0
        while at:
            _, count, _, names, following = self._at("<HHIII", at)
            name = at + names
            for _ in range(count):
                _, _, _, text, step = self._at("<IHHII", name)
                out.add(self._text(text))
                name += step
            at = at + following if following else 0
        return out


def glibc_of(version):
    """The least N of glibc 2.N whose system has this version of a symbol; None: nobody knows."""
    if version == "GLIBC_ABI_DT_RELR":
        return 36
    prefix, _, last = version.rpartition(".")
    if prefix == "GLIBC_2" and last.isdigit():
        return int(last)
    if re.fullmatch(r"GLIBC_2\.\d+\.\d+", version):
        return int(version.split(".")[1])
    if version.startswith("GCC_"):
        return {3: 17, 4: 17, 7: 28, 12: 35, 14: 39}.get(int(version[4:].split(".")[0]))
    for name, known in STANDARD_LIBRARY.items():
        if version == name:
            return 17
        if prefix == name and last.isdigit():
            return min((n for k, n in known.items() if k >= int(last)), default=None)
    return None


def platform_of(elf):
    machine = MACHINES.get(elf.machine)
    if machine is None:
        raise Refused(f"a library for machine {elf.machine}; expected x86_64 or aarch64")
    levels = [glibc_of(version) for version in elf.versions]
    if None in levels or set(elf.needed) - SYSTEM:
        return f"linux_{machine}"
    return f"manylinux_2_{max([17, *levels])}_{machine}"


def project_version():
    return re.search(r"project\(limbic VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]


def functions():
    spec = importlib.util.spec_from_file_location("interface", PACKAGE / "_interface.py")
    interface = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(interface)
    return interface.functions


def check_library(path, version):
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise Refused(f"cannot load it: {error}") from None
    missing = [name for name in functions() if not hasattr(library, name)]
    if missing:
        raise Refused(f"{path}: is not this version's liblimbic_c.so: it lacks {missing[0]}"
                      + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""))
    library.limbic_version.restype = ctypes.c_char_p
    its = library.limbic_version().decode()
    if its != version:
        raise Refused(f"{path}: is version {its}, the wheel would be {version}")


def metadata(version):
    return f"""Metadata-Version: 2.1
Name: limbic
Version: {version}
Summary: Convolutional networks on ordinary processors: photos, support vector machines, training
License: MIT
Requires-Python: >=3.8
Requires-Dist: numpy >=1.20
Description-Content-Type: text/markdown

{(ROOT / "docs" / "python.md").read_text()}"""


def contents(library, version, tag):
    """Path in the wheel -> bytes, RECORD last."""
    info = f"limbic-{version}.dist-info"
    files = {f"limbic/{source.name}": source.read_bytes() for source in sorted(PACKAGE.glob("*.py"))}
    files["limbic/_version.py"] = f'version = "{version}"\n'.encode()
    files[f"limbic/{LIBRARY_NAME}"] = library.read_bytes()
    for text in ("LICENSE", "THIRD_PARTY_NOTICES"):
        files[f"{info}/{text}"] = (ROOT / text).read_bytes()
    files[f"{info}/METADATA"] = metadata(version).encode()
    files[f"{info}/WHEEL"] = (f"Wheel-Version: 1.0\nGenerator: limbic ({version})\n"
                              f"Root-Is-Purelib: false\nTag: {tag}\n").encode()
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return files


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def build(library, out, version=None):
    """-> the wheel's path. Throws Refused."""
    version = version or project_version()
    library = pathlib.Path(library).resolve()
    if not library.is_file():
        raise Refused(f"{library}: is not there; build the target limbic_c first")
    tag = f"py3-none-{platform_of(Elf(library))}"
    check_library(library, version)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"limbic-{version}-{tag}.whl"
    part = path.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in contents(library, version, tag).items():
            entry = zipfile.ZipInfo(name)  # of 1980: the same files make the same wheel
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16
            wheel.writestr(entry, data)
    part.replace(path)
    for other in set(out.glob(f"limbic-{version}-*.whl")) - {path}:
        other.unlink()  # of another platform: one version has one wheel here
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", nargs="?", default=ROOT / "build" / LIBRARY_NAME)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    try:
        print(build(arguments.library, arguments.out))
    except (Refused, struct.error, ValueError) as refused:
        sys.exit(f"build_wheel: {refused}")


if __name__ == "__main__":
    main()
