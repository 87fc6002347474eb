"""What makes an estimator of scikit-learn's kind: its base classes where scikit-learn can be
imported, and the same few methods where not; checks of X and y in one place for both."""
import inspect
import warnings

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
    from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
    from sklearn.utils.validation import validate_data
except ImportError:
    class NotFittedError(ValueError, AttributeError):
        """fit() has not been called."""

    class ConvergenceWarning(UserWarning):
        """max_iter came first."""

    class DataConversionWarning(UserWarning):
        """y was a column."""

    class BaseEstimator:
        """get_params, set_params and repr over the arguments of __init__."""

        @classmethod
        def _parameters(cls):
            return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

        def get_params(self, deep=True):
            return {name: getattr(self, name) for name in self._parameters()}

        def set_params(self, **params):
            for name, value in params.items():
                if name not in self._parameters():
                    raise ValueError(f"{type(self).__name__}: has no parameter {name!r}, but "
                                     + ", ".join(self._parameters()))
                setattr(self, name, value)
            return self

        def __repr__(self):
            usual = inspect.signature(type(self).__init__).parameters
            told = (f"{name}={value!r}" for name, value in self.get_params().items()
                    if repr(value) != repr(usual[name].default))
            return f"{type(self).__name__}({', '.join(told)})"

    class ClassifierMixin:
        _estimator_type = "classifier"

        def score(self, X, y):
            """The share of X's rows whose label is predicted."""
            return float(np.mean(self.predict(X) == np.asarray(y)))

    class TransformerMixin:
        def fit_transform(self, X, y=None):
            return self.fit(X, y).transform(X)

    def validate_data(estimator, X, reset, skip_check_array):
        """Remembers, or compares, the number and names of X's columns."""
        columns = np.shape(X)[1]
        names = getattr(X, "columns", None)
        if names is not None and not all(isinstance(name, str) for name in names):
            names = None
        if reset:
            estimator.n_features_in_ = columns
            estimator.__dict__.pop("feature_names_in_", None)
            if names is not None:
                estimator.feature_names_in_ = np.asarray(names, dtype=object)
            return
        known = getattr(estimator, "feature_names_in_", None)
        if known is not None and names is not None and list(known) != list(names):
            raise ValueError("The feature names should match those that were passed during fit.")
        if columns != estimator.n_features_in_:
            raise ValueError(f"X has {columns} features, but {type(estimator).__name__} is expecting "
                             f"{estimator.n_features_in_} features as input.")


def check_rows(estimator, X, reset):
    """X as C-contiguous float32 (rows, columns), X itself where it is that. Throws what
    scikit-learn throws: ValueError, TypeError."""
    name = type(estimator).__name__
    if hasattr(X, "toarray"):
        raise TypeError(f"{name}: sparse data was passed, but dense data is required. Use "
                        "X.toarray().")
    array = np.asarray(X)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X is of {array.dtype}")
    if array.dtype.kind not in "fiubO":
        raise ValueError(f"X: expected numbers, got an array of {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"Expected 2D array, got {array.ndim}D array instead. Reshape your data: "
                         "X.reshape(-1, 1) if it has one feature, X.reshape(1, -1) if it is one "
                         "sample.")
    for extent, what in zip(array.shape, ("sample", "feature")):
        if extent == 0:
            raise ValueError(f"Found array with 0 {what}(s) (shape={array.shape}) while a minimum "
                             f"of 1 is required by {name}.")
    if array.dtype.kind == "O":
        array = array.astype(np.float64)
    with np.errstate(over="ignore"):
        floats = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(floats).all():
        what = "NaN" if np.isnan(floats).any() else "infinity or a value too large for float32"
        raise ValueError(f"Input X contains {what}. {name} does not accept missing values.")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return floats


def check_labels(estimator, y, rows):
    """-> (classes, the number of each row's class as int32). Throws ValueError."""
    name = type(estimator).__name__
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None")
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn("A column-vector y was passed when a 1d array was expected. Please change the "
                      "shape of y to (n_samples, ), for example using ravel().",
                      DataConversionWarning, stacklevel=3)
        y = y.ravel()
    if y.ndim != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {y.shape} instead.")
    if len(y) != rows:
        raise ValueError("Found input variables with inconsistent numbers of samples: "
                         f"[{rows}, {len(y)}]")
    if y.dtype.kind == "c":
        raise ValueError("Complex data not supported: y")
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            raise ValueError("Input y contains NaN or infinity.")
        if (y != np.floor(y)).any():
            raise ValueError("Unknown label type: continuous. A classifier expects labels, not "
                             "the values of a regression.")
    try:
        classes, numbers = np.unique(y, return_inverse=True)
    except TypeError:
        raise ValueError("Unknown label type: the labels in y cannot be sorted") from None
    if len(classes) < 2:
        raise ValueError("The number of classes has to be greater than one; got 1 class")
    return classes, np.ascontiguousarray(numbers.reshape(-1), np.int32)


def check_fitted(estimator, attribute):
    if not hasattr(estimator, attribute):
        raise NotFittedError(f"This {type(estimator).__name__} instance is not fitted yet. Call "
                             "'fit' with appropriate arguments before using this estimator.")
