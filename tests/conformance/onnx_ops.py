"""ONNX operators as networks of Limbic's layers.

Data may be transposed, reshaped and repeated on the way in and out, and a weight or bias multiplied by
a constant; all other arithmetic is Limbic's. Where two tensors go in, they are channels of one picture
that a 1x1 convolution of ones and zeros takes apart again, which is exact.
"""
import numpy as np

from engine import Network


class NotExpressible(Exception):
    """Why Limbic has no layers for a test."""


class Translation:
    """A network and what ONNX's outputs are made of: pairs of a name of driver.cpp's results (None:
    the last value) and a function of that array."""

    def __init__(self, network, outputs=None, plan=None, tensors=None, **case):
        self.network, self.plan, self.tensors, self.case = network, plan or {}, tensors, case
        self.outputs = outputs or [(None, lambda value: value)]


def picture(x):
    """(N,C), (N,C,L) and (N,C,D,H,W) as (N,C,H,W); a vector is one row."""
    x = np.asarray(x)
    if x.ndim < 2:
        x = x.reshape(1, -1)
    middle = [1] if x.ndim < 4 else [-1]
    return x.reshape(*x.shape[:2], *middle, x.shape[-1] if x.ndim > 2 else 1)


def around(x, axis):
    """(before, axis, 1, behind): channels are the axis, and nothing is transposed."""
    shape = x.shape
    return x.reshape(int(np.prod(shape[:axis])), shape[axis], 1, int(np.prod(shape[axis + 1:])))


def together(pictures):
    """One picture of all channels; what takes each apart."""
    network = Network(np.concatenate(pictures, axis=1))
    ends = np.cumsum([0] + [p.shape[1] for p in pictures])
    identity = np.eye(ends[-1], dtype=np.float32)[:, :, None, None]
    return network, [network.conv2d(0, identity[a:b]) for a, b in zip(ends, ends[1:])]


def rows(x):
    """A network whose value 1 is the (N,C) matrix x."""
    network = Network(x.reshape(*x.shape, 1, 1))
    network.layer("global_avg_pool", 0)
    return network


def window(a, spatial):
    """kernel_size, stride, padding, dilation of attributes, as lists of len(spatial) (padding: pairs)."""
    kernel, rank = list(a["kernel_shape"]), len(spatial)
    stride = list(a.get("strides", [1] * rank))
    dilation = list(a.get("dilations", [1] * rank))
    pads = list(a.get("pads", [0] * 2 * rank))
    padding = list(zip(pads[:rank], pads[rank:]))
    auto = a.get("auto_pad", b"NOTSET").decode()
    if auto.startswith("SAME"):
        for i in range(rank):
            reach = (kernel[i] - 1) * dilation[i] + 1
            total = max((-(-spatial[i] // stride[i]) - 1) * stride[i] + reach - spatial[i], 0)
            few, many = total // 2, total - total // 2
            padding[i] = (few, many) if auto == "SAME_UPPER" else (many, few)
    return kernel, stride, padding, dilation


def plane(kernel, stride, padding, dilation):
    """The same for (H,W), where W may be all there is."""
    if len(kernel) == 1:
        kernel, stride, dilation = [1] + kernel, [1] + stride, [1] + dilation
        padding = [(0, 0)] + padding
    (top, bottom), (left, right) = padding
    return dict(kernel_size=kernel, stride=stride, padding=[top, left, bottom, right]), dilation


def conv(a, x, opset, outputs):
    src, weight, bias = (list(x) + [None])[:3]
    a = {"kernel_shape": weight.shape[2:], **a}
    kernel, stride, padding, dilation = window(a, src.shape[2:])
    depth = src.ndim == 5
    if depth:
        src, weight, bias = flat_depth(src, weight, bias, stride[0], padding[0], dilation[0])
        kernel, stride, padding, dilation = kernel[1:], stride[1:], padding[1:], dilation[1:]
    elif weight.ndim == 3:
        weight = weight[:, :, None]
    w, dilation = plane(kernel, stride, padding, dilation)
    network = Network(picture(src) if not depth else src)
    network.conv2d(0, weight, bias, w["stride"], w["padding"], dilation, a.get("group", 1))
    return Translation(network)


def flat_depth(src, weight, bias, stride, padding, dilation):
    """A 3-D convolution as a 2-D one: (channel, depth) become channels, the weights a band."""
    n, c, depth = src.shape[:3]
    o, i, k = weight.shape[:3]
    out = (depth + sum(padding) - dilation * (k - 1) - 1) // stride + 1
    band = np.zeros((o, out, i, depth, *weight.shape[3:]), np.float32)
    for y in range(out):
        for tap in range(k):
            z = y * stride - padding[0] + tap * dilation
            if 0 <= z < depth:
                band[:, y, :, z] = weight[:, :, tap]
    return (src.reshape(n, c * depth, *src.shape[3:]),
            band.reshape(o * out, i * depth, *weight.shape[3:]),
            None if bias is None else np.repeat(bias, out))


def pool(a, x, outputs, kind):
    if outputs > 1:
        raise NotExpressible("asks for the indices of the maxima")
    kernel, stride, padding, dilation = window(a, x[0].shape[2:])
    if max(dilation) > 1:
        raise NotExpressible("a pooling window with gaps")
    if len(kernel) > 2:
        raise NotExpressible("a pooling window of three dimensions")
    network = Network(picture(x[0]))
    network.layer(kind, 0, **plane(kernel, stride, padding, dilation)[0],
                  ceil_mode=bool(a.get("ceil_mode", 0)),
                  count_include_pad=bool(a.get("count_include_pad", 0)))
    return Translation(network)


def max_pool(a, x, opset, outputs):
    return pool(a, x, outputs, "max_pool2d")


def average_pool(a, x, opset, outputs):
    return pool(a, x, outputs, "avg_pool2d")


def global_max_pool(a, x, opset, outputs):
    return pool({"kernel_shape": picture(x[0]).shape[2:]}, [picture(x[0])], 1, "max_pool2d")


def global_average_pool(a, x, opset, outputs):
    network = Network(picture(x[0]))
    network.layer("global_avg_pool", 0)
    return Translation(network)


def reduce_mean(a, x, opset, outputs):
    axes = x[1] if len(x) > 1 else a.get("axes", [])
    axes = [i % x[0].ndim for i in axes] or list(range(x[0].ndim))
    kept = [i for i in range(x[0].ndim) if i not in axes]
    size = int(np.prod([x[0].shape[i] for i in kept]))
    network = Network(x[0].transpose(kept + axes).reshape(1, size, 1, -1))
    network.layer("global_avg_pool", 0)
    return Translation(network)


def batch_normalization(a, x, opset, outputs):
    m = a.get("momentum", 0.9)
    network = Network(picture(x[0]))
    network.batch_norm(0, *x[1:], epsilon=a.get("epsilon", 1e-5), momentum=1 - m)
    if not a.get("training_mode", 0):
        return Translation(network)
    n = x[0].size // x[0].shape[1]
    # ONNX's running variance takes the batch's divided by n, PyTorch's and ours by n - 1.
    as_onnx = lambda var: m * x[4] + (var - m * x[4]) * (n - 1) / n
    same = lambda value: value
    return Translation(network, [(None, same), ("stored.l1.running_mean", same),
                                 ("stored.l1.running_var", as_onnx)], {"batch_statistics": True})


def elementwise(kind, x, **options):
    network = Network(picture(x))
    network.layer(kind, 0, **options)
    return Translation(network)


def relu(a, x, opset, outputs):
    return elementwise("relu", x[0])


def identity(a, x, opset, outputs):
    return Translation(Network(picture(x[0])))


def clip(a, x, opset, outputs):
    inputs = list(x) + [None] * 3
    low, high = (a.get("min"), a.get("max")) if opset < 11 else inputs[1:3]
    if high is not None and high >= np.finfo(np.float32).max:
        high = None
    if low is None and high is None:
        return identity(a, x, opset, outputs)
    if low == 0 and high in (None, 6):
        return elementwise("relu" if high is None else "relu6", x[0])
    raise NotExpressible("clips to %s .. %s" % (low, high))


def dropout(a, x, opset, outputs):
    if outputs > 1:
        raise NotExpressible("asks for the mask")
    training = opset >= 12 and len(x) > 2 and bool(x[2])
    ratio = a.get("ratio", 0.5) if opset < 12 else float(x[1]) if len(x) > 1 else 0.5
    if training and ratio > 0:
        raise NotExpressible("random numbers of NumPy's")
    translation = elementwise("dropout", x[0], probability=ratio)
    translation.plan = {"dropout": training}
    return translation


def total(a, x, opset, outputs):
    terms = [picture(t) for t in np.broadcast_arrays(*x)]
    network, values = together(terms)
    sum_ = values[0]
    for value in values[1:]:
        sum_ = network.layer("add", sum_, value)
    return Translation(network)


def concat(a, x, opset, outputs):
    axis = a.get("axis", 1) % x[0].ndim
    network, values = together([around(t, axis) for t in x])
    network.layer("concat", *values)
    return Translation(network)


def softmax(a, x, opset, outputs):
    axis = a.get("axis", -1 if opset >= 13 else 1) % x[0].ndim
    if opset < 13:  # everything from the axis on is one
        matrix = x[0].reshape(int(np.prod(x[0].shape[:axis])), -1)
        back = lambda y: y
    else:
        moved = np.moveaxis(x[0], axis, -1)
        matrix = moved.reshape(-1, moved.shape[-1])
        back = lambda y: np.moveaxis(y.reshape(moved.shape), -1, axis)
    network = rows(matrix)
    network.layer("softmax", 1)
    return Translation(network, [(None, back)])


def lrn(a, x, opset, outputs):
    if a["size"] % 2 == 0:
        raise NotExpressible("an even window, whose middle ONNX puts elsewhere than PyTorch")
    network = Network(picture(x[0]))
    network.layer("local_response_norm", 0, size=a["size"], alpha=a.get("alpha", 1e-4),
                  beta=a.get("beta", 0.75), k=a.get("bias", 1.0))
    return Translation(network, [(None, lambda y: y.reshape(x[0].shape))])


def flatten(a, x, opset, outputs):
    axis = a.get("axis", 1)
    axis += x[0].ndim if axis < 0 else 0
    rest = list(x[0].shape[axis:]) + [1, 1]
    network = Network(x[0].reshape(int(np.prod(x[0].shape[:axis])), rest[0], rest[1], -1))
    pooled = network.layer("adaptive_avg_pool2d", 0, output=network.images.shape[2:])  # fixes H, W
    network.layer("flatten", pooled)
    return Translation(network)


def gemm(a, x, opset, outputs):
    src, weight = (x[i].T if a.get(k, 0) else x[i] for i, k in ((0, "transA"), (1, "transB")))
    weight = a.get("alpha", 1.0) * weight.T
    n, o = src.shape[0], weight.shape[0]
    added = np.zeros((n, o), np.float32) if len(x) < 3 else np.broadcast_to(x[2], (n, o))
    added = a.get("beta", 1.0) * added
    if np.all(added == added[0]):
        network = rows(src)
        network.linear(1, weight, added[0] if len(x) > 2 else None)
        return Translation(network)
    network, values = together([picture(src), picture(added)])
    product, sum_ = (network.layer("global_avg_pool", v) for v in values)
    network.layer("add", network.linear(product, weight), sum_)
    return Translation(network)


def matmul(a, x, opset, outputs):
    left = x[0] if x[0].ndim > 1 else x[0][None]
    right = x[1] if x[1].ndim > 1 else x[1][:, None]
    if right.ndim == 2:
        network = rows(left.reshape(-1, left.shape[-1]))
        network.linear(1, right.T)
        return Translation(network)
    # A group for each matrix: (b,m,k) x (b,k,n) is a 1x1 convolution of m pictures of b k channels.
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, batch + left.shape[-2:]).reshape(-1, *left.shape[-2:])
    right = np.broadcast_to(right, batch + right.shape[-2:]).reshape(-1, *right.shape[-2:])
    b, m, k = left.shape
    network = Network(left.transpose(1, 0, 2).reshape(m, b * k, 1, 1))
    network.conv2d(0, right.transpose(0, 2, 1).reshape(-1, k, 1, 1), groups=b)
    return Translation(network, [(None, lambda y: y.reshape(m, b, -1).transpose(1, 0, 2))])


def pad(a, x, opset, outputs):
    pads, value = a.get("pads", a.get("paddings")), a.get("value", 0)
    axes = list(range(x[0].ndim))
    if opset >= 11:
        pads, value = x[1], x[2] if len(x) > 2 else 0
        axes = [i % x[0].ndim for i in x[3]] if len(x) > 3 else axes
    if a.get("mode", b"constant") != b"constant" or value != 0:
        raise NotExpressible("pads with something else than 0")
    if x[0].ndim != 4 or min(pads) < 0:
        raise NotExpressible("pads what is no picture, or cuts it")
    both = [(0, 0)] * 4
    for axis, begin, end in zip(axes, pads[:len(axes)], pads[len(axes):]):
        both[axis] = (int(begin), int(end))
    if both[0] != (0, 0):
        raise NotExpressible("adds pictures")
    network = Network(x[0])
    c = x[0].shape[1]
    framed = network.conv2d(0, np.ones((c, 1, 1, 1), np.float32), groups=c,
                            padding=[both[2][0], both[3][0], both[2][1], both[3][1]])
    network.layer("slice_pad", framed, stride=[1, 1], before=both[1][0], after=both[1][1])
    return Translation(network)


def cross_entropy(a, x, opset, outputs):
    if outputs > 1:
        raise NotExpressible("asks for the logarithms of the probabilities")
    logits = np.moveaxis(x[0], 1, -1).reshape(-1, x[0].shape[1])
    labels = [-1 if l == a.get("ignore_index") else int(l) for l in x[1].flatten()]
    reduction = a.get("reduction", b"mean").decode()
    weights = [float(w) for w in x[2]] if len(x) > 2 else []
    loss = {"labels": labels, "class_weights": weights, "label_smoothing": 0,
            "normaliser": 0 if reduction == "mean" else 1}
    network = rows(logits)
    return Translation(network, [("loss", lambda value: value)], loss=loss,
                       batch=1 if reduction == "none" else None)


def momentum(a, x, opset, outputs):
    if x[1] > 0 and a["beta"] != 1:
        raise NotExpressible("gradients weighted by beta")
    w, g, v = np.split(np.concatenate(x[2:]), 3)
    network = rows(np.ones((1, 1), np.float32))
    network.linear(1, w[:, None])  # of the picture 1: the weights' gradient is the loss's
    ends = np.cumsum([t.size for t in x[2:2 + (len(x) - 2) // 3]])
    part = lambda i: (lambda y: np.split(y.flatten(), ends[:-1])[i])
    outputs = [(what + ".l2.weight", part(i)) for what in ("stored", "velocity")
               for i in range(len(ends))]
    return Translation(network, outputs, {"gradients": True},
                       {"diff": g[None], "velocity.l2.weight": v[:, None]},
                       sgd={"momentum": a["alpha"], "nesterov": a["mode"] == b"nesterov",
                            "weight_decay": a["norm_coefficient"], "rates": [float(x[0])]})


TRANSLATIONS = {
    "Add": total, "AveragePool": average_pool, "BatchNormalization": batch_normalization,
    "Clip": clip, "Concat": concat, "Conv": conv, "Dropout": dropout, "Flatten": flatten,
    "Gemm": gemm, "GlobalAveragePool": global_average_pool, "GlobalMaxPool": global_max_pool,
    "Identity": identity, "LRN": lrn, "MatMul": matmul, "MaxPool": max_pool, "Momentum": momentum, "Pad": pad,
    "ReduceMean": reduce_mean, "Relu": relu, "Softmax": softmax,
    "SoftmaxCrossEntropyLoss": cross_entropy, "Sum": total,
}
