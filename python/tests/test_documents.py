"""The examples of docs/python.md and the notebook, as they stand there."""
import contextlib
import io
import json
import os
import re
import unittest

import support
from support import ROOT


@contextlib.contextmanager
def inside(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class Documents(unittest.TestCase):
    def test_the_page(self):
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)
        self.assertEqual(len(blocks), 3)
        out = []
        with inside(support.folder()):
            for block in blocks:
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    exec(compile(block, "docs/python.md", "exec"), {})
                out.append(printed.getvalue())
        self.assertIn("cannot open", out[0])
        self.assertIn("(1, 64)", out[0])
        self.assertRegex(out[1], r"^\['bright' 'dark'\] .* 1\.0\n$")
        self.assertLess(float(re.search(r"loss (\S+)", out[2])[1]), 0.4)

    def test_the_notebook(self):
        path = ROOT / "python" / "examples" / "train_a_net.ipynb"
        notebook = json.loads(path.read_text())
        self.assertEqual(notebook["nbformat"], 4)
        names = {}
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    self.assertEqual(cell["outputs"], [])
                    exec(compile("".join(cell["source"]), path.name, "exec"), names)
        print(f"the notebook: {100 * names['accuracy']:.1f} % right, loss "
              f"{names['losses'][0]:.2f} -> {names['losses'][-1]:.3f}")
        self.assertGreater(names["accuracy"], 0.9)
        self.assertIn("step 200: loss", printed.getvalue())
        with self.subTest("text and code in turns"):
            kinds = [cell["cell_type"] for cell in notebook["cells"]]
            self.assertGreaterEqual(kinds.count("markdown"), 6)


if __name__ == "__main__":
    unittest.main()
