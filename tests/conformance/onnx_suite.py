#!/usr/bin/env python3
"""The tests of single operators that PyPI's onnx ships, computed by Limbic.

    build/conformance-venv/bin/python tests/conformance/onnx_suite.py

Every test whose operator has a translation (onnx_ops.py) is equal to 1e-5 of its largest value in
plans with and without fusion, or refused with Limbic's message, or not expressible, and why; all of
them are listed in build/conformance/onnx.txt. Only pooling with a padding above half of its window may
be refused. Exits 1 where anything else comes.
"""
import collections
import glob
import os
import re
import sys
import warnings

import numpy as np

from engine import FOLDER, case, plan, run
from onnx_ops import TRANSLATIONS, NotExpressible

warnings.simplefilter("ignore")
import onnx  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402
from onnx.backend.test.case import node as node_cases  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

LIMIT = 1e-5
# Its answer, and its data, have four decimals; the package's reference implementation has all.
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad"}
LAYOUT = {"Constant", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}

Test = collections.namedtuple("Test", "name model inputs outputs")


def node_tests():
    np.random.seed(0)
    for c in node_cases.collect_testcases():
        inputs, outputs = c.data_sets[0]
        yield Test(c.name, c.model, inputs, outputs)


def stored_tests():
    folder = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    for kind in ("pytorch-converted", "pytorch-operator", "simple"):
        for path in sorted(glob.glob(os.path.join(folder, kind, "*"))):
            data = os.path.join(path, "test_data_set_0")
            tensors = [[numpy_helper.to_array(onnx.load_tensor(f)) for f in sorted(
                glob.glob(os.path.join(data, what + "_*.pb")),
                key=lambda f: int(re.findall(r"\d+", f)[-1]))] for what in ("input", "output")]
            yield Test(os.path.basename(path), onnx.load(os.path.join(path, "model.onnx")), *tensors)


def operator_of(test):
    """The model's one operator that computes; None where it has none or several."""
    computing = [n for n in test.model.graph.node if n.op_type not in LAYOUT]
    return computing[0] if len(computing) == 1 else None


def evaluate(test, node, values):
    single = helper.make_model(
        helper.make_graph([node], "", [helper.make_tensor_value_info(i, 1, None) for i in node.input],
                          [helper.make_tensor_value_info(node.output[0], 1, None)]),
        opset_imports=test.model.opset_import, ir_version=8)
    return ReferenceEvaluator(single).run(None, {i: values[i] for i in node.input})[0]


def translate(test):
    """The test's operator as a network; what has only another layout comes from the onnx package."""
    operator = operator_of(test)
    graph = test.model.graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    values.update(zip([i.name for i in graph.input if i.name not in values], test.inputs))
    for node in graph.node:
        if node.op_type in LAYOUT and all(i in values for i in node.input):
            values[node.output[0]] = evaluate(test, node, values)
    inputs = [values.get(i) if i else None for i in operator.input]
    if any(isinstance(v, list) for v in test.inputs):
        raise NotExpressible("a sequence")
    if inputs[0].dtype not in (np.float32, np.float64):
        raise NotExpressible("computes in %s" % inputs[0].dtype)
    if not np.allclose(inputs[0].astype(np.float32), inputs[0], rtol=1e-6, atol=0):
        raise NotExpressible("its values, up to %.0e, are not f32's" % np.abs(inputs[0]).max())
    attributes = {a.name: helper.get_attribute_value(a) for a in operator.attribute}
    opset = next(o.version for o in test.model.opset_import if o.domain in ("", operator.domain))
    return TRANSLATIONS[operator.op_type](attributes, inputs, opset,
                                          sum(1 for o in operator.output if o))


def cases_of(name, translation):
    last = len(translation.network.nodes)
    plans = [plan(how, fuse=how == "fused", keep=[last], **translation.plan)
             for how in ("fused", "unfused")]
    return case(name, translation.network, plans, tensors=translation.tensors, **translation.case)


def error_of(test, translation, results):
    """The largest difference, relative to the largest value."""
    worst = 0
    for (what, back), expected in zip(translation.outputs, test.outputs):
        ours = back(results[what or "v%d" % len(translation.network.nodes)])
        if ours.size != expected.size or not np.isfinite(ours).all():
            return np.inf
        difference = np.abs(ours.reshape(expected.shape) - expected.astype(np.float64))
        worst = max(worst, difference.max() / np.abs(expected).max())
    return worst


def may_be_refused(test):
    """Padding above half of a pooling's window."""
    operator = operator_of(test)
    a = {a.name: helper.get_attribute_value(a) for a in operator.attribute}
    return operator.op_type.endswith("Pool") and any(
        2 * p > k for p, k in zip(a.get("pads", []), 2 * list(a["kernel_shape"])))


def judge(test, translation, results, errors):
    """("equal" or "refused" or "failed", what to say of it)."""
    said = {errors[k] for k in ((test.name, "fused"), (test.name, "unfused")) if k in errors}
    if said:
        fine = may_be_refused(test) and len(said) == 1
        return "refused" if fine else "failed", " / ".join(sorted(said))
    note = ""
    if test.name in ROUNDED:
        note = ", against all digits: its own answer has four"
        names = [i.name for i in test.model.graph.input]
        answer = ReferenceEvaluator(test.model).run(None, dict(zip(names, test.inputs)))
        if not np.allclose(answer[0], test.outputs[0], rtol=0, atol=1e-4):
            return "failed", "the reference implementation has another answer than the test"
        test = test._replace(outputs=answer)
    worst = max(error_of(test, translation, results[test.name, how]) for how in ("fused", "unfused"))
    return ("equal" if worst <= LIMIT else "failed"), "%.1e%s" % (worst, note)


def main():
    tests, verdicts, translations = {}, {}, {}
    others = 0
    for test in [*node_tests(), *stored_tests()]:
        operator = operator_of(test)
        if operator is None or operator.op_type not in TRANSLATIONS:
            others += 1
            continue
        tests[test.name] = test
        try:
            translations[test.name] = translate(test)
        except NotExpressible as e:
            verdicts[test.name] = ("not expressible", str(e))
    results, errors = run([cases_of(n, t) for n, t in translations.items()])
    for name, translation in translations.items():
        verdicts[name] = judge(tests[name], translation, results, errors)
    report(tests, verdicts, others)
    return any(v[0] == "failed" for v in verdicts.values())


def report(tests, verdicts, others):
    lines, table = [], collections.defaultdict(collections.Counter)
    for name, (verdict, why) in verdicts.items():
        operator = operator_of(tests[name]).op_type
        table[operator][verdict] += 1
        lines.append("%-24s %-72s %-16s %s" % (operator, name, verdict, why))
    lines.sort()
    (FOLDER / "onnx.txt").write_text("\n".join(lines) + "\n")
    columns = ("equal", "refused", "not expressible", "failed")
    print("onnx %s, single operators, plans with and without fusion" % onnx.__version__)
    print("%-26s" % "operator" + "".join("%17s" % c for c in columns))
    for operator in sorted(table):
        print("%-26s" % operator + "".join("%17d" % table[operator][c] for c in columns))
    for line in lines:
        if " equal " not in line:
            print(line)
    counts = [sum(t[c] for t in table.values()) for c in columns]
    print("%d tests more are of other operators, or of several" % others)
    print("onnx: %d equal, %d refused, %d not expressible, %d failed" % tuple(counts))


if __name__ == "__main__":
    sys.exit(main())
