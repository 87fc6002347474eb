"""Support vector machines with scikit-learn's interface; scikit-learn itself is not needed."""
import ctypes
import pathlib
import tempfile
import warnings

import numpy as np

from . import _interface
from ._estimator import (BaseEstimator, ClassifierMixin, ConvergenceWarning, check_fitted,
                         check_labels, check_rows)
from ._library import Handle, library, path_text, real, whole

__all__ = ["SVC"]


def _pairs(k):
    return [(i, j) for i in range(k) for j in range(i + 1, k)]


class _Order:
    """The library counts classes as they came, scikit-learn sorted: where the sorted ones are.
    place: of class i in the library's order; column, sign: of the decisions of each sorted pair."""

    def __init__(self, found):
        k = len(found)
        self.place = np.argsort(found)
        number = {pair: p for p, pair in enumerate(_pairs(k))}
        places = [(self.place[i], self.place[j]) for i, j in _pairs(k)]
        self.column = np.array([number[min(p), max(p)] for p in places])
        self.sign = np.array([1.0 if a < b else -1.0 for a, b in places])

    def pairs(self, values):
        return values[..., self.column] * self.sign

    def rows(self, per_class):
        """The library's support vectors in the sorted order."""
        end = np.cumsum(per_class)
        return np.concatenate([np.arange(end[a] - per_class[a], end[a]) for a in self.place])

    def coefficients(self, dual, per_class):
        """(k - 1, vectors): rows and signs, and then columns, in the sorted order."""
        out = np.empty_like(dual)
        end = np.cumsum(per_class)
        for i, a in enumerate(self.place):
            mine = slice(end[a] - per_class[a], end[a])
            for j, b in enumerate(self.place):
                if i != j:
                    sign = 1 if (a < b) == (i < j) else -1
                    out[j - (j > i), mine] = sign * dual[b - (b > a), mine]
        return out[:, self.rows(per_class)]


def _gamma(gamma, x):
    """scikit-learn's "scale" is of the variance of all values together; the library's own is of the
    features' variances, which is the same where their means are."""
    if not isinstance(gamma, str):
        return _positive(gamma, "gamma")
    if gamma not in ("scale", "auto"):
        raise ValueError(f"gamma: expected 'scale', 'auto' or a number, got {gamma!r}")
    variance = x.var(dtype=np.float64) if gamma == "scale" else 1.0
    return 1 / (x.shape[1] * variance) if variance > 0 else 1.0


def _positive(value, name):
    number = real(value, name)
    if number <= 0:
        raise ValueError(f"{name}: expected more than 0, got {number}")
    return number


def _seed(random_state):
    if random_state is None:
        return 0
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31 - 1))
    if hasattr(random_state, "integers"):
        return int(random_state.integers(2**31 - 1))
    return whole(random_state, "random_state", 0, 2**32 - 1)


def _weights(class_weight, classes, counts):
    """Factor of C for each class."""
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight: expected a dict or 'balanced', got {class_weight!r}")
        return counts.sum() / (len(classes) * counts)
    try:
        given = dict(class_weight)
    except (TypeError, ValueError):
        raise TypeError("class_weight: expected a dict or 'balanced', got "
                        f"{type(class_weight).__name__}") from None
    known = classes.tolist()
    unknown = [c for c in given if c not in known]
    if unknown and any(c not in given for c in known):
        raise ValueError(f"class_weight: no sample has the class {unknown[0]!r}")
    return np.array([_positive(given.get(c, 1), "class_weight") for c in known])


class SVC(ClassifierMixin, BaseEstimator):
    """C-support vector classification, one against one, computed in float32 with sums in float64.

    Parameters and attributes mean what scikit-learn's mean, and decisions have its signs and order.
    Labels may be of any kind that sorts. max_iter: -1 is LIBSVM's limit, 10^7 or more. random_state:
    of the folds of probability=True; None is 0. Not there: sparse X, sample_weight, the sigmoid
    kernel and kernels that are functions."""

    def __init__(self, C=1.0, kernel="rbf", degree=3, gamma="scale", coef0=0.0, tol=1e-3,
                 max_iter=-1, probability=False, class_weight=None, random_state=None,
                 decision_function_shape="ovr"):
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.tol = tol
        self.max_iter = max_iter
        self.probability = probability
        self.class_weight = class_weight
        self.random_state = random_state
        self.decision_function_shape = decision_function_shape

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def _more_tags(self):  # what scikit-learn asked for before 1.6
        return {"pairwise": self.kernel == "precomputed"}

    def _options(self, x):
        if self.kernel not in _interface.kernels:
            raise ValueError(f"kernel: expected one of {', '.join(_interface.kernels)}, got "
                             f"{self.kernel!r}")
        if self.decision_function_shape not in ("ovr", "ovo"):
            raise ValueError("decision_function_shape: expected 'ovr' or 'ovo', got "
                             f"{self.decision_function_shape!r}")
        iterations = whole(self.max_iter, "max_iter", -1, 2**62)
        if iterations == 0:
            raise ValueError("max_iter: expected -1 or more than 0, got 0")
        options = library.limbic_svm_defaults()
        options.kernel = _interface.kernels.index(self.kernel)
        options.C = _positive(self.C, "C")
        options.gamma = _gamma(self.gamma, x)
        options.coef0 = real(self.coef0, "coef0")
        options.degree = whole(self.degree, "degree", 0, 100)
        options.tolerance = _positive(self.tol, "tol")
        options.max_iterations = max(iterations, 0)
        options.probability = bool(self.probability)
        options.seed = _seed(self.random_state)
        return options

    def _given(self, x):
        """As the library takes it: a precomputed row begins with its number."""
        if self.kernel != "precomputed":
            return x
        numbers = np.arange(1, len(x) + 1, dtype=np.float32)
        return np.ascontiguousarray(np.column_stack([numbers, x]), np.float32)

    def fit(self, X, y):
        """X (rows, features), or (rows, rows) of kernel values, and a label for each row."""
        x = check_rows(self, X, reset=True)
        options = self._options(x)
        classes, labels = check_labels(self, y, len(x))
        if self.kernel == "precomputed" and x.shape[0] != x.shape[1]:
            raise ValueError("X: a precomputed kernel should be a square matrix, got "
                             f"{x.shape[0]} x {x.shape[1]}")
        weights = _weights(self.class_weight, classes, np.bincount(labels))
        numbers = np.arange(len(classes), dtype=np.int32)
        options.weighted_labels = numbers.ctypes.data
        options.class_weights = weights.ctypes.data
        options.weights_count = len(classes)
        given = self._given(x)
        handle = ctypes.c_void_p()
        library.limbic_svm_fit(given.ctypes.data, *given.shape, labels.ctypes.data, options, handle)
        self._machine = Handle(handle.value, library.limbic_svm_free)
        self.classes_ = classes
        self.class_weight_ = weights
        self._read_parts()
        if self.fit_status_ != 0:
            warnings.warn(f"SVC: max_iter={self.max_iter} came before the tolerance was reached",
                          ConvergenceWarning, stacklevel=2)
        return self

    def _read_parts(self):
        handle = self._machine.value
        info = _interface.SvmInfo(ctypes.sizeof(_interface.SvmInfo))
        library.limbic_svm_get_info(handle, info)
        k, n = info.classes, info.support_vectors
        found, support, per_class = np.empty(k, np.int32), np.empty(n, np.int64), np.empty(k, np.int64)
        vectors = np.empty((n, info.features), np.float32)
        dual, intercepts = np.empty((k - 1, n)), np.empty(k * (k - 1) // 2)
        library.limbic_svm_classes(handle, found.ctypes.data, k)
        library.limbic_svm_parts(handle, *(array.ctypes.data for array in (
            support, vectors, dual, intercepts, per_class)))
        order = self._order = _Order(found)
        rows = order.rows(per_class)
        binary = -1.0 if k == 2 else 1.0  # scikit-learn's sign: positive for the second class
        self.support_ = support[rows].astype(np.int32)
        self.support_vectors_ = (np.empty((0, 0), np.float32) if self.kernel == "precomputed"
                                 else vectors[rows])
        self.n_support_ = per_class[order.place].astype(np.int32)
        self.dual_coef_ = binary * order.coefficients(dual, per_class)
        self.intercept_ = binary * order.pairs(intercepts)
        self.n_iter_ = info.iterations  # of the pair that took most
        self.fit_status_ = 0 if info.converged else 1
        self._gamma = info.gamma

    @property
    def coef_(self):
        """Of the linear kernel: a row of weights for each pair of classes."""
        check_fitted(self, "classes_")
        if self.kernel != "linear":
            raise AttributeError("coef_ is only available when using a linear kernel")
        end = np.cumsum(self.n_support_)
        part = [slice(e - n, e) for e, n in zip(end, self.n_support_)]
        return np.array([self.dual_coef_[j - 1, part[i]] @ self.support_vectors_[part[i]]
                         + self.dual_coef_[i, part[j]] @ self.support_vectors_[part[j]]
                         for i, j in _pairs(len(self.classes_))])

    def _ask(self, function, X, columns):
        x = self._given(check_rows(self, X, reset=False))
        out = np.empty((len(x), columns))
        function(self._machine.value, x.ctypes.data, *x.shape, out.ctypes.data, out.size)
        return out

    def _decisions(self, X):
        check_fitted(self, "classes_")
        k = len(self.classes_)
        return self._order.pairs(self._ask(library.limbic_svm_decisions, X, k * (k - 1) // 2))

    def _votes(self, decisions):
        votes = np.zeros((len(decisions), len(self.classes_)))
        for p, (i, j) in enumerate(_pairs(len(self.classes_))):
            votes[:, i] += decisions[:, p] > 0
            votes[:, j] += decisions[:, p] <= 0
        return votes

    def predict(self, X):
        """The label of each row: the class with most votes, the first of equals."""
        votes = self._votes(self._decisions(X))
        return self.classes_[np.argmax(votes, axis=1)]

    def decision_function(self, X):
        """Two classes: (rows,), positive for the second. More: "ovo" (rows, pairs), positive for the
        first of a pair; "ovr" (rows, classes), votes with a share of a third at most that says how
        decided they were."""
        decisions = self._decisions(X)
        if len(self.classes_) == 2:
            return -decisions[:, 0]
        if self.decision_function_shape == "ovo":
            return decisions
        sums = np.zeros((len(decisions), len(self.classes_)))
        for p, (i, j) in enumerate(_pairs(len(self.classes_))):
            sums[:, i] += decisions[:, p]
            sums[:, j] -= decisions[:, p]
        return self._votes(decisions) + sums / (3 * (np.abs(sums) + 1))

    def _probabilities(self, X):
        check_fitted(self, "classes_")
        values = self._ask(library.limbic_svm_probabilities, X, len(self.classes_))
        return values[:, self._order.place]

    def _log_probabilities(self, X):
        with np.errstate(divide="ignore"):
            return np.log(self._probabilities(X))

    def _if_probability(self, method):
        if not self.probability:
            raise AttributeError("predict_proba is only available when probability=True")
        return method

    @property
    def predict_proba(self):
        """(rows, classes): LIBSVM's probabilities. Only with probability=True."""
        return self._if_probability(self._probabilities)

    @property
    def predict_log_proba(self):
        return self._if_probability(self._log_probabilities)

    def __getstate__(self):
        state = dict(self.__dict__)
        if "_machine" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "model"
                library.limbic_svm_save(self._machine.value, path_text(path, "path"))
                state["_machine"] = path.read_bytes()
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        if "_machine" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "model"
                path.write_bytes(state["_machine"])
                handle = ctypes.c_void_p()
                library.limbic_svm_load(path_text(path, "path"), handle)
            self._machine = Handle(handle.value, library.limbic_svm_free)
