#!/bin/sh
# The Python module as others get it: the wheel installed into a fresh environment, its tests without
# scikit-learn and then with it (its check_estimator, its SVC, its pipelines), the notebook and the
# examples of docs/python.md. Needs the packages' registry, and the program of the same build, which
# LIMBIC_PROGRAM names (build/limbic), to compare with.
#
#   scripts/check_python.sh [WHEEL]     (the one in dist; PYTHON chooses an interpreter)
set -eu
cd "$(dirname "$0")/.."
wheel="${1:-$(ls -t dist/limbic-*.whl | head -1)}"
venv=build/python-venv
"${PYTHON:-python3}" -m venv --clear "$venv" || {
  echo "Python's venv is missing: apt-get install python3-venv" >&2
  exit 1
}
python="$PWD/$venv/bin/python"
unset LIMBIC_LIBRARY PYTHONPATH
export LIMBIC_PROGRAM="${LIMBIC_PROGRAM:-$PWD/build/limbic}"
export SCIPY_ARRAY_API=1                                # else check_estimator leaves a check out
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

install numpy "$wheel"
"$python" - <<'END'
import pathlib
import limbic
assert pathlib.Path(limbic.__file__).with_name("liblimbic_c.so").exists(), limbic.__file__
print("limbic", limbic.__version__, "of the wheel")
END
echo "with NumPy alone:"
"$python" -m unittest discover -v python/tests 2>&1 | tee build/python-tests.log |
  grep -E 'skipped|FAIL|ERROR|^Ran|^OK|^FAILED|Error:' || true
tail -1 build/python-tests.log | grep -q '^OK' || { cat build/python-tests.log; exit 1; }

install scikit-learn pandas pillow
"$python" -m pip list --format=freeze --disable-pip-version-check | grep -iE '^(numpy|pandas|pillow|scikit-learn|scipy)=='
echo "with scikit-learn:"
"$python" -W ignore -m unittest discover -v python/tests 2>&1 | tee build/python-tests.log |
  grep -E 'skipped|FAIL|ERROR|^Ran|^OK|^FAILED|Error:|check_estimator|equal in|notebook:' || true
tail -1 build/python-tests.log | grep -q '^OK' || { cat build/python-tests.log; exit 1; }
