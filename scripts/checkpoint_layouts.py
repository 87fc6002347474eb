#!/usr/bin/env python3
"""Checkpoints as people store them, written by the libraries themselves, beside what Limbic makes of them.

    scripts/checkpoint_layouts.py PHOTO [--limbic build/limbic] [--only WORD] [--work FOLDER]

Writes over a hundred layouts one after the other, classifies the photo with each and holds the probabilities against
PyTorch's or Keras' own (1e-4). Prints a line a layout: "right", "named" (refused in a sentence that says what it is, where
that is all that can be done), "wrong". Needs torch, torchvision and safetensors; with timm, transformers and keras (on torch)
theirs too; what is missing is left out. Status 1 where a layout is wrong.
"""
import argparse
import collections
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn

os.environ.setdefault("KERAS_BACKEND", "torch")
torch.manual_seed(0)
OrderedDict = collections.OrderedDict


class MyDict(OrderedDict):
    pass


def randomised(model):
    """Running statistics and weights that are not those of a fresh network."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(0.1 * torch.randn(module.running_mean.shape, generator=generator))
            module.running_var.copy_(1 + torch.rand(module.running_var.shape, generator=generator))
    return model.eval()


def photo_tensor(path):
    image = Image.open(path).convert("RGB")
    width, height = image.size
    side = min(width, height)
    image = image.resize((256 * width // side, 256 * height // side), Image.BILINEAR)
    width, height = image.size
    left, top = round((width - 224) / 2), round((height - 224) / 2)
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / np.float32(255)
    mean, std = np.float32([.485, .456, .406]), np.float32([.229, .224, .225])
    return torch.from_numpy(((pixels - mean) / std).transpose(2, 0, 1).copy())[None]


class Bench:
    def __init__(self, args):
        self.limbic, self.photo, self.only = str(pathlib.Path(args.limbic).resolve()), args.photo, args.only
        self.folder = pathlib.Path(args.work or tempfile.mkdtemp())
        self.x = photo_tensor(args.photo)
        self.counts = collections.Counter()

    def run(self, path, model, extra):
        command = [self.limbic, "--quiet", "classify", "--format", "json", "--top", "100000", "--weights", str(path), *extra]
        command += ["--model", model] if model else []
        done = subprocess.run(command + [self.photo], capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            return None, (done.stderr.strip() or "status %d" % done.returncode).splitlines()[-1]
        top = json.loads(done.stdout)["top"]
        out = np.zeros(len(top))
        for entry in top:
            out[entry["index"]] = entry["probability"]
        return out, ""

    def layout(self, name, write, model, expected, extra=(), named=""):
        """expected: probabilities; or None where `named` must be said."""
        if self.only and self.only not in name:
            return
        path = self.folder / (name.split(":")[-1].strip().replace(" ", "_").replace("/", "_") + ".pth")
        path = write(path) or path
        got, said = self.run(path, model, extra)
        if expected is None:
            verdict = "named" if got is None and named in said else "wrong"
            note = said if got is None else "took it"
        elif got is None:
            verdict, note = "wrong", said
        else:
            difference = np.abs(got - expected).max() if got.shape == expected.shape else 9
            verdict, note = ("right" if difference <= 1e-4 else "wrong"), "%.1e" % difference
        self.counts[verdict] += 1
        print("%-7s %-62s %s" % (verdict, name, note[:150]), flush=True)
        for made in [path] if pathlib.Path(path).is_file() else []:
            os.remove(made)

    def of(self, model, x=None, kind="classes"):
        with torch.no_grad():
            logits = model(self.x if x is None else x)[0]
        if kind == "sigmoid":
            p = torch.sigmoid(logits).numpy()
            return np.array([1 - p[0], p[0]]) if len(p) == 1 else p
        return torch.softmax(logits, 0).numpy()


def save(what, **options):
    return lambda path: torch.save(what() if callable(what) else what, path, **options)


def safe(what):
    from safetensors.torch import save_file

    def write(path):
        path = path.with_suffix(".safetensors")
        save_file({k: v.clone().contiguous() for k, v in what.items()}, path)
        return path
    return write


def pytorch_layouts(b):
    net = randomised(torchvision.models.resnet18(num_classes=10))
    sd, p = net.state_dict(), b.of(net)
    other = randomised(torchvision.models.resnet18(num_classes=10))
    for v in other.state_dict().values():
        if v.dtype.is_floating_point:
            v.mul_(1.1)
    sd2, p2 = other.state_dict(), b.of(other)
    m = "resnet18"
    b.layout("plain", save(sd), m, p)
    b.layout("plain, --model left out", save(sd), None, p)
    b.layout("stream form", save(sd, _use_new_zipfile_serialization=False), m, p)
    for protocol in (2, 3, 4, 5):
        b.layout("pickle protocol %d" % protocol, save(sd, pickle_protocol=protocol), m, p)
    for wrapper in ("state_dict", "model", "model_state_dict", "net", "network", "params", "weights", "model_state", "my_net",
                    "generator", "backbone_weights"):
        b.layout("under " + wrapper, save({"epoch": 3, wrapper: sd, "best_acc": torch.tensor(3.)}), m, p)
    b.layout("under state.model", save({"state": {"model": sd}}), m, p)
    b.layout("under checkpoint.state_dict", save({"checkpoint": {"state_dict": sd}}), m, p)
    optimiser = torch.optim.SGD(net.parameters(), lr=.1, momentum=.9)
    net.train()
    net(torch.randn(2, 3, 64, 64)).sum().backward()
    optimiser.step()
    net.load_state_dict(sd2)
    sd = copy.deepcopy(net.eval().state_dict())
    p = b.of(net)
    b.layout("with optimiser and scheduler", save({"model": sd, "optimizer": optimiser.state_dict(), "scheduler": {"a": 1}}), m, p)
    adam = torch.optim.Adam(net.parameters())
    net(torch.randn(2, 3, 64, 64)).sum().backward()
    adam.step()
    net.load_state_dict(sd)
    net.eval()
    b.layout("with Adam", save({"state_dict": sd, "optim_state": adam.state_dict()}), m, p)
    b.layout("tuple", save((sd, 3)), m, p)
    b.layout("list with optimiser", save([sd, optimiser.state_dict()]), m, p)
    b.layout("subclass of dict", save(MyDict(sd)), m, p)
    b.layout("NumPy arrays", save({k: v.numpy() for k, v in sd.items()}), m, p)
    b.layout("NumPy arrays, protocol 4", save({k: v.numpy() for k, v in sd.items()}, pickle_protocol=4), m, p)
    b.layout("NumPy arrays and a scalar", save({"net": {k: v.numpy() for k, v in sd.items()}, "acc": np.float64(.5)}), m, p)
    b.layout("Parameters", save({k: nn.Parameter(v) if v.dtype.is_floating_point else v for k, v in sd.items()}), m, p)
    b.layout("criterion beside", save({"weights_dict": sd, "criterion": {"weight": torch.ones(10)}}), m, p)
    timm = {"state_dict": sd, "state_dict_ema": {k: v * 1 for k, v in other.state_dict().items()}}
    b.layout("timm's EMA", save(timm), m, p2)
    b.layout("timm's, --state state_dict", save(timm), m, p, ["--state", "state_dict"])
    b.layout("model and model_ema", save({"model": sd, "model_ema": sd2}), m, p)
    b.layout("model_ema by --state", save({"model": sd, "model_ema": sd2}), m, p2, ["--state", "model_ema"])
    two = {"student": sd, "teacher": sd2}
    b.layout("student and teacher", save(two), m, None, named="several networks")
    b.layout("teacher by --state", save(two), m, p2, ["--state", "teacher"])
    b.layout("a name that is not there", save(two), m, None, ["--state", "nobody"], named="has no network")
    twice = {**{"online." + k: v for k, v in sd.items()}, **{"target." + k: v for k, v in sd2.items()}}
    b.layout("online. and target.", save(twice), m, None, named="several networks")
    b.layout("target. by --state", save(twice), m, p2, ["--state", "target"])
    for prefix in ("module.", "model.", "net.", "backbone.", "encoder.", "resnet.", "timm_model.", "base_model.", "_orig_mod.",
                   "_orig_mod.module.", "module._orig_mod.", "model.backbone.", "module.encoder.", "a.b.c.d."):
        renamed = {prefix + k: v for k, v in sd.items()}
        b.layout("prefix " + prefix, save(renamed), m, p)
        b.layout("prefix %s, safetensors" % prefix, safe(renamed), m, p)
    averaged = torch.optim.swa_utils.AveragedModel(net)
    b.layout("AveragedModel", save(averaged.state_dict()), m, p)
    b.layout("AveragedModel under model_ema", save({"model_ema": averaged.state_dict()}), m, p)
    b.layout("backbone. and head.fc", save({("head." + k if k.startswith("fc.") else "backbone." + k): v for k, v in sd.items()}), m, p)
    b.layout("Lightning with hyper_parameters", save({"state_dict": {"model." + k: v for k, v in sd.items()}, "hyper_parameters": {"lr": .1}, "callbacks": {}}), m, p)
    b.layout("Lightning with a criterion", save({"state_dict": {**{"model." + k: v for k, v in sd.items()}, "criterion.weight": torch.ones(10)}}), m, p)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        cast = {k: v.to(dtype) for k, v in sd.items()}
        reference = randomised(torchvision.models.resnet18(num_classes=10))
        reference.load_state_dict({k: v.float() if v.dtype.is_floating_point else v for k, v in cast.items()})
        b.layout("all as %s, counters too" % dtype, save(cast), m, b.of(reference.eval()))
        b.layout("all as %s, safetensors" % dtype, safe(cast), m, b.of(reference.eval()))
    b.layout("counters of shape (1,)", save({k: v.reshape(1) if v.dim() == 0 else v for k, v in sd.items()}), m, p)
    b.layout("counters left out", save({k: v for k, v in sd.items() if v.dim()}), m, p)
    b.layout("counters as int32", save({k: v.int() if v.dim() == 0 else v for k, v in sd.items()}), m, p)
    b.layout("thop's counters", save({**sd, "total_ops": torch.zeros(1), "conv1.total_params": torch.zeros(1)}), m, p)
    pruned = copy.deepcopy(net)
    import torch.nn.utils.prune as prune
    for layer in ("conv1", "layer1.0.conv1", "fc"):
        prune.random_unstructured(pruned.get_submodule(layer), "weight", amount=.3)
    b.layout("pruned", save(pruned.state_dict()), m, b.of(pruned))
    b.layout("channels last", save({k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in sd.items()}), m, p)
    headless = {k: v for k, v in sd.items() if not k.startswith("fc")}
    b.layout("no head", save(headless), m, None, named="has no classifier")
    for name, head in (("Dropout, Linear", nn.Sequential(nn.Dropout(.5), nn.Linear(512, 7))), ("one Linear in a Sequential", nn.Sequential(nn.Linear(512, 7))),
                       ("without bias", nn.Linear(512, 7, bias=False)),
                       ("MLP", nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Dropout(.2), nn.Linear(64, 7))),
                       ("MLP of three", nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 7))),
                       ("two Linear side by side", nn.Sequential(nn.Linear(512, 64), nn.Linear(64, 7)))):
        tuned = copy.deepcopy(net)
        tuned.fc = head
        b.layout("head: " + name, save(tuned.eval().state_dict()), m, b.of(tuned))
    norm = copy.deepcopy(net)
    norm.fc = nn.Sequential(nn.Linear(512, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 7))
    b.layout("head: with batch norm", save(norm.state_dict()), m, None, named="unexpected")
    for name in ("classifier", "head", "linear", "last_layer"):
        b.layout("head called " + name, save({k.replace("fc.", name + "."): v for k, v in sd.items()}), m, p)
    one = copy.deepcopy(net)
    one.fc = nn.Linear(512, 1)
    b.layout("one output", save(one.state_dict()), m, b.of(one, kind="sigmoid"))
    children = nn.Sequential(*net.children())
    b.layout("Sequential(*children())", save(children.state_dict()), m, p)
    b.layout("Sequential(*children()[:-1])", save(nn.Sequential(*list(net.children())[:-1]).state_dict()), m, None, named="has no classifier")
    body = nn.Sequential(nn.Sequential(*list(net.children())[:-2]), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.fc))
    b.layout("fastai's body and head", save({"model": body.state_dict()}), m, p)
    b.layout("fastai's learner", save({"model": body.state_dict(), "opt": {}}), m, p)
    b.layout("class_to_idx beside", save({"state_dict": sd, "class_to_idx": {"c%d" % i: i for i in range(10)}}), m, p)
    nan = copy.deepcopy(sd)
    nan["layer1.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    b.layout("NaN", save(nan), m, None, named="NaN")
    b.layout("another network's", save(randomised(torchvision.models.resnet34(num_classes=10)).state_dict()), m, None, named="--model resnet34")
    b.layout("a whole module", save(lambda: net), m, None, named="whole module")
    b.layout("model.state_dict without ()", save(lambda: net.state_dict), m, None, named="parentheses")
    b.layout("TorchScript", lambda path: torch.jit.save(torch.jit.script(net), path), m, None, named="TorchScript")
    b.layout("a meta tensor", save({**sd, "fc.weight": torch.empty(10, 512, device="meta")}), m, None, named="meta tensor")
    b.layout("an optimiser alone", save(optimiser.state_dict()), m, None, named="expected a state dict")
    b.layout("integer keys", save({i: v for i, v in enumerate(sd.values())}), m, None, named="without names")

    def zipped(path):
        torch.save(sd, str(path) + ".inner")
        with zipfile.ZipFile(str(path) + ".zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(str(path) + ".inner", "folder/weights.pth")
            archive.writestr("README", "hello")
        os.remove(str(path) + ".inner")
        return str(path) + ".zip"
    b.layout("alone in a zip", zipped, m, p)

    def shards(path):
        from safetensors.torch import save_file
        names = sorted(sd)
        index = {"metadata": {}, "weight_map": {}}
        for i in range(3):
            part = "part-%d.safetensors" % i
            save_file({k: sd[k].clone() for k in names[i::3]}, b.folder / part)
            index["weight_map"].update({k: part for k in names[i::3]})
        (b.folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return b.folder / "model.safetensors.index.json"
    b.layout("shards and their index", shards, m, p)
    for name, network in (("densenet121", torchvision.models.densenet121(num_classes=10)), ("mobilenet_v2", torchvision.models.mobilenet_v2(num_classes=10)),
                          ("squeezenet1_1", torchvision.models.squeezenet1_1(num_classes=10)), ("resnet50", torchvision.models.resnet50(num_classes=10))):
        randomised(network)
        own, q = network.state_dict(), b.of(network)
        b.layout(name, save(own), name, q)
        b.layout(name + ", module. and --model left out", save({"module." + k: v for k, v in own.items()}), None, q)
        b.layout(name + ": features.module.", save({k.replace("features.", "features.module.", 1): v for k, v in own.items()}), name, q)
        if name == "densenet121":
            import re
            old = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)\.", r"\1.\2.", k): v for k, v in own.items()}
            b.layout("densenet121: names before 0.4, safetensors", safe(old), name, q)
        if name != "resnet50":
            b.layout(name + ": Sequential(*children())", save(nn.Sequential(*network.children()).state_dict()), name, q)
    for name in ("resnext50_32x4d", "wide_resnet50_2"):
        network = randomised(getattr(torchvision.models, name)(num_classes=10))
        b.layout(name, save(network.state_dict()), name, b.of(network))
        b.layout(name + ", --model left out", save(network.state_dict()), None, b.of(network))
    vgg = randomised(torchvision.models.vgg16(num_classes=10))
    own, q = vgg.state_dict(), b.of(vgg)
    b.layout("vgg16", save(own), "vgg16", q)
    b.layout("vgg16: first names", save({k.replace("classifier.3.", "classifier.4.").replace("classifier.0.", "classifier.1."): v for k, v in own.items()}), "vgg16", q)


def timm_layouts(b):
    import timm
    for name, ours in (("resnet18", "resnet18"), ("resnet50", "resnet50"), ("densenet121", "densenet121"), ("vgg16_bn", "vgg16_bn"), ("mobilenetv2_100", "mobilenet_v2")):
        net = randomised(timm.create_model(name, num_classes=10))
        b.layout("timm %s" % name, save(net.state_dict()), ours, b.of(net))
        b.layout("timm %s, safetensors" % name, safe(net.state_dict()), ours, b.of(net))
        bare = randomised(timm.create_model(name, num_classes=0))
        b.layout("timm %s, num_classes=0" % name, save(bare.state_dict()), ours, None, named="has no classifier")
    for name in ("resnet18d", "resnet26d", "resnet34d", "resnet50d", "resnet101d"):
        net = randomised(timm.create_model(name, num_classes=10))
        b.layout("timm %s" % name, save(net.state_dict()), name, b.of(net), ["--preset", "torchvision"])
        b.layout("timm %s, --model left out" % name, save(net.state_dict()), None, b.of(net), ["--preset", "torchvision"])


def transformers_layouts(b):
    import transformers
    for depths, kind, ours in (([2, 2, 2, 2], "basic", "resnet18"), ([3, 4, 6, 3], "bottleneck", "resnet50")):
        sizes = [64, 128, 256, 512] if kind == "basic" else [256, 512, 1024, 2048]
        config = transformers.ResNetConfig(depths=depths, hidden_sizes=sizes, layer_type=kind, num_labels=10)
        net = randomised(transformers.ResNetForImageClassification(config))
        with torch.no_grad():
            p = torch.softmax(net(b.x).logits[0], 0).numpy()
        b.layout("transformers %s, bin" % ours, save(net.state_dict()), ours, p)
        b.layout("transformers %s, safetensors" % ours, safe(net.state_dict()), ours, p)
        b.layout("transformers %s, --model left out" % ours, safe(net.state_dict()), None, p)

        def folder(path):
            net.save_pretrained(b.folder / ("hf_" + ours))
            return b.folder / ("hf_" + ours)
        b.layout("transformers %s, its folder" % ours, folder, ours, p)
        bare = randomised(transformers.ResNetModel(config))
        b.layout("transformers %s, without head" % ours, safe(bare.state_dict()), ours, None, named="has no classifier")


def keras_layouts(b):
    import keras
    image = Image.open(b.photo).convert("RGB").resize((224, 224), Image.NEAREST)
    pixels = np.asarray(image, np.float32)[None]
    inputs = {"tf": pixels / 127.5 - 1, "caffe": pixels[..., ::-1] - np.float32([103.939, 116.779, 123.68]),
              "torch": (pixels / 255 - np.float32([.485, .456, .406])) / np.float32([.229, .224, .225])}
    applications = keras.applications
    for maker, ours, kind in ((applications.MobileNet, "keras_mobilenet", "tf"), (applications.MobileNetV2, "keras_mobilenet_v2", "tf"),
                              (applications.VGG19, "keras_vgg19", "caffe"), (applications.ResNet50V2, "keras_resnet50_v2", "tf"),
                              (applications.ResNet101V2, "keras_resnet101_v2", "tf")):
        keras.utils.set_random_seed(2)
        net = maker(weights=None, classes=10)
        random = np.random.default_rng(1)
        for w in net.weights:
            if "variance" in w.path:
                w.assign(1 + random.random(w.shape))
            if "moving_mean" in w.path or "conv1_conv/bias" in w.path:
                w.assign(.1 * random.standard_normal(w.shape) - .3)
        p = np.asarray(keras.ops.convert_to_numpy(net(inputs[kind], training=False)))[0]
        for ending in (".keras", ".h5"):
            def whole(path, net=net, ending=ending):
                path = path.with_suffix(ending)
                net.save(path)
                return path
            b.layout(ours + ending, whole, ours, p)
        b.layout(ours + ".h5, --model left out", whole, None, p, ["--preset", "keras-" + kind])
    for maker, ours, kind in ((applications.ResNet50, "keras_resnet50", "caffe"), (applications.DenseNet121, "keras_densenet121", "torch"),
                              (applications.VGG16, "vgg16", "caffe")):
        keras.utils.set_random_seed(3)
        net = maker(weights=None, classes=10)
        bare = maker(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))
        x = bare.output
        headed = keras.Model(bare.input, keras.layers.Dense(10, activation="softmax", name="my_dense")(keras.layers.Dropout(.3)(x)))
        many = keras.Model(bare.input, keras.layers.Dense(5, activation="sigmoid")(x))
        yes = keras.Model(bare.input, keras.layers.Dense(1, activation="sigmoid")(x))
        for model, what in ((net, ""), (headed, " with a head of its own"), (many, ", sigmoids"), (yes, ", one sigmoid")):
            if maker is applications.VGG16 and what:
                continue
            p = np.asarray(keras.ops.convert_to_numpy(model(inputs[kind], training=False)))[0]
            p = np.array([1 - p[0], p[0]]) if len(p) == 1 else p
            preset = ["--preset", "keras-" + kind]
            for ending in (".keras", ".h5"):
                def write(path, model=model, ending=ending):
                    path = path.with_suffix(ending)
                    model.save(path)
                    return path
                b.layout("%s%s%s" % (ours, what, ending), write, ours, p, preset)
        if maker is not applications.VGG16:
            def notop(path):
                path = path.with_suffix(".weights.h5")
                bare.save_weights(path)
                return path
            largest = keras.Model(bare.input, keras.layers.Dense(10, activation="softmax")(keras.layers.GlobalMaxPooling2D()(bare.layers[-2].output)))

            def maximum(path):
                path = path.with_suffix(".keras")
                largest.save(path)
                return path
            b.layout(ours + " without top, weights.h5", notop, ours, None, named="has no classifier")
            b.layout(ours + " with maximum pooling", maximum, ours, None, ["--preset", "keras-" + kind], named="maximum pooling")
            scaled_in = keras.Input((224, 224, 3))
            rescaled = keras.Model(scaled_in, net(keras.layers.Rescaling(1 / 127.5, offset=-1)(scaled_in)))
            p = np.asarray(keras.ops.convert_to_numpy(rescaled(pixels, training=False)))[0]

            def rescaling(path):
                path = path.with_suffix(".keras")
                rescaled.save(path)
                return path
            b.layout(ours + " with Rescaling inside", rescaling, ours, p)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("--limbic", default="build/limbic")
    parser.add_argument("--only")
    parser.add_argument("--work")
    b = Bench(parser.parse_args())
    for part in (pytorch_layouts, timm_layouts, transformers_layouts, keras_layouts):
        try:
            part(b)
        except ImportError as error:
            print("left out: %s (%s)" % (part.__name__, error))
    print(", ".join("%d %s" % (n, verdict) for verdict, n in sorted(b.counts.items())))
    sys.exit(b.counts["wrong"] > 0)


if __name__ == "__main__":
    main()
