import copy
import gc
import os
import pathlib
import pickle
import subprocess
import threading
import unittest

import numpy as np

import support
from support import limbic, one_line, open_net, photo, png


class Opened(unittest.TestCase):
    def test_path_bytes_and_options(self):
        path = support.folder() / "net.safetensors"
        with open_net() as model:
            self.assertEqual(model.kind, "classes")
            self.assertEqual(model.labels, ("awe", "fear", "joy"))
            self.assertEqual((model.batch, model.feature_width), (8, 64))
            self.assertTrue(any("resnet8" in remark for remark in model.remarks))
            expected = np.asarray(model.predict(photo(1)).probabilities)
        for source in (str(path), os.fsencode(path).decode(), path.read_bytes(),
                       bytearray(path.read_bytes()), memoryview(path.read_bytes())):
            with limbic.open(source, model="resnet8", preset="cifar", batch=3) as model:
                self.assertEqual(model.labels, ("0", "1", "2"))
                self.assertEqual(model.batch, 3)
                np.testing.assert_array_equal(model.predict(photo(1)).probabilities, expected)
        with limbic.open(path, image_size=16) as model:
            self.assertFalse(np.allclose(model.predict(photo(1)).probabilities, expected))
        with limbic.open(path, bf16=True) as model:
            np.testing.assert_allclose(model.predict(photo(1)).probabilities, expected, atol=0.05)

    def test_what_cannot_be_opened(self):
        path = support.folder() / "net.safetensors"
        self.assertIn("/nowhere", one_line(self, limbic.Error, limbic.open, "/nowhere"))
        data = path.read_bytes()
        for source in (b"", b"x", data[:1000], data[:-1], support.folder(), support.__file__):
            one_line(self, limbic.Error, limbic.open, source)
        for options in (dict(model="nobody"), dict(state="nobody"), dict(preset="nobody"),
                        dict(labels="/nowhere"), dict(labels=support.__file__)):
            one_line(self, limbic.Error, limbic.open, path, **options)
        for options in (dict(image_size=-1), dict(image_size=10**30), dict(batch=-1),
                        dict(batch=4097), dict(model="a\0b"), dict(labels="a\0b")):
            one_line(self, ValueError, limbic.open, path, **options)
        for options in (dict(model=3), dict(image_size=1.5), dict(labels=["a"]), dict(batch="8")):
            one_line(self, TypeError, limbic.open, path, **options)
        for source in (None, 3, [path]):
            one_line(self, TypeError, limbic.open, source)
        one_line(self, ValueError, limbic.open, "a\0b")

    def test_closed_is_refused_and_collected_is_freed(self):
        model = open_net()
        prediction = model.predict(photo(1))
        model.close()
        model.close()
        for call in (lambda: model.predict(photo(1)), lambda: model.features([photo(1)]),
                     model.warm_up):
            self.assertIn("freed", one_line(self, limbic.Error, call))
        self.assertEqual(prediction.label, prediction.top(1)[0][0])
        self.assertIn("awe", prediction.json())
        model = open_net()
        freed = model._handle.free
        self.assertTrue(freed.alive)
        del model
        gc.collect()
        self.assertFalse(freed.alive)

    def test_a_model_cannot_be_pickled_its_predictions_can(self):
        with open_net() as model:
            one_line(self, TypeError, pickle.dumps, model)
            one_line(self, TypeError, copy.copy, model)
            prediction = model.predict(photo(1))
            again = pickle.loads(pickle.dumps(prediction))
            self.assertEqual(again.top(3), prediction.top(3))
            one_line(self, limbic.Error, again.json)


class Predicted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = open_net()

    def values(self, given):
        return np.asarray(self.model.predict(given).probabilities)

    def test_one_photo_in_every_form(self):
        pixels = photo(3)
        expected = self.values(pixels)
        self.assertAlmostEqual(expected.sum(), 1)
        path = support.folder() / "photos" / "3.png"
        wide = np.zeros((40, 50, 3), np.uint8)
        wide[:, 7:37] = pixels
        deep = np.zeros((40, 30, 4), np.uint8)
        deep[..., :3] = pixels
        forms = {
            "str": str(path), "Path": path, "bytes": path.read_bytes(),
            "bytearray": bytearray(path.read_bytes()), "memoryview": memoryview(path.read_bytes()),
            "part of a wider": wide[:, 7:37], "of four channels": deep[..., :3],
            "backwards": np.ascontiguousarray(pixels[::-1])[::-1],
            "columns backwards": np.ascontiguousarray(pixels[:, ::-1])[:, ::-1],
            "channels backwards": np.ascontiguousarray(pixels[..., ::-1])[..., ::-1],
            "Fortran": np.asfortranarray(pixels), "every other row": np.repeat(pixels, 2, 0)[::2],
            "every other column": np.repeat(pixels, 2, 1)[:, ::2],
            "read only": np.frombuffer(pixels.tobytes(), np.uint8).reshape(pixels.shape),
        }
        for name, form in forms.items():
            with self.subTest(name):
                np.testing.assert_array_equal(self.values(form), expected)

    def test_shapes_at_the_edge(self):
        one = np.full((1, 1, 3), 9, np.uint8)
        np.testing.assert_array_equal(self.values(one), self.values(png(one)))
        np.testing.assert_array_equal(self.values(np.broadcast_to(np.uint8(9), (5, 4, 3))),
                                      self.values(np.full((5, 4, 3), 9, np.uint8)))
        row = photo(1, (6, 5))[3:4]
        np.testing.assert_array_equal(self.values(row), self.values(row.copy()))
        column = photo(1, (6, 5))[:, 2:3]
        np.testing.assert_array_equal(self.values(column), self.values(column.copy()))

    def test_pixels_go_through_without_a_copy(self):
        kept = []
        pixels = photo(1)[:, 3:9]
        from limbic._model import picture
        self.assertEqual(picture(pixels, kept).rgb, pixels.ctypes.data)
        self.assertEqual(picture(pixels, kept).stride, 90)

    def test_pil(self):
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("Pillow is not installed")
        image = Image.fromarray(photo(3))
        expected = self.values(photo(3))
        np.testing.assert_array_equal(self.values(image), expected)
        np.testing.assert_array_equal(self.values(image.convert("RGBA")), expected)
        grey = image.convert("L")
        np.testing.assert_array_equal(self.values(grey),
                                      self.values(np.repeat(np.asarray(grey)[..., None], 3, 2)))
        palette = image.quantize(16)
        np.testing.assert_array_equal(self.values(palette),
                                      self.values(np.asarray(palette.convert("RGB"))))

    def test_a_list_has_an_answer_for_each(self):
        paths = [support.folder() / "photos" / f"{i}.png" for i in range(12)]
        singly = [self.values(path) for path in paths]
        given = [*paths[:5], b"", "/nowhere.jpg", b"no picture", *paths[5:]]
        answers = self.model.predict(given)
        bad = [i for i, answer in enumerate(answers) if answer.error is not None]
        self.assertEqual(bad, [5, 6, 7])
        for i in bad:
            self.assertIsNone(answers[i].label)
            self.assertIsNone(answers[i].index)
            for ask in (lambda: answers[i].probabilities, answers[i].top):
                self.assertEqual(one_line(self, limbic.Error, ask), answers[i].error)
        good = [answer for answer in answers if answer.error is None]
        for answer, expected in zip(good, singly):
            # Others in the batch change the order of sums at most.
            np.testing.assert_allclose(answer.probabilities, expected, rtol=1e-4, atol=1e-6)
        array = np.stack([photo(i) for i in range(12)])
        for same in (tuple(given), iter(given), np.array(list(map(str, paths)))):
            self.assertIsInstance(self.model.predict(same), list)
        np.testing.assert_allclose([answer.probabilities for answer in self.model.predict(array)],
                                   singly, rtol=1e-4, atol=1e-6)
        self.assertEqual(self.model.predict([]), [])
        many = self.model.predict([photo(1)] * 1100)
        self.assertEqual({answer.label for answer in many}, {self.model.predict(photo(1)).label})

    def test_prediction(self):
        answer = self.model.predict(photo(1))
        values = np.asarray(answer.probabilities)
        self.assertEqual(list(answer.probabilities), ["awe", "fear", "joy"])
        self.assertEqual(dict(answer.probabilities), dict(zip(self.model.labels, values)))
        self.assertEqual(answer.index, values.argmax())
        self.assertEqual(answer.label, self.model.labels[answer.index])
        self.assertEqual([name for name, _ in answer.top(2)],
                         [self.model.labels[i] for i in np.argsort(-values)[:2]])
        self.assertEqual(len(answer.top(99)), 3)
        self.assertIn(answer.label, repr(answer))
        with self.assertRaises(KeyError):
            answer.probabilities["anger"]
        twins = limbic.Probabilities(["crane", "crane", "dog"], np.array([0.1, 0.6, 0.3]))
        self.assertEqual(dict(twins), {"crane": 0.6, "dog": 0.3})
        self.assertEqual(np.asarray(twins).shape, (3,))

    def test_errors_of_one_photo_name_it(self):
        self.assertTrue(one_line(self, limbic.Error, self.model.predict, "/nowhere.jpg")
                        .startswith("/nowhere.jpg: "))
        for given in (b"", b"no picture", support.folder()):
            one_line(self, limbic.Error, self.model.predict, given)

    def test_json_is_a_line(self):
        answer = self.model.predict(photo(1))
        self.assertTrue(answer.json("a.jpg", top=1).startswith('{"image":"a.jpg","top":[{"index":'))
        self.assertTrue(answer.json().startswith('{"top":['))
        self.assertNotIn("\n", answer.json('quote" and\nline'))
        bad, = self.model.predict([b""])
        self.assertEqual(bad.json("ä.jpg"), '{"image":"ä.jpg","error":"is empty"}')

    def test_features(self):
        paths = [support.folder() / "photos" / f"{i}.png" for i in range(12)]
        rows = self.model.features(paths)
        self.assertEqual((rows.shape, rows.dtype), ((12, 64), np.float32))
        np.testing.assert_allclose(self.model.features(photo(3)), rows[3:4], rtol=1e-4, atol=1e-5)
        self.assertEqual(self.model.features([]).shape, (0, 64))
        for bad in ([paths[0], "/nowhere"], [b""], b"no picture"):
            one_line(self, limbic.Error, self.model.features, bad)
        # The classifier over them is what predict computes.
        with limbic.Trainer(limbic.Graph.of("resnet8", 3), 2, (32, 32)) as trainer:
            trainer.load(support.folder() / "net.safetensors")
            weight, bias = trainer.parameters["linear.weight"], trainer.parameters["linear.bias"]
        logits = (rows @ weight.T + bias).astype(float)
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose([answer.probabilities for answer in self.model.predict(paths)],
                                   expected, rtol=1e-4)

    def test_wrong_arguments(self):
        for given in (photo(1).astype(float), photo(1).astype(np.int8), None, 3, [None], [[b"x"]],
                      object(), np.array(3), np.array([1, 2])):
            for ask in (self.model.predict, self.model.features):
                one_line(self, TypeError, ask, given)
        for given in (photo(1)[..., 0], photo(1)[..., :2], photo(1)[:0], photo(1)[:, :0], "a\0b",
                      np.broadcast_to(np.uint8(1), (10**6, 10**6, 3)), np.zeros((1,) * 5, np.uint8)):
            for ask in (self.model.predict, self.model.features):
                one_line(self, ValueError, ask, given)
        answer = self.model.predict(photo(1))
        for k in (-1, 10**30):
            one_line(self, ValueError, answer.top, k)
            one_line(self, ValueError, answer.json, "x", k)
        for k in (None, 1.5, "3"):
            one_line(self, TypeError, answer.top, k)
        one_line(self, ValueError, answer.json, "a\0b")
        for threads in (-1, 5000):
            one_line(self, ValueError, limbic.set_threads, threads)

    def test_many_threads_and_one_that_closes(self):
        model = open_net()
        expected = [model.predict(photo(i)).json() for i in range(8)]
        wrong, refused = [], []

        def ask(number):
            for k in range(25):
                i = (3 * number + k) % 8
                if number == 0 and k == 20:
                    model.close()
                try:
                    if model.predict(photo(i)).json() != expected[i]:
                        wrong.append(i)
                except limbic.Error:
                    refused.append(number)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertGreaterEqual(refused.count(0), 5)

    def test_a_forked_process_is_told(self):
        self.model.predict(photo(1))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.model.predict(photo(1))
                text = "answered"
            except limbic.Error as error:
                text = str(error)
            os.write(writer, text.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            self.assertIn("forked", pipe.read())


MODULE = """
import sys, limbic
path, told = sys.argv[1:]
with limbic.open(path) as model:
    print(model.predict(told).json(told))
    print(model.predict(open(told, "rb").read()).json(told))
"""


@support.needs_program
class SameLine(unittest.TestCase):
    """One photo through the program, the C example and the module: one line. The program comes first
    and leaves what it timed to the others, which are processes of their own."""

    def check(self, path, told, verb, *arguments):
        command = [support.PROGRAM, verb, *arguments, told, "--format", "json", "--quiet"]
        line = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.assertTrue(line.startswith(f'{{"image":"{told}",'), line)
        got = support.python(MODULE, path, told)
        self.assertEqual(got.stdout, 2 * line, got.stderr)
        if self.example().exists():
            got = subprocess.run([self.example(), path, told], capture_output=True, text=True)
            self.assertEqual(got.stdout, line, got.stderr)
        else:
            print(f"{self.example()} is not built: compared with the program alone")

    def example(self):
        return pathlib.Path(support.PROGRAM).parent / "examples" / "c_predict"

    def test_predict_of_a_pipeline(self):
        with limbic.open(support.fitted()) as model:
            self.assertEqual((model.kind, model.labels), ("emotion", ("awe", "fear", "joy")))
        self.check(support.fitted(), str(support.folder() / "photos" / "5.png"), "predict",
                   support.fitted())

    def test_classify_of_a_checkpoint(self):
        path = support.folder() / "net.safetensors"
        self.check(path, str(support.folder() / "photos" / "5.png"), "classify", "--weights", path)

    def test_a_photo_that_is_none(self):
        told = str(support.folder() / "classes.txt")
        if not self.example().exists():
            self.skipTest(f"{self.example()} is not built")
        with open_net() as model:
            bad, = model.predict([told])
        got = subprocess.run([self.example(), support.folder() / "net.safetensors", told],
                             capture_output=True, text=True)
        self.assertEqual(bad.json(told) + "\n", got.stdout)


if __name__ == "__main__":
    unittest.main()
