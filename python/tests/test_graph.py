import gc
import math
import unittest

import numpy as np

import support
from support import limbic, one_line


def small(channels=2, classes=3):
    graph = limbic.Graph(channels)
    x = graph.relu(graph.conv2d(graph.input, 6, kernel=3, padding=1))
    x = graph.label("maps", x + graph.conv2d(x, 6, kernel=1, bias=False))
    graph.label("logits", graph.linear(graph.gap(x), classes))
    return graph


def data(n, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, 2, 6, 5)).astype(np.float32), random.integers(0, 3, n)


class Graphs(unittest.TestCase):
    def test_every_layer_computes_what_it_says(self):
        x = np.abs(np.random.default_rng(1).normal(size=(2, 2, 8, 8))).astype(np.float32) * 4
        windows = x.reshape(2, 2, 4, 2, 4, 2)
        expected = {
            "relu": np.maximum(x, 0), "relu6": np.clip(x, 0, 6), "silu": x / (1 + np.exp(-x)),
            "sigmoid": 1 / (1 + np.exp(-x)), "tanh": np.tanh(x),
            "hard_swish": x * np.clip(x + 3, 0, 6) / 6,
            "gelu": x * (1 + np.vectorize(math.erf)(x / 2 ** 0.5)) / 2,
            "max_pool": windows.max(axis=(3, 5)), "avg_pool": windows.mean(axis=(3, 5)),
            "gap": x.mean(axis=(2, 3)), "dropout": x, "add": 3 * x,
            "concat": np.concatenate([x, x], axis=1), "batch_norm": x / np.sqrt(1 + 1e-5),
        }
        g = limbic.Graph(2)
        nodes = {
            "relu": g.relu(g.input), "relu6": g.relu6(g.input), "silu": g.silu(g.input),
            "sigmoid": g.sigmoid(g.input), "tanh": g.tanh(g.input),
            "hard_swish": g.hard_swish(g.input), "gelu": g.gelu(g.input),
            "max_pool": g.max_pool(g.input, 2), "avg_pool": g.avg_pool(g.input, 2),
            "gap": g.gap(g.input), "dropout": g.dropout(g.input, 0.3),
            "add": g.add(g.input, g.input, g.input), "concat": g.concat(g.input, g.input),
            "batch_norm": g.batch_norm(g.input),
        }
        for name, node in nodes.items():
            g.label(name, node)
        g.label("softmax", g.softmax(nodes["gap"]))
        g.label("logits", g.linear(nodes["gap"], 2))
        self.assertEqual(nodes["concat"].channels, 4)
        with limbic.Trainer(g, 2, (8, 8)) as trainer:
            for name, values in expected.items():
                with self.subTest(name):
                    np.testing.assert_allclose(trainer.run(x, name), values, rtol=1e-5, atol=1e-6)
            e = np.exp(expected["gap"] - expected["gap"].max(axis=1, keepdims=True))
            np.testing.assert_allclose(trainer.run(x, "softmax"), e / e.sum(axis=1, keepdims=True),
                                       rtol=1e-5)

    def test_convolution_options(self):
        g = limbic.Graph(4)
        y = g.conv2d(g.input, 6, kernel=3, stride=2, padding=2, groups=2, dilation=2, name="stem")
        g.label("y", y)
        g.label("logits", g.linear(g.gap(y), 2, bias=False, name="head"))
        with limbic.Trainer(g, 1, (9, 9)) as trainer:
            self.assertEqual(sorted(trainer.parameters), ["head.weight", "stem.bias", "stem.weight"])
            w, b = trainer.parameters["stem.weight"], trainer.parameters["stem.bias"]
            self.assertEqual(w.shape, (6, 2, 3, 3))
            x = np.random.default_rng(0).normal(size=(1, 4, 9, 9)).astype(np.float32)
            padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
            out = trainer.run(x, "y")
            self.assertEqual(out.shape, (1, 6, 5, 5))
            for o, i, j in ((0, 0, 0), (2, 3, 4), (3, 1, 2), (5, 4, 4)):
                first = 2 * (o // 3)
                part = padded[0, first:first + 2, 2 * i:2 * i + 5:2, 2 * j:2 * j + 5:2]
                self.assertAlmostEqual(out[0, o, i, j], (part * w[o]).sum() + b[o], places=4)

    def test_known_networks(self):
        graph = limbic.Graph.of("resnet20", 10)
        with limbic.Trainer(graph, 2, (32, 32), seed=3) as trainer:
            self.assertEqual(trainer.run(np.zeros((1, 3, 32, 32))).shape, (1, 10))
            self.assertEqual(trainer.run(np.zeros((3, 3, 32, 32)), "features").shape, (3, 64))
        self.assertIn("nobody", one_line(self, limbic.Error, limbic.Graph.of, "nobody", 3))

    def test_wrong_graphs(self):
        g, other = limbic.Graph(2), limbic.Graph(2)
        for call in (lambda: limbic.Graph(0), lambda: limbic.Graph(10**30),
                     lambda: limbic.Graph.of("resnet20", 0), lambda: g.relu(other.input),
                     lambda: g.input + other.input, lambda: g.input + g.conv2d(g.input, 5, 1), lambda: g.conv2d(g.input, 0, 3),
                     lambda: g.conv2d(g.input, 4, -3), lambda: g.dropout(g.input, float("nan")),
                     lambda: g.batch_norm(g.input, eps=float("inf")),
                     lambda: g.conv2d(g.input, 4, 3, name="a\0b"), lambda: g.label("x", other.input)):
            one_line(self, ValueError, call)
        for call in (lambda: limbic.Graph("2"), lambda: limbic.Graph.of(None, 3),
                     lambda: g.relu(None), lambda: g.conv2d(g.input, 4.5, 3), lambda: g.input + 1,
                     lambda: g.dropout(g.input, "half"), lambda: g.label("x", 0),
                     lambda: g.label(None, g.input), lambda: g.conv2d(g.input, 4, 3, name=3)):
            one_line(self, TypeError, call)
        for call in (lambda: g.add(g.input), lambda: g.concat(), lambda: g.layer("conv3d", [g.input]),
                     lambda: g.label("", g.input), lambda: g.dropout(g.input, 1), lambda: g.conv2d(g.input, 3, 1, groups=2),
                     lambda: g.conv2d(g.input, 3, 1, name=""),
                     lambda: [g.conv2d(g.input, 3, 1, name="twice") for _ in range(2)]):
            one_line(self, limbic.Error, call)
        size = (1 << 31) - 1
        for call in (lambda: g.conv2d(g.input, 4, 3, padding=size),
                     lambda: g.max_pool(g.input, size), lambda: g.conv2d(g.input, size, size)):
            def train():
                g.label("logits", g.gap(call()))
                limbic.Trainer(g, 2, (8, 8))
            one_line(self, limbic.Error, train)
        g.close()
        for call in (lambda: g.relu(other.input), lambda: g.input, lambda: limbic.Trainer(g)):
            one_line(self, (limbic.Error, ValueError), call)


class Trainers(unittest.TestCase):
    def test_learns_and_the_seed_decides(self):
        images, labels = data(12)
        losses = []
        for seed in (1, 1, 2):
            with limbic.Trainer(small(), 12, (6, 5), learning_rate=0.3, seed=seed) as trainer:
                losses.append([trainer.step(images, labels) for _ in range(150)])
                right = trainer.run(images).argmax(axis=1) == labels
        self.assertEqual(losses[0], losses[1])
        self.assertNotEqual(losses[0][0], losses[2][0])
        self.assertLess(losses[2][-1], 0.3 * losses[2][0])
        self.assertGreater(right.mean(), 0.9)

    def test_a_step_is_the_formula(self):
        images, labels = data(4)
        for nesterov in (False, True):
            with limbic.Trainer(small(), 4, (6, 5), learning_rate=0.1, momentum=0.9,
                                weight_decay=0.01, nesterov=nesterov) as trainer:
                velocity = 0
                for _ in range(3):
                    before = trainer.parameters["fc1.weight"]
                    trainer.step(images, labels)
                    g = trainer.gradient("fc1.weight") + 0.01 * before
                    velocity = 0.9 * velocity + g
                    step = g + 0.9 * velocity if nesterov else velocity
                    np.testing.assert_allclose(trainer.parameters["fc1.weight"], before - 0.1 * step,
                                               rtol=1e-4, atol=1e-6)

    def test_the_gradient_is_the_losses(self):
        images, labels = data(4)
        with limbic.Trainer(small(), 4, (6, 5), learning_rate=0) as trainer:
            trainer.step(images, labels)
            gradient = trainer.gradient("conv1.weight")
            at, h = (2, 1, 0, 2), 1e-2
            sides = []
            for side in (h, -h):
                moved = trainer.parameters["conv1.weight"]
                moved[at] += side
                old = trainer.parameters["conv1.weight"]
                trainer.parameters["conv1.weight"] = moved
                sides.append(trainer.step(images, labels))
                trainer.parameters["conv1.weight"] = old
            self.assertAlmostEqual((sides[0] - sides[1]) / (2 * h), gradient[at], delta=2e-3)
            self.assertGreater(abs(gradient[at]), 1e-4)

    def test_loss_and_run(self):
        images, labels = data(4)
        with limbic.Trainer(small(), 4, (6, 5), learning_rate=0) as trainer:
            logits = trainer.run(images).astype(float)
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            expected = -np.log(p[np.arange(4), labels]).mean()
            self.assertAlmostEqual(trainer.step(images, labels), expected, places=5)
            self.assertAlmostEqual(trainer.step(images.astype(float)[::-1], labels[::-1].tolist()),
                                   expected, places=5)
            self.assertEqual(trainer.step(images, [-1] * 4), 0)
            many, _ = data(11)
            maps = trainer.run(many, "maps")
            self.assertEqual(maps.shape, (11, 6, 6, 5))
            weight, bias = trainer.parameters["fc1.weight"], trainer.parameters["fc1.bias"]
            np.testing.assert_allclose(trainer.run(many), maps.mean(axis=(2, 3)) @ weight.T + bias,
                                       rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(trainer.run(many[6:7]), trainer.run(many)[6:7], rtol=1e-4,
                                       atol=1e-5)
            self.assertEqual(trainer.run(many[:0]).shape, (0, 3))

    def test_parameters(self):
        with limbic.Trainer(small(), 4, (6, 5)) as trainer:
            parameters = trainer.parameters
            self.assertEqual(sorted(parameters), ["conv1.bias", "conv1.weight", "conv2.weight",
                                                  "fc1.bias", "fc1.weight"])
            self.assertEqual(len(parameters), 5)
            self.assertEqual(parameters["conv1.weight"].shape, (6, 2, 3, 3))
            copy = parameters["fc1.bias"]
            copy += 1
            self.assertFalse(np.array_equal(copy, parameters["fc1.bias"]))
            parameters["fc1.bias"] = [1, 2, 3]
            np.testing.assert_array_equal(parameters["fc1.bias"], [1, 2, 3])
            for call in (lambda: parameters["nobody"], lambda: trainer.gradient("nobody"),
                         lambda: parameters.__setitem__("nobody", [1])):
                one_line(self, KeyError, call)
            for value in ([1, 2], 1.0, [[1, 2, 3]], [1, 2, np.nan], [1, 2, 1e300]):
                one_line(self, ValueError, parameters.__setitem__, "fc1.bias", value)
            for value in ("abc", None, [1j, 2, 3]):
                one_line(self, TypeError, parameters.__setitem__, "fc1.bias", value)
            one_line(self, limbic.Error, trainer.gradient, "fc1.bias")  # no step yet
            np.testing.assert_array_equal(parameters["fc1.bias"], [1, 2, 3])

    def test_save_and_load(self):
        path = support.folder() / "own.safetensors"
        images, labels = data(4)
        with limbic.Trainer(small(), 4, (6, 5), seed=1) as one, \
                limbic.Trainer(small(), 4, (6, 5), seed=2) as two:
            one.step(images, labels)
            one.save(path)
            self.assertFalse(np.array_equal(one.run(images), two.run(images)))
            two.load(path)
            np.testing.assert_array_equal(one.run(images), two.run(images))
            self.assertIn("/nowhere", one_line(self, limbic.Error, two.load, "/nowhere"))
            one_line(self, limbic.Error, two.load, support.folder() / "net.safetensors")
            one_line(self, limbic.Error, two.save, "/nowhere/x")
            one_line(self, TypeError, two.save, None)
            np.testing.assert_array_equal(one.run(images), two.run(images))

    def test_learning_rate(self):
        images, labels = data(4)
        with limbic.Trainer(small(), 4, (6, 5), learning_rate=0.1, momentum=0) as trainer:
            self.assertEqual(trainer.learning_rate, 0.1)
            trainer.learning_rate = 0
            before = trainer.parameters["fc1.weight"]
            trainer.step(images, labels)
            np.testing.assert_array_equal(trainer.parameters["fc1.weight"], before)
            for rate in (float("nan"), float("inf")):
                one_line(self, ValueError, setattr, trainer, "learning_rate", rate)
            one_line(self, limbic.Error, setattr, trainer, "learning_rate", -1)
            one_line(self, TypeError, setattr, trainer, "learning_rate", "fast")

    def test_wrong_use(self):
        graph = small()
        for options in (dict(batch=0), dict(batch=10**9), dict(size=(0, 5)), dict(size=5),
                        dict(size=(1, 2, 3)), dict(seed=-1), dict(momentum=float("nan")),
                        dict(learning_rate=float("inf"))):
            one_line(self, ValueError, limbic.Trainer, graph, **options)
        for options in (dict(batch=1.5), dict(size=(1.5, 2)), dict(seed=None), dict(momentum="much")):
            one_line(self, TypeError, limbic.Trainer, graph, **options)
        for options in (dict(momentum=1), dict(momentum=-1), dict(weight_decay=-1),
                        dict(learning_rate=-1), dict(batch=65536, size=(16384, 16384))):
            one_line(self, limbic.Error, limbic.Trainer, graph, **options)
        one_line(self, TypeError, limbic.Trainer, None)
        one_line(self, limbic.Error, limbic.Trainer, limbic.Graph(2))
        images, labels = data(4)
        trainer = limbic.Trainer(graph, 4, (6, 5))
        for wrong in (images[:3], images[:, :1], images[..., 1:], images[0], images * np.nan,
                      images.astype(float) * 1e300):
            one_line(self, ValueError, trainer.step, wrong, labels)
        for wrong in (images * 1j, images.astype(str), images.astype(object), None):
            one_line(self, TypeError, trainer.step, wrong, labels)
        for wrong in (labels[:3], labels[:, None], 0):
            one_line(self, ValueError, trainer.step, images, wrong)
        for wrong in (labels.astype(float), list("abcd"), [None] * 4):
            one_line(self, TypeError, trainer.step, images, wrong)
        for wrong in ([0, 1, 2, 3], [0, 1, 2, -2], [0, 1, 2, 2**62]):
            self.assertIn("label", one_line(self, limbic.Error, trainer.step, images, wrong))
        self.assertIn("loss", one_line(self, limbic.Error, trainer.step, images * np.float32(1e38),
                                       labels))
        one_line(self, limbic.Error, trainer.run, images, "nobody")
        one_line(self, TypeError, trainer.run, images, None)
        self.assertTrue(np.isfinite(trainer.step(images, labels)))
        freed = trainer._handle.free
        trainer.close()
        for call in (lambda: trainer.step(images, labels), lambda: trainer.run(images),
                     lambda: trainer.parameters["fc1.bias"], lambda: trainer.save("x")):
            self.assertIn("freed", one_line(self, limbic.Error, call))
        self.assertFalse(freed.alive)
        trainer = limbic.Trainer(graph, 4, (6, 5))
        freed = trainer._handle.free
        del trainer
        gc.collect()
        self.assertFalse(freed.alive)


if __name__ == "__main__":
    unittest.main()
