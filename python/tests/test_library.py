"""The shared library: declared as limbic_c.h has it, found, and packed into a wheel."""
import ctypes
import importlib.util
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile

import support
from support import ROOT, limbic, one_line

from limbic import _interface

spec = importlib.util.spec_from_file_location("build_wheel", ROOT / "python" / "build_wheel.py")
build_wheel = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build_wheel)

STRUCTS = {"limbic_open_options": _interface.OpenOptions, "limbic_model_info": _interface.ModelInfo,
           "limbic_picture": _interface.Picture, "limbic_svm_options": _interface.SvmOptions,
           "limbic_svm_info": _interface.SvmInfo, "limbic_trainer_options": _interface.TrainerOptions}
# Pictures prepared in another thread, and what Python does by other means.
UNUSED = {"limbic_prepare", "limbic_prepared_free", "limbic_answers_count", "limbic_svm_predict",
          "limbic_trainer_width"}


class Interface(unittest.TestCase):
    def test_every_function_is_declared_with_its_arguments(self):
        header = re.sub(r"/\*.*?\*/", "", (ROOT / "capi" / "limbic_c.h").read_text(), flags=re.S)
        declared = dict(re.findall(r"LIMBIC_API[^;{]*?\b(limbic_[a-z_]+)\(([^)]*)\)", header))
        self.assertEqual(set(declared) - UNUSED, set(_interface.functions))
        for name, (_, arguments) in _interface.functions.items():
            text = declared[name].strip()
            expected = 0 if text == "void" else text.count(",") + 1
            self.assertEqual(len(arguments), expected, name)

    def test_structs_lie_as_in_c(self):
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no C compiler")
        lines = []
        for name, struct in STRUCTS.items():
            lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
            lines += [f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));'
                      for field, _ in struct._fields_]
        with tempfile.TemporaryDirectory() as folder:
            source, program = pathlib.Path(folder) / "a.c", pathlib.Path(folder) / "a"
            source.write_text('#include "limbic_c.h"\n#include <stdio.h>\nint main(void) {'
                              + "\n".join(lines) + "}")
            subprocess.run([compiler, "-I", ROOT / "capi", source, "-o", program], check=True)
            got = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        expected = []
        for name, struct in STRUCTS.items():
            expected.append(f"{name} {ctypes.sizeof(struct)}")
            expected += [f"{name}.{field} {getattr(struct, field).offset}"
                         for field, _ in struct._fields_]
        self.assertEqual(got.split("\n")[:-1], expected)

    def test_kinds_and_kernels_are_the_headers(self):
        header = (ROOT / "capi" / "limbic_c.h").read_text()
        for name, values in (("limbic_kind", _interface.kinds), ("limbic_kernel", _interface.kernels)):
            body = re.search(rf"typedef enum {name} \{{(.*?)\}}", header, re.S)[1]
            found = re.findall(r"LIMBIC_([A-Z]+) = (\d)", body)
            self.assertEqual([(v.upper(), str(i)) for i, v in enumerate(values)], found)


class Found(unittest.TestCase):
    """Copies of the package, imported in processes of their own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.package = pathlib.Path(self.folder.name) / "limbic"
        shutil.copytree(ROOT / "python" / "limbic", self.package,
                        ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        self.set_version(limbic.__version__)

    def set_version(self, version):
        (self.package / "_version.py").write_text(f"version = {version!r}\n")

    def run_import(self, library):
        got = support.python("import sys; sys.path.insert(0, sys.argv[1]); import limbic; "
                             "print(limbic.__file__)", self.folder.name, LIMBIC_LIBRARY=str(library))
        return got.returncode, (got.stderr or got.stdout).strip().split("\n")[-1]

    def test_places(self):
        self.assertEqual(self.run_import(support.LIBRARY),
                         (0, str(self.package / "__init__.py")))
        (self.package / "liblimbic_c.so").symlink_to(support.LIBRARY.resolve())
        self.assertEqual(self.run_import("/nowhere")[0], 0)

    def test_what_does_not_fit(self):
        status, text = self.run_import("/nowhere/x.so")
        self.assertNotEqual(status, 0)
        self.assertTrue(text.startswith("ImportError: limbic: ") and "/nowhere/x.so" in text, text)
        status, text = self.run_import("libm.so.6")
        self.assertIn("is not Limbic's library", text)
        self.set_version("9.9.9")
        status, text = self.run_import(support.LIBRARY)
        self.assertNotEqual(status, 0)
        self.assertRegex(text, r"^ImportError: limbic: this module is version 9\.9\.9, .* is \d")

    def test_scikit_learn_is_not_imported_before_it_is_needed(self):
        got = support.python("import sys, limbic; assert 'sklearn' not in sys.modules; "
                             "assert 'svm' in dir(limbic); limbic.svm.SVC; limbic.FeatureExtractor")
        self.assertEqual(got.returncode, 0, got.stderr)


class Wheel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name)

    def test_contents(self):
        path = build_wheel.build(support.LIBRARY, self.out)
        version = limbic.__version__
        self.assertRegex(path.name, rf"^limbic-{version}-py3-none-(linux|manylinux_2_\d+)_\w+\.whl$")
        with zipfile.ZipFile(path) as wheel:
            self.assertIsNone(wheel.testzip())
            info = f"limbic-{version}.dist-info"
            names = wheel.namelist()
            modules = {f"limbic/{p.name}" for p in (ROOT / "python" / "limbic").glob("*.py")}
            self.assertEqual(set(names), modules | {"limbic/liblimbic_c.so"} | {
                f"{info}/{n}" for n in ("LICENSE", "THIRD_PARTY_NOTICES", "METADATA", "WHEEL", "RECORD")})
            self.assertEqual(wheel.read("limbic/liblimbic_c.so"), support.LIBRARY.read_bytes())
            self.assertEqual(wheel.read("limbic/_version.py").decode(), f'version = "{version}"\n')
            record = wheel.read(f"{info}/RECORD").decode().splitlines()
            self.assertEqual([line.split(",")[0] for line in record], names)
            for line in record[:-1]:
                name, digest, size = line.split(",")
                data = wheel.read(name)
                self.assertEqual((digest, size),
                                 (f"sha256={build_wheel.digest(data)}", str(len(data))))
            self.assertIn(f"Tag: {path.stem.split('-', 2)[2]}", wheel.read(f"{info}/WHEEL").decode())
            self.assertIn("Requires-Dist: numpy", wheel.read(f"{info}/METADATA").decode())
        first = path.read_bytes()
        (self.out / f"limbic-{version}-py3-none-other.whl").write_bytes(b"")
        self.assertEqual(build_wheel.build(support.LIBRARY, self.out).read_bytes(), first)
        self.assertEqual(list(self.out.iterdir()), [path])

    def test_what_does_not_fit_is_refused(self):
        math = next(pathlib.Path(folder) / "libm.so.6" for folder in
                    ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib")
                    if (pathlib.Path(folder) / "libm.so.6").exists())
        self.assertIn("lacks limbic_", one_line(self, build_wheel.Refused, build_wheel.build, math,
                                                self.out))
        self.assertIn("is version", one_line(self, build_wheel.Refused, build_wheel.build,
                                             support.LIBRARY, self.out, "0.0.1"))
        for path in (ROOT / "Makefile", "/nowhere", ROOT):
            one_line(self, build_wheel.Refused, build_wheel.build, path, self.out)
        cut = self.out / "cut.so"
        cut.write_bytes(support.LIBRARY.read_bytes()[:100000])
        one_line(self, Exception, build_wheel.build, cut, self.out)
        self.assertEqual(list(self.out.glob("*.whl")), [])
        got = subprocess.run([ROOT / "python" / "build_wheel.py", "/nowhere", "--out", self.out],
                             capture_output=True, text=True)
        self.assertEqual((got.returncode, got.stderr.count("\n")), (1, 1))

    def test_what_a_library_needs(self):
        if shutil.which("readelf") is None:
            self.skipTest("no readelf")
        elf = build_wheel.Elf(support.LIBRARY)
        told = subprocess.run(["readelf", "-dW", "-V", support.LIBRARY], capture_output=True, text=True,
                              check=True).stdout
        self.assertEqual(sorted(elf.needed), sorted(re.findall(r"\(NEEDED\).*\[(.*)\]", told)))
        needs = told[told.index("Version needs section"):]
        self.assertEqual(elf.versions, set(re.findall(r"Name: (\S+)", needs)))

    def test_platform(self):
        class Fake:
            machine = 62
            needed = ["libc.so.6", "libstdc++.so.6"]
            versions = {"GLIBC_2.2.5", "GLIBC_2.28", "GLIBCXX_3.4.21"}
        self.assertEqual(build_wheel.platform_of(Fake), "manylinux_2_28_x86_64")
        Fake.versions = {"GLIBC_2.2.5", "GLIBC_2.14"}
        self.assertEqual(build_wheel.platform_of(Fake), "manylinux_2_17_x86_64")
        Fake.versions = {"GLIBC_2.14", "GLIBCXX_3.4.30", "CXXABI_1.3.13", "GCC_3.0"}
        self.assertEqual(build_wheel.platform_of(Fake), "manylinux_2_35_x86_64")
        for versions in ({"GLIBC_PRIVATE"}, {"GLIBCXX_3.4.99"}, {"OMP_1.0"}):
            Fake.versions = versions
            self.assertEqual(build_wheel.platform_of(Fake), "linux_x86_64")
        Fake.versions, Fake.needed = {"GLIBC_2.14"}, ["libc.so.6", "libdnnl.so.2"]
        self.assertEqual(build_wheel.platform_of(Fake), "linux_x86_64")
        Fake.machine = 3
        one_line(self, build_wheel.Refused, build_wheel.platform_of, Fake)


if __name__ == "__main__":
    unittest.main()
