"""Models that are opened once and asked: limbic.open, Model, Prediction."""
import collections.abc
import ctypes
import json
import os

import numpy as np

from . import _interface
from ._library import Error, Handle, Owner, library, path_text, plain, text, whole

MOST_PIXELS = 1 << 27  # what the library accepts: a copy must not be larger
CHUNK = 512            # pictures of a call, so that a KeyboardInterrupt does not wait for all


def is_array(thing):
    return isinstance(thing, np.ndarray) or hasattr(thing, "__array__") or hasattr(
        thing, "__array_interface__")


def is_file(thing):
    return isinstance(thing, (str, bytes, bytearray, memoryview, os.PathLike))


def as_rgb(image):
    """What a PIL image of another mode converts itself to; all else as it is."""
    if getattr(image, "mode", "RGB") != "RGB" and hasattr(image, "convert"):
        return image.convert("RGB")
    return image


def split_photos(photos):
    """-> (list, whether it was one photo)."""
    if is_file(photos):
        return [photos], True
    if is_array(photos):
        array = np.asarray(as_rgb(photos))
        if array.ndim == 0 and is_file(array.item()):
            return [array.item()], True
        return (list(array), False) if array.ndim in (1, 4) else ([array], True)
    try:
        return list(photos), False
    except TypeError:
        raise TypeError("photos: expected a path, bytes, a uint8 array (H, W, 3), a PIL image or a "
                        f"list of these, got {type(photos).__name__}") from None


class Unusable(Exception):
    """A photo that the library need not be asked about."""


def _of_pixels(array, kept):
    if array.dtype != np.uint8:
        raise TypeError(f"photo: expected an array of uint8, got {array.dtype}")
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"photo: expected an array of (height, width, 3), got {array.shape}")
    height, width, _ = array.shape
    if not 0 < height * width <= MOST_PIXELS:
        raise ValueError(f"photo: expected 1 to {MOST_PIXELS} pixels, got {height} x {width}")
    _, column, channel = array.strides
    row = array.strides[0] if height > 1 else 3 * width
    if channel != 1 or (column != 3 and width > 1) or row < 3 * width:
        array = np.ascontiguousarray(array)
        row = 3 * width
    kept.append(array)
    return _interface.Picture(rgb=array.ctypes.data, height=height, width=width, stride=row)


def picture(photo, kept):
    """What the library is told of a photo; `kept` takes what must live as long. Throws TypeError,
    ValueError, Unusable."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        content = bytes(photo)
        if not content:
            raise Unusable("is empty")
        kept.append(content)
        address = ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p)
        return _interface.Picture(bytes=address, count=len(content))
    if is_file(photo):
        return _interface.Picture(path=path_text(photo, "photo"))
    if is_array(photo):
        return _of_pixels(np.asarray(as_rgb(photo)), kept)
    raise TypeError("photo: expected a path, bytes, a uint8 array (H, W, 3) or a PIL image, got "
                    f"{type(photo).__name__}")


class Probabilities(collections.abc.Mapping):
    """Name of a class -> probability, in the order of the model's labels; np.asarray() gives one for
    each class. Of classes that share a name (ImageNet has two cranes) the more probable counts."""

    def __init__(self, labels, values):
        self.values_ = values
        self._labels = labels

    @property
    def _by_name(self):
        out = {}
        for name, value in zip(self._labels, self.values_.tolist()):
            out[name] = max(value, out.get(name, value))
        return out

    def __getitem__(self, name):
        return self._by_name[name]

    def __iter__(self):
        return iter(self._by_name)

    def __len__(self):
        return len(self._by_name)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values_, dtype=dtype)

    def __repr__(self):
        return repr(self._by_name)


class Prediction:
    """What a model says of one photo. label: the class that it names, index its number; error: why
    the photo cannot be used, else None. With an error there are no probabilities: asking raises it."""

    def __init__(self, labels, values=None, index=None, error=None, answers=None, number=0):
        self._labels = labels
        self._values = values
        self._answers = answers
        self._number = number
        self.index = index
        self.label = None if index is None else labels[index]
        self.error = error

    @property
    def probabilities(self):
        if self.error is not None:
            raise Error(self.error)
        return Probabilities(self._labels, self._values)

    def top(self, k=5):
        """The k most probable classes as (name, probability), the first of equals first."""
        values = np.asarray(self.probabilities)
        order = np.argsort(-values, kind="stable")[:whole(k, "k", 0, 1 << 24)]
        return [(self._labels[i], float(values[i])) for i in order]

    def json(self, image=None, top=5):
        """The line that `limbic predict --format json` (or classify --top N) prints. image: what the
        photo is called in it; None leaves that out."""
        name = None if image is None else path_text(image, "image")
        most = whole(top, "top", 0, 1 << 24)
        if self.error is not None:
            told = {} if name is None else {"image": plain(name)}
            return json.dumps({**told, "error": self.error}, ensure_ascii=False,
                              separators=(",", ":"))
        if self._answers is None:
            raise Error("json: a prediction that was pickled has no line any more")
        return plain(library.limbic_answer_json(self._answers.value, self._number, name, most))

    def __getstate__(self):
        return {**self.__dict__, "_answers": None}  # lives in this process alone

    def __repr__(self):
        if self.error is not None:
            return f"Prediction(error={self.error!r})"
        return f"Prediction({self.label!r}, {self._values[self.index]:.4f})"


class Model(Owner):
    """A model that `limbic fit` made, or a checkpoint, ready to be asked; made by limbic.open. Any
    number of threads may ask it at once."""

    def __init__(self, path_or_bytes, model=None, state=None, preset=None, labels=None,
                 image_size=0, batch=0, bf16=False):
        options = _interface.OpenOptions(
            ctypes.sizeof(_interface.OpenOptions),
            *(None if value is None else text(value, name)
              for value, name in ((model, "model"), (state, "state"), (preset, "preset"))),
            None if labels is None else path_text(labels, "labels"),
            whole(image_size, "image_size", 0, 4096), whole(batch, "batch", 0, 4096), bool(bf16))
        handle = ctypes.c_void_p()
        if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
            content = bytes(path_or_bytes)
            library.limbic_open_bytes(content, len(content), options, handle)
        else:
            library.limbic_open(path_text(path_or_bytes, "path"), options, handle)
        self._own(handle.value, library.limbic_model_free)
        info = _interface.ModelInfo(ctypes.sizeof(_interface.ModelInfo))
        library.limbic_get_model_info(handle.value, info)
        #: "classes", "binary", "multilabel" or "emotion"
        self.kind = _interface.kinds[info.kind]
        #: Names of the classes.
        self.labels = tuple(plain(library.limbic_label(handle.value, i))
                            for i in range(info.classes))
        #: What was assumed when it was opened, a line each.
        self.remarks = tuple(self._remarks())
        #: Photos computed at once at most.
        self.batch = info.batch
        #: Columns that features() gives.
        self.feature_width = info.features

    def _remarks(self):
        number = 0
        while (remark := library.limbic_remark(self._handle.value, number)) is not None:
            yield plain(remark)
            number += 1

    def predict(self, photos):
        """A photo -> Prediction; raises Error where it cannot be used. Several -> a list of
        Predictions, where that is their `error`. A photo is a path, the bytes of a file, a uint8
        array (height, width, 3) of RGB with any strides, or a PIL image."""
        photos, one = split_photos(photos)
        out = []
        for begin in range(0, len(photos), CHUNK):
            out += self._predict(photos[begin:begin + CHUNK])
        if one and out[0].error is not None:
            name = photos[0] if isinstance(photos[0], (str, os.PathLike)) else "photo"
            raise Error(f"{os.fspath(name)}: {out[0].error}")
        return out[0] if one else out

    def _predict(self, photos):
        out, kept, told, at = [None] * len(photos), [], [], []
        for i, photo in enumerate(photos):
            try:
                told.append(picture(photo, kept))
                at.append(i)
            except Unusable as reason:
                out[i] = Prediction(self.labels, error=str(reason))
        if told:
            handle = ctypes.c_void_p()
            library.limbic_predict(self._handle.value, (_interface.Picture * len(told))(*told),
                                   len(told), handle)
            answers = Handle(handle.value, library.limbic_answers_free)
            for number, i in enumerate(at):
                out[i] = self._answer(answers, number)
        return out

    def _answer(self, answers, number):
        error = library.limbic_answer_error(answers.value, number)
        if error is not None:
            return Prediction(self.labels, error=plain(error))
        values = np.empty(len(self.labels))
        library.limbic_answer_probabilities(answers.value, number, values.ctypes.data, values.size)
        values.flags.writeable = False
        index = library.limbic_answer_class(answers.value, number)
        return Prediction(self.labels, values, index, None, answers, number)

    def features(self, photos):
        """float32 (photos, feature_width): what the network sees before it decides; of a pipeline,
        the blocks that it fuses. Raises Error where a photo cannot be used."""
        photos, _ = split_photos(photos)
        out = np.empty((len(photos), self.feature_width), np.float32)
        for begin in range(0, len(photos), CHUNK):
            kept, rows = [], out[begin:begin + CHUNK]
            try:
                told = [picture(photo, kept) for photo in photos[begin:begin + CHUNK]]
            except Unusable as reason:
                raise Error(f"photo: {reason}") from None
            library.limbic_features(self._handle.value, (_interface.Picture * len(told))(*told),
                                    len(told), rows.ctypes.data, rows.size)
        return out

    def warm_up(self):
        """Runs every number of photos up to the batch once, so that no later call waits for code to
        be made."""
        library.limbic_warm_up(self._handle.value)

    def __repr__(self):
        return f"<limbic.Model: {self.kind}, {len(self.labels)} classes>"


def open(path_or_bytes, model=None, state=None, preset=None, labels=None, image_size=0, batch=0,
         bf16=False):
    """A folder that `limbic fit` made, a zip archive of one, or a checkpoint (.safetensors, .pth,
    .h5, .keras, a wheel), or the bytes of such a file -> Model.

    model: architecture of a checkpoint; None: the one whose tensors it holds. state: which of several
    networks in it. preset: how photos are prepared; None: as the checkpoint or network wants. labels:
    a file with the name of a class in each line. image_size: 0 is the preset's. batch: photos
    computed at once at most; 0 is 8. bf16: compute in bf16, where the processor has it."""
    return Model(path_or_bytes, model, state, preset, labels, image_size, batch, bf16)
