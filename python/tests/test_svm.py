import copy
import pickle
import unittest
import warnings

import numpy as np

import support
from support import limbic, one_line

SVC = limbic.svm.SVC
KERNELS = {"rbf": lambda a, b, g: np.exp(-g * ((a[:, None] - b[None]) ** 2).sum(-1)),
           "linear": lambda a, b, g: a @ b.T,
           "poly": lambda a, b, g: (g * (a @ b.T) + 0.5) ** 2}


def data(classes, n=90, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, 4)) * 1.5
    y = random.permutation(n) % classes
    return (centres[y] + random.normal(size=(n, 4))).astype(np.float32), y


class Svc(unittest.TestCase):
    def test_decisions_are_the_sum_over_support_vectors(self):
        for kernel, function in KERNELS.items():
            for classes in (2, 3, 4):
                with self.subTest(kernel, classes=classes):
                    x, y = data(classes)
                    machine = SVC(kernel=kernel, degree=2, coef0=0.5, gamma=0.3,
                                  decision_function_shape="ovo").fit(x, y)
                    rows = function(x.astype(float), machine.support_vectors_.astype(float), 0.3)
                    end = np.cumsum(machine.n_support_)
                    part = [slice(e - n, e) for e, n in zip(end, machine.n_support_)]
                    pair, got = 0, machine.decision_function(x).reshape(len(x), -1)
                    for i in range(classes):
                        for j in range(i + 1, classes):
                            expected = (rows[:, part[i]] @ machine.dual_coef_[j - 1, part[i]]
                                        + rows[:, part[j]] @ machine.dual_coef_[i, part[j]]
                                        + machine.intercept_[pair])
                            np.testing.assert_allclose(got[:, pair], expected, atol=1e-4, rtol=1e-4)
                            if kernel == "linear":
                                np.testing.assert_allclose(
                                    x @ machine.coef_[pair] + machine.intercept_[pair], expected,
                                    atol=1e-4, rtol=1e-4)
                            pair += 1
                    np.testing.assert_array_equal(machine.support_vectors_, x[machine.support_])
                    np.testing.assert_array_equal(
                        y[machine.support_], np.repeat(np.arange(classes), machine.n_support_))
                    self.assertGreater(machine.score(x, y), 0.8)

    def test_the_order_of_labels_changes_nothing(self):
        x, y = data(4)
        names = np.array(["joy", "awe", "fear", "anger"])[y]
        for turn in (np.arange(90), np.arange(90)[::-1], np.random.default_rng(3).permutation(90)):
            machine = SVC(tol=1e-6).fit(x[turn], names[turn])
            self.assertEqual(machine.classes_.tolist(), ["anger", "awe", "fear", "joy"])
            decisions = machine.decision_function(x)
            if turn[0] == 0 and turn[1] == 1:
                expected, labels = decisions, machine.predict(x)
            np.testing.assert_allclose(decisions, expected, atol=1e-4)
            np.testing.assert_array_equal(machine.predict(x), labels)

    def test_two_classes_are_positive_for_the_second(self):
        x, y = data(2)
        for labels in (y, 1 - y, np.where(y == 1, -1, 1), np.array(["b", "a"])[y], y == 0,
                       y.astype(float), np.array(["b", "a"], object)[y]):
            machine = SVC().fit(x, labels)
            decisions = machine.decision_function(x)
            self.assertEqual(decisions.shape, (90,))
            np.testing.assert_array_equal(machine.predict(x),
                                          machine.classes_[(decisions > 0).astype(int)])
            self.assertEqual(machine.predict(x).dtype, machine.classes_.dtype)

    def test_ovr_is_votes_and_a_little(self):
        x, y = data(4)
        ovr = SVC().fit(x, y).decision_function(x)
        self.assertEqual(ovr.shape, (90, 4))
        ovo = SVC(decision_function_shape="ovo").fit(x, y).decision_function(x)
        votes = np.zeros((90, 4))
        for p, (i, j) in enumerate((i, j) for i in range(4) for j in range(i + 1, 4)):
            votes[np.arange(90), np.where(ovo[:, p] > 0, i, j)] += 1
        self.assertLess(np.abs(ovr - votes).max(), 1 / 3)

    def test_gamma(self):
        x, y = data(3)
        x = x + 5  # means that differ from 0
        for gamma, value in (("scale", 1 / (4 * x.var())), ("auto", 0.25)):
            np.testing.assert_allclose(
                SVC(gamma=gamma, tol=1e-6).fit(x, y).decision_function(x),
                SVC(gamma=value, tol=1e-6).fit(x, y).decision_function(x), atol=1e-4)

    def test_precomputed(self):
        x, y = data(3)
        gram = KERNELS["rbf"](x, x, 0.3)
        direct = SVC(gamma=0.3, tol=1e-6).fit(x[:60], y[:60])
        machine = SVC(kernel="precomputed", tol=1e-6).fit(gram[:60, :60], y[:60])
        np.testing.assert_array_equal(machine.support_, direct.support_)
        np.testing.assert_allclose(machine.decision_function(gram[60:, :60]),
                                   direct.decision_function(x[60:]), atol=1e-4)
        one_line(self, ValueError, machine.predict, gram[60:, :59])
        one_line(self, ValueError, SVC(kernel="precomputed").fit, gram[:60], y[:60])

    def test_probabilities(self):
        x, y = data(3)
        names = np.array(["c", "a", "b"])[y]
        machine = SVC(probability=True, random_state=3).fit(x, names)
        p = machine.predict_proba(x)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        self.assertGreater(np.mean(machine.classes_[p.argmax(axis=1)] == names), 0.85)
        np.testing.assert_allclose(machine.predict_log_proba(x), np.log(p))
        again = SVC(probability=True, random_state=3).fit(x, names).predict_proba(x)
        np.testing.assert_array_equal(p, again)
        plain = SVC().fit(x, names)
        self.assertFalse(hasattr(plain, "predict_proba"))

    def test_class_weight(self):
        x, y = data(2, 60)
        few = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:5]])
        x, y = x[few], y[few]
        counts = np.bincount(y)
        balanced = SVC(class_weight="balanced", tol=1e-6).fit(x, y)
        np.testing.assert_allclose(balanced.class_weight_, len(y) / (2 * counts))
        given = SVC(class_weight=dict(enumerate(len(y) / (2 * counts))), tol=1e-6).fit(x, y)
        np.testing.assert_allclose(given.dual_coef_, balanced.dual_coef_, atol=1e-6)
        heavy = SVC(class_weight={1: 100}).fit(x, y)
        self.assertEqual(heavy.score(x[y == 1], y[y == 1]), 1)
        self.assertLessEqual(np.abs(SVC(C=0.5).fit(x, y).dual_coef_).max(), 0.5 + 1e-9)
        for weight, kinds in (({7: 2}, ValueError), ("even", ValueError), ({0: 0}, ValueError),
                              ({0: float("nan")}, ValueError), (3, TypeError)):
            one_line(self, kinds, SVC(class_weight=weight).fit, x, y)

    def test_pickled_and_copied_it_decides_the_same(self):
        x, y = data(4)
        for kernel in KERNELS:
            machine = SVC(kernel=kernel, probability=True).fit(x, y)
            for again in (pickle.loads(pickle.dumps(machine)), copy.deepcopy(machine)):
                np.testing.assert_array_equal(again.decision_function(x), machine.decision_function(x))
                np.testing.assert_array_equal(again.predict_proba(x), machine.predict_proba(x))
                np.testing.assert_array_equal(again.support_, machine.support_)
        self.assertEqual(pickle.loads(pickle.dumps(SVC(C=3))).C, 3)

    def test_max_iter(self):
        x, y = data(2)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            machine = SVC(max_iter=2).fit(x, y)
        self.assertEqual(len(caught), 1)
        self.assertIn("max_iter=2", str(caught[0].message))
        self.assertEqual((machine.fit_status_, SVC().fit(x, y).fit_status_), (1, 0))
        self.assertLessEqual(machine.n_iter_, 2)

    def test_arrays_go_through_without_a_copy(self):
        from limbic._estimator import check_rows
        x, _ = data(2)
        self.assertIs(check_rows(SVC(), x, True), x)
        self.assertIsNot(check_rows(SVC(), x.astype(float), True), x)

    def test_any_form_of_x(self):
        x, y = data(3)
        expected = SVC().fit(x, y).decision_function(x)
        wide = np.zeros((90, 9), np.float32)
        wide[:, ::2][:, :4] = x
        for form in (x.astype(float), x.tolist(), np.asfortranarray(x), wide[:, ::2][:, :4],
                     x.astype(object), x[::-1][::-1], np.frombuffer(x.tobytes(), np.float32).reshape(90, 4)):
            np.testing.assert_array_equal(SVC().fit(form, y).decision_function(form), expected)

    def test_wrong_use(self):
        x, y = data(2)
        fitted = SVC().fit(x, y)
        for params in (dict(C=0), dict(C=-1), dict(C=float("nan")), dict(kernel="sigmoid"),
                       dict(gamma=0), dict(gamma="big"), dict(tol=0), dict(max_iter=0),
                       dict(degree=-1), dict(degree=1000), dict(coef0=float("inf")),
                       dict(decision_function_shape="both"), dict(kernel=len),
                       dict(random_state=-1)):
            one_line(self, ValueError, SVC(**params).fit, x, y)
        for params in (dict(C="1"), dict(gamma=None), dict(degree=2.5), dict(max_iter=None),
                       dict(random_state="x")):
            one_line(self, TypeError, SVC(**params).fit, x, y)
        for wrong in (x[0], x[:0], x[:, :0], x[..., None], x * np.nan, x * np.inf, x * 1j,
                      x.astype(float) * 1e300, x.astype(str), np.datetime64(1, "D") + x.astype(int)):
            one_line(self, ValueError, SVC().fit, wrong, y)
            one_line(self, ValueError, fitted.predict, wrong)
        for wrong in (y[:5], y[:, None] * [1, 1], None, y * 0, y + 0.5, y * float("nan"), y * 1j,
                      [None, "a"] * 45):
            one_line(self, ValueError, SVC().fit, x, wrong)
        for call in (SVC().predict, SVC().decision_function,
                     SVC(probability=True).fit(x, y).__class__(probability=True).predict_proba):
            self.assertIn("not fitted", one_line(self, ValueError, call, x))
        one_line(self, ValueError, fitted.predict, x[:, :3])
        with self.assertRaises(AttributeError):
            fitted.coef_


BLOCKED = """
import sys
sys.modules["sklearn"] = None
import unittest
import test_svm
import support
assert not hasattr(support.limbic.svm.SVC, "__sklearn_clone__")
import limbic
machine = limbic.svm.SVC(C=2, kernel="linear")
assert machine.get_params()["C"] == 2 and len(machine.get_params()) == 11
assert repr(machine) == "SVC(C=2, kernel='linear')", repr(machine)
assert machine.set_params(C=3) is machine and machine.C == 3
try:
    machine.set_params(D=3)
    raise SystemExit("set_params took D")
except ValueError:
    pass
extractor = limbic.FeatureExtractor(support.folder() / "net.safetensors")
assert extractor.fit_transform([support.photo(1)]).shape == (1, 64)
suite = unittest.defaultTestLoader.loadTestsFromTestCase(test_svm.Svc)
result = unittest.TextTestRunner().run(suite)
sys.exit(not (result.wasSuccessful() and result.testsRun > 10))
"""


@support.needs_sklearn
class WithoutScikitLearn(unittest.TestCase):
    def test_the_same_without_it(self):
        got = support.python(BLOCKED)
        self.assertEqual(got.returncode, 0, got.stderr)


if __name__ == "__main__":
    unittest.main()
