"""Random networks, biased towards what plan passes look for: residual sums of every kind, dense
blocks, values with several readers."""
import numpy as np
import torch

from engine import Network
from torch_network import TorchNetwork, apply

LARGEST = 20000  # elements of a value


class Drawer:
    """Appends layers, each computed at once, so that one that does not fit is seen and left out."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        images = [self.of(1, 2, 2, 3, 4), self.of(1, 2, 3, 4, 5, 8, 16, 17, 33),
                  *(self.of(1, 3, 5, 6, 7, 8, 9, 12) for _ in range(2))]
        if self.chance(6):
            images = [2, 16, 13, 16]  # large enough for Winograd
        self.network = Network(self.normal(images))
        self.values = [torch.tensor(self.network.images, dtype=torch.float64)]

    def below(self, n):
        return int(self.random.integers(n))

    def chance(self, one_in):
        return self.below(one_in) == 0

    def of(self, *choices):
        return choices[self.below(len(choices))]

    def normal(self, shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def shape(self, value):
        return self.values[value].shape

    def any(self, rank=0):
        """A value of this rank (0: of any), the newer ones rather."""
        fitting = [i for i, v in enumerate(self.values) if rank in (0, v.dim())]
        return fitting[-1 - self.below(min(len(fitting), 12 if self.chance(3) else 3))]

    def take(self, value):
        """The layer just appended, or None and it is gone where it does not fit."""
        node = self.network.nodes[-1]
        net = TorchNetwork(self.network, torch.float64)
        own = {k.split(".", 1)[1]: v.detach() for k, v in net.parameters.items()
               if k.startswith(node["name"] + ".")}
        try:
            out = apply(node, [self.values[s] for s in node["src"]], own, False)
        except (RuntimeError, ValueError):
            out = None
        if out is not None and out.numel() and out.numel() <= LARGEST:
            self.values.append(out)
            return value
        self.network.nodes.pop()
        for key in own:
            del self.network.parameters[node["name"] + "." + key]
        return None

    def layer(self, op, *src, **options):
        if None in src:
            return None
        return self.take(self.network.layer(op, *src, **options))

    def conv(self, src, out=0, same=False):
        if src is None or len(self.shape(src)) != 4:
            return None
        c, k = self.shape(src)[1], self.of(1, 3)
        out = out or self.of(1, 2, 3, 4, 5, 8, 16, 17, 32)
        kernel, stride, dilation, padding = (k, k), (1, 1), (1, 1), [k // 2] * 4
        if not same and self.chance(3):
            kernel, stride = (1 + self.below(5), 1 + self.below(5)), (1 + self.below(3), self.of(1, 2))
            dilation = (self.of(1, 1, 2, 3), self.of(1, 1, 2))
            padding = [self.below(3) for _ in range(4)]
        groups = self.of(1, 1, 1, 2, c)
        if groups == c and not same:
            out = c * self.of(1, 2)
        if c % groups or out % groups:
            groups = 1
        weight = self.normal((out, c // groups, *kernel)) * np.float32(
            (c // groups * kernel[0] * kernel[1]) ** -0.5)
        bias = self.normal(out) if self.chance(2) else None
        return self.take(self.network.conv2d(src, weight, bias, stride, padding, dilation, groups))

    def norm(self, src):
        if src is None:
            return None
        c = self.shape(src)[1]
        return self.take(self.network.batch_norm(
            src, 1 + 0.5 * self.normal(c), 0.5 * self.normal(c), 0.5 * self.normal(c),
            self.random.uniform(0.5, 2, c), self.of(1e-5, 1e-3), self.of(0.1, 0.1, 0.3)))

    def relu(self, src):
        return self.layer(self.of("relu", "relu", "relu", "relu6"), src)

    def maybe_norm(self, src):
        if src is None or self.chance(3):
            return src
        src = self.norm(src)
        return self.relu(src) if self.chance(2) else src

    def residual(self):
        x = self.any(4)
        own = self.maybe_norm(self.conv(x, self.shape(x)[1], same=True))
        pair = (own, x) if self.chance(2) else (x, own)
        total = self.layer("add", *pair)
        if self.chance(2):
            self.layer("relu", total)

    def two_branches(self):
        x, c = self.any(4), 1 + self.below(9)
        a, b = (self.maybe_norm(self.conv(x, c, same=True)) for _ in range(2))
        total = self.layer("add", a, b)
        if self.chance(3):
            total = self.layer("add", total, self.of(a, b))
        if self.chance(2):
            self.layer("relu", total)

    def dense_block(self):
        pieces = [self.any(4)]
        for _ in range(1 + self.below(3)):
            x = self.layer("concat", *pieces) if len(pieces) > 1 else pieces[0]
            x = self.norm(x)
            x = self.conv(x if self.chance(3) else self.layer("relu", x), 1 + self.below(6), same=True)
            if x is None:
                return
            pieces.append(x)
        self.norm(self.layer("concat", *pieces))

    def pool(self):
        kernel = (1 + self.below(3), 1 + self.below(3))
        half = [k // 2 + 1 for k in kernel]
        padding = [self.below(h) for h in half] * 2
        ceil_mode = self.chance(2)
        if not ceil_mode and self.chance(2):
            padding = [self.below(h) for h in half + half]
        # PyTorch's padding of one side counts; of pictures padded before it always would
        include = padding[:2] != padding[2:] or self.chance(2)
        self.layer(self.of("max_pool2d", "avg_pool2d"), self.any(4), kernel_size=kernel,
                   stride=(1 + self.below(3), 1 + self.below(3)), padding=padding,
                   ceil_mode=ceil_mode, count_include_pad=include)

    def pair(self):
        kind, a = self.of("add", "concat"), self.any()
        fits = lambda s, t: (s == t if kind == "add" else s[:1] + s[2:] == t[:1] + t[2:])
        b = [i for i in range(len(self.values)) if fits(self.shape(i), self.shape(a))]
        self.layer(kind, a, self.of(*b))

    def rare(self):
        x, what = self.any(4), self.below(3)
        if what == 0:
            self.layer("slice_pad", x, stride=(1 + self.below(3), 1 + self.below(3)),
                       before=self.below(4), after=self.below(4))
        elif what == 1:
            self.layer("adaptive_avg_pool2d", x, output=(1 + self.below(4), 1 + self.below(4)))
        else:
            self.layer("dropout", self.any(), probability=0.5)

    def linear(self, src):
        if src is None:
            return None
        i, o = self.shape(src)[1], 2 + self.below(19)
        return self.take(self.network.linear(src, self.normal((o, i)) * np.float32(i ** -0.5),
                                             self.normal(o) if self.chance(2) else None))

    def head(self, src):
        """(N,C) of any value."""
        if len(self.shape(src)) == 2:
            return src
        if self.chance(2):
            return self.layer("global_avg_pool", src)
        pooled = self.layer("adaptive_avg_pool2d", src, output=(1 + self.below(2), 1 + self.below(3)))
        return self.layer("flatten", pooled)

    def draw(self, size):
        """About `size` layers, nearly always ending in logits; only what the last value reads."""
        common = [self.residual, self.two_branches, self.dense_block, self.pool, self.pair,
                  lambda: self.conv(self.any(4)), lambda: self.conv(self.any(4)),
                  lambda: self.norm(self.any()), lambda: self.relu(self.any()), self.rare]
        while len(self.network.nodes) < size:
            self.of(*common)()
        if not self.chance(8):
            logits = self.linear(self.head(len(self.values) - 1))
            if self.chance(5):
                self.layer("softmax", logits)
        return needed(self.network)


def needed(network):
    """The network without what its last value does not read."""
    live = {0, len(network.nodes)}
    for value in range(len(network.nodes), 0, -1):
        live.update(network.nodes[value - 1]["src"] if value in live else ())
    moved = {old: new for new, old in enumerate(sorted(live))}
    out = Network(network.images)
    for old in sorted(live - {0}):
        node = network.nodes[old - 1]
        out.nodes.append({**node, "src": [moved[s] for s in node["src"]]})
        out.parameters.update({k: v for k, v in network.parameters.items()
                               if k.startswith(node["name"] + ".")})
    return out


def random_network(seed):
    return Drawer(seed).draw(2 + seed % 11)
