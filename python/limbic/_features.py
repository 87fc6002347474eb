"""Photos to rows of features, in scikit-learn's pipelines."""
import numpy as np

from ._estimator import BaseEstimator, TransformerMixin
from ._model import open as open_model
from ._model import split_photos


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """A network's features of photos, as a transformer:

        make_pipeline(limbic.FeatureExtractor("net.safetensors"), LinearSVC()).fit(photos, labels)

    Parameters are limbic.open's, photos what Model.predict takes. There is nothing to fit: the model
    is opened when it is first needed, and again after pickling."""

    def __init__(self, path, model=None, state=None, preset=None, labels=None, image_size=0, batch=0,
                 bf16=False):
        self.path = path
        self.model = model
        self.state = state
        self.preset = preset
        self.labels = labels
        self.image_size = image_size
        self.batch = batch
        self.bf16 = bf16

    def _open(self):
        settings = self.get_params(deep=False)
        if getattr(self, "_opened", (None, None))[0] != settings:
            others = {name: value for name, value in settings.items() if name != "path"}
            self._opened = settings, open_model(settings["path"], **others)
        return self._opened[1]

    def fit(self, photos, y=None):
        self._open()
        return self

    def transform(self, photos):
        """float32 (photos, features). Raises limbic.Error where a photo cannot be used."""
        return self._open().features(photos)

    def fit_transform(self, photos, y=None):
        return self.fit(photos).transform(photos)

    def get_feature_names_out(self, input_features=None):
        return np.array([f"limbic{i}" for i in range(self._open().feature_width)], dtype=object)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def __setstate__(self, state):
        self.__dict__.update(state)
