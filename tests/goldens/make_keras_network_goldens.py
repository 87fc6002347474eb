"""Writes keras_networks.json: stages of Keras' networks in f64, weights and input as
tests/reference/deterministic.h makes them.

    KERAS_BACKEND=torch python3 tests/goldens/make_keras_network_goldens.py

Made with Keras 3.15.1 and torch 2.15.0. Parameters are counted as Keras does.
"""
import json
import os
import sys

import keras
import numpy as np
from keras import layers

sys.path.insert(0, os.path.dirname(__file__))
from deterministic import fnv1a, parameter, uniform  # noqa: E402

CLASSES = 8
NAMES = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias",
         "moving_mean": "running_mean", "moving_variance": "running_var"}


def resnet8():
    def conv_norm(x, filters, kernel, strides):
        return layers.BatchNormalization()(layers.Conv2D(filters, kernel, strides, "same")(x))

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(conv_norm(inputs, 16, 3, 1))
    for stage in range(3):
        filters, strides = 16 << stage, 2 if stage else 1
        y = layers.ReLU()(conv_norm(x, filters, 3, strides))
        y = layers.Conv2D(filters, 3, 1, "same")(y)
        x = layers.Conv2D(filters, 1, strides, "same")(x) if stage else x
        x = layers.Add()([x, layers.BatchNormalization()(y)])
        x = layers.ReLU(name=f"stage{stage + 1}")(x)
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(inputs, layers.Dense(CLASSES, name="dense")(x))


def mobilenet():
    inputs = keras.Input((96, 96, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, 2, "same")(inputs)))
    for filters, strides in zip((16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256),
                                (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)):
        x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, strides, "same")(x)))
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(filters, 1, 1, "same")(x)))
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    return keras.Model(inputs, layers.Dense(CLASSES, name="dense")(x))


def application(make):
    return lambda: make(weights=None, input_shape=(64, 64, 3), classes=CLASSES,
                        classifier_activation=None)


BLOCKS = {"resnet50": (3, 4, 6, 3), "densenet121": (6, 12, 24, 16)}
NETWORKS = {
    "keras_resnet50": (application(keras.applications.ResNet50), ["pool1_pool"] + [
        f"conv{i + 2}_block{n}_out" for i, n in enumerate(BLOCKS["resnet50"])]),
    "keras_densenet121": (application(keras.applications.DenseNet121), [
        f"conv{i + 2}_block{n}_concat" for i, n in enumerate(BLOCKS["densenet121"])]),
    "keras_resnet8": (resnet8, ["stage1", "stage2", "stage3"]),
    "keras_mobilenet_025_96": (mobilenet, []),
}


def value(layer, variable):
    """The twin's numbers under PyTorch's name and layout, turned into Keras' layout."""
    name = f"{layer.name}.{NAMES[variable.name]}"
    shape = tuple(variable.shape)
    if variable.name == "moving_mean":
        return 0.1 * uniform(name, shape)
    if variable.name == "moving_variance":
        return 1 + 0.3 * uniform(name, shape)
    if isinstance(layer, layers.DepthwiseConv2D) and len(shape) == 4:
        return parameter(name, (shape[2], 1, shape[0], shape[1])).transpose(2, 3, 0, 1)
    if len(shape) == 4:
        return parameter(name, (shape[3], shape[2], shape[0], shape[1])).transpose(2, 3, 1, 0)
    if len(shape) == 2:
        return parameter(name, shape[::-1]).T
    return parameter(name, shape)


def samples(name, array, count):
    flat = np.moveaxis(array, -1, 1).reshape(-1) if array.ndim == 4 else array.reshape(-1)
    at = [(fnv1a(name) + 7919 * k) % flat.size for k in range(count)]
    return {"norm": float("%.6g" % np.linalg.norm(flat)),
            "values": [float("%.6g" % flat[i]) for i in at]}


def golden(make, stages):
    keras.backend.clear_session()
    model = make()
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(np.float64(np.float32(value(layer, variable))))
    shape = (2, 3, *model.input_shape[1:3])
    x = (1.7 * uniform("input", shape)).astype(np.float32).astype(np.float64)
    outputs = [model.get_layer(name).output for name in stages] + [model.output]
    results = keras.Model(model.input, outputs)(x.transpose(0, 2, 3, 1), training=False)
    results = [keras.ops.convert_to_numpy(r) for r in (results if stages else [results])]
    out = {name: samples(name, r, 6) for name, r in zip(stages + ["logits"], results)}
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    return {"shape": shape, "classes": CLASSES, "trainable": trainable, "stages": out}


def main():
    keras.config.set_floatx("float64")
    goldens = {name: golden(make, stages) for name, (make, stages) in NETWORKS.items()}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keras_networks.json")
    with open(path, "w") as f:
        lines = [f"{json.dumps(name)}: {json.dumps(g, separators=(',', ':'))}"
                 for name, g in goldens.items()]
        f.write("{\n" + ",\n".join(lines) + "\n}\n")
    print(path, os.path.getsize(path))


main()
