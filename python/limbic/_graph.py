"""Networks of one's own: Graph, Node, Trainer."""
import collections
import collections.abc
import ctypes

import numpy as np

from . import _interface
from ._library import Owner, library, path_text, plain, real, text, whole

MOST = (1 << 31) - 1


class Node:
    """What a layer of a graph gives; `a + b` adds two."""

    def __init__(self, graph, index):
        self.graph = graph
        self.index = index
        channels = ctypes.c_size_t()
        library.limbic_graph_channels(graph._handle.value, index, channels)
        self.channels = channels.value

    def __add__(self, other):
        return self.graph.add(self, other) if isinstance(other, Node) else NotImplemented

    def __repr__(self):
        return f"<limbic.Node {self.index}: {self.channels} channels>"


class Graph(Owner):
    """A network as a graph of layers. Every method of a layer takes the nodes that it reads and
    returns a node; `input` is the photos (N, channels, H, W). name: of a layer's parameters ("stem"
    has "stem.weight"); None counts them: conv1, conv2 ... What is to be trained is labelled:

        graph = limbic.Graph(3)
        x = graph.relu(graph.conv2d(graph.input, 16, 3, padding=1))
        graph.label("logits", graph.linear(graph.gap(x), 10))
    """

    def __init__(self, channels):
        handle = ctypes.c_void_p()
        library.limbic_graph_new(whole(channels, "channels", 1, 65536), handle)
        self._begin(handle.value)

    def _begin(self, handle):
        self._own(handle, library.limbic_graph_free)
        self._counts = collections.Counter()

    @classmethod
    def of(cls, model, classes):
        """The network of this name ("resnet20"), labelled "features" and "logits"."""
        handle = ctypes.c_void_p()
        library.limbic_graph_of(text(model, "model"), whole(classes, "classes", 1, 1000000), handle)
        self = cls.__new__(cls)
        self._begin(handle.value)
        return self

    @property
    def input(self):
        return Node(self, 0)

    def layer(self, type, sources, name=None, **options):
        """Any layer by the name that limbic_c.h gives it."""
        for source in sources:
            if not isinstance(source, Node):
                raise TypeError(f"{type}: expected a node, got {source.__class__.__name__}")
            if source.graph is not self:
                raise ValueError(f"{type}: the node belongs to another graph")
        given = " ".join(f"{key}={value!r}" for key, value in options.items())
        indices = (ctypes.c_int * max(1, len(sources)))(*(source.index for source in sources))
        node = ctypes.c_int()
        library.limbic_graph_add(self._handle.value, text(type, "type"),
                                 None if name is None else text(name, "name"), given.encode(),
                                 indices, len(sources), node)
        return Node(self, node.value)

    def _named(self, type, source, name, kind, **options):
        if name is None:
            name = f"{kind}{self._counts[kind] + 1}"
        node = self.layer(type, [source], name, **options)
        self._counts[kind] += 1
        return node

    def conv2d(self, x, out, kernel, stride=1, padding=0, groups=1, dilation=1, bias=True,
               name=None):
        """A convolution with `out` filters of kernel x kernel."""
        return self._named("conv2d", x, name, "conv", out=whole(out, "out", 1, MOST),
                           kernel=whole(kernel, "kernel", 1, MOST),
                           stride=whole(stride, "stride", 1, MOST),
                           padding=whole(padding, "padding", 0, MOST),
                           groups=whole(groups, "groups", 1, MOST),
                           dilation=whole(dilation, "dilation", 1, MOST), bias=int(bool(bias)))

    def linear(self, x, out, bias=True, name=None):
        """A matrix and a bias: (N, C) -> (N, out)."""
        return self._named("linear", x, name, "fc", out=whole(out, "out", 1, MOST),
                           bias=int(bool(bias)))

    def batch_norm(self, x, eps=1e-5, momentum=0.1, name=None):
        """Each channel brought to mean 0 and variance 1, then scaled and shifted."""
        return self._named("batch_norm", x, name, "bn", eps=real(eps, "eps"),
                           momentum=real(momentum, "momentum"))

    def relu(self, x):
        return self.layer("relu", [x])

    def relu6(self, x):
        return self.layer("relu6", [x])

    def silu(self, x):
        return self.layer("silu", [x])

    def hard_swish(self, x):
        return self.layer("hard_swish", [x])

    def gelu(self, x):
        return self.layer("gelu", [x])

    def sigmoid(self, x):
        return self.layer("sigmoid", [x])

    def tanh(self, x):
        return self.layer("tanh", [x])

    def softmax(self, x):
        return self.layer("softmax", [x])

    def _pool(self, type, x, kernel, stride, padding):
        kernel = whole(kernel, "kernel", 1, MOST)
        stride = kernel if stride is None else whole(stride, "stride", 1, MOST)
        return self.layer(type, [x], kernel=kernel, stride=stride,
                          padding=whole(padding, "padding", 0, MOST))

    def max_pool(self, x, kernel, stride=None, padding=0):
        """The greatest of each window; stride None: windows side by side."""
        return self._pool("max_pool", x, kernel, stride, padding)

    def avg_pool(self, x, kernel, stride=None, padding=0):
        """The mean of each window; stride None: windows side by side."""
        return self._pool("avg_pool", x, kernel, stride, padding)

    def gap(self, x):
        """The mean of each channel: (N, C, H, W) -> (N, C)."""
        return self.layer("gap", [x])

    def dropout(self, x, p=0.5):
        """In training, a value in p of all becomes 0."""
        return self.layer("dropout", [x], p=real(p, "p"))

    def add(self, *nodes):
        """The sum of nodes of one shape, as behind a shortcut."""
        channels = [node.channels for node in nodes if isinstance(node, Node)]
        if len(set(channels)) > 1:
            raise ValueError(f"add: the nodes have {', '.join(map(str, channels))} channels")
        return self.layer("add", nodes)

    def concat(self, *nodes):
        """Channels side by side."""
        return self.layer("concat", nodes)

    def label(self, label, node):
        """Gives a node a name that others use; "logits" is what is trained. -> node"""
        if not isinstance(node, Node):
            raise TypeError(f"label: expected a node, got {type(node).__name__}")
        if node.graph is not self:
            raise ValueError("label: the node belongs to another graph")
        library.limbic_graph_label(self._handle.value, text(label, "label"), node.index)
        return node


def as_floats(values, name):
    """C-contiguous float32, the array itself where it is that. Throws TypeError, ValueError."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got an array of {array.dtype}")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: NaN or infinite")
    return array


class Parameters(collections.abc.Mapping):
    """Name -> a copy of the values; assignment sets them."""

    def __init__(self, trainer):
        self._trainer = trainer

    def __getitem__(self, name):
        return self._trainer._get(library.limbic_parameter_get, name)

    def __setitem__(self, name, values):
        shape = self._trainer._shapes.get(name)
        if shape is None:
            raise KeyError(f"there is no parameter {name!r}")
        array = as_floats(values, name)
        if array.shape != shape:
            raise ValueError(f"{name}: expected the shape {shape}, got {array.shape}")
        library.limbic_parameter_set(self._trainer._handle.value, text(name, "name"),
                                     array.ctypes.data, array.size)

    def __iter__(self):
        return iter(self._trainer._shapes)

    def __len__(self):
        return len(self._trainer._shapes)

    def __repr__(self):
        return "\n".join(f"{name}: {shape}" for name, shape in self._trainer._shapes.items())


class Trainer(Owner):
    """A network with fresh parameters, trained by stochastic gradient descent. A step takes `batch`
    photos of `size` (height, width); the same seed gives the same parameters and dropout. Later
    changes of the graph are not seen."""

    def __init__(self, graph, batch=32, size=(32, 32), learning_rate=0.1, momentum=0.9,
                 weight_decay=0.0, nesterov=False, seed=0):
        if not isinstance(graph, Graph):
            raise TypeError(f"graph: expected a limbic.Graph, got {type(graph).__name__}")
        if np.shape(size) != (2,):
            raise ValueError(f"size: expected (height, width), got {size!r}")
        height, width = size
        self._batch = whole(batch, "batch", 1, 65536)
        self._rate = real(learning_rate, "learning_rate")
        options = _interface.TrainerOptions(
            ctypes.sizeof(_interface.TrainerOptions), self._batch, whole(height, "height", 1, 16384),
            whole(width, "width", 1, 16384), self._rate, real(momentum, "momentum"),
            real(weight_decay, "weight_decay"), bool(nesterov), whole(seed, "seed", 0, 2**64 - 1))
        handle = ctypes.c_void_p()
        self._picture = (graph.input.channels, options.height, options.width)
        library.limbic_trainer_new(graph._handle.value, options, handle)
        self._own(handle.value, library.limbic_trainer_free)
        self._shapes = {name: self._shape(library.limbic_parameter_shape, name)
                        for name in self._names()}

    def _names(self):
        number = 0
        while (name := library.limbic_parameter_name(self._handle.value, number)) is not None:
            yield plain(name)
            number += 1

    def _shape(self, function, name):
        extents, rank = (ctypes.c_int64 * 8)(), ctypes.c_size_t()
        function(self._handle.value, text(name, "name"), extents, rank)
        return tuple(extents[:rank.value])

    def _get(self, function, name):
        if name not in self._shapes:
            raise KeyError(f"there is no parameter {name!r}")
        out = np.empty(self._shapes[name], np.float32)
        function(self._handle.value, text(name, "name"), out.ctypes.data, out.size)
        return out

    def _images(self, images):
        array = as_floats(images, "images")
        if array.ndim != 4 or array.shape[1:] != self._picture:
            raise ValueError("images: expected the shape (n, {}, {}, {}), got {}".format(
                *self._picture, array.shape))
        return array

    @property
    def batch(self):
        return self._batch

    @property
    def learning_rate(self):
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate):
        rate = real(rate, "learning_rate")
        library.limbic_trainer_set_learning_rate(self._handle.value, rate)
        self._rate = rate

    def step(self, images, labels):
        """One step on `batch` images (n, C, H, W) and the number of each one's class; -1 leaves an
        image out. -> the loss before it: softmax cross-entropy, the mean over the images."""
        images = self._images(images)
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iub":
            raise TypeError(f"labels: expected whole numbers, got an array of {labels.dtype}")
        if labels.shape != (self._batch,) or len(images) != self._batch:
            raise ValueError(f"a step takes {self._batch} images and labels, got {len(images)} and "
                             f"labels of the shape {labels.shape}")
        labels = np.ascontiguousarray(labels, np.int64)
        loss = ctypes.c_double()
        library.limbic_trainer_step(self._handle.value, images.ctypes.data, len(images),
                                    labels.ctypes.data, loss)
        return loss.value

    def run(self, images, label="logits"):
        """What a labelled node gives for any number of images, computed as in inference:
        (n, classes), or (n, C, H, W)."""
        shape = self._shape(library.limbic_trainer_shape, label)
        images = self._images(images)
        out = np.empty((len(images),) + shape, np.float32)
        for begin in range(0, len(images), self._batch):
            part, rows = images[begin:begin + self._batch], out[begin:begin + self._batch]
            library.limbic_trainer_run(self._handle.value, part.ctypes.data, len(part),
                                       text(label, "label"), rows.ctypes.data, rows.size)
        return out

    @property
    def parameters(self):
        """Name -> a copy of the values, running statistics too; assignment sets them."""
        return Parameters(self)

    def gradient(self, name):
        """Of a parameter, in the last step."""
        return self._get(library.limbic_parameter_gradient, name)

    def save(self, path):
        """All parameters into a checkpoint (.safetensors), which limbic.open reads where the graph
        is one of Graph.of."""
        library.limbic_trainer_save(self._handle.value, path_text(path, "path"))

    def load(self, path):
        """All parameters out of a checkpoint."""
        library.limbic_trainer_load(self._handle.value, path_text(path, "path"))

    def __repr__(self):
        count = sum(int(np.prod(shape)) for shape in self._shapes.values())
        return f"<limbic.Trainer: {count} parameters, batches of {self._batch}>"
