"""Limbic: convolutional networks on ordinary processors. docs/python.md of the repository.

    import limbic
    model = limbic.open("model")
    print(model.predict("photo.jpg").label)

open, Model, Prediction: models and what they say of photos. svm.SVC, FeatureExtractor: estimators
for scikit-learn's pipelines, which need no scikit-learn. Graph, Trainer: networks of one's own."""
import importlib

from ._graph import Graph, Node, Trainer
from ._library import Error, set_threads
from ._model import Model, Prediction, Probabilities, open
from ._version import version as __version__

__all__ = ["Error", "FeatureExtractor", "Graph", "Model", "Node", "Prediction", "Probabilities",
           "Trainer", "open", "set_threads", "svm"]


def __getattr__(name):
    # Later: where scikit-learn is there they derive from its classes, and it takes a second.
    if name == "svm":
        return importlib.import_module(".svm", __name__)
    if name == "FeatureExtractor":
        return importlib.import_module("._features", __name__).FeatureExtractor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
