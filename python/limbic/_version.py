"""The version: of the source tree here; a wheel has it written down."""
import pathlib
import re

version = re.search(r"project\(limbic VERSION ([0-9.]+)",
                    (pathlib.Path(__file__).parents[2] / "CMakeLists.txt").read_text())[1]
