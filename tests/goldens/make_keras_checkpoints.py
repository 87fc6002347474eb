"""Whole networks of keras.applications with random weights, in every form that Keras saves, and the
logits that Keras itself gives for three photos. The files are large and stay out of the repository.

    KERAS_BACKEND=torch python3 make_keras_checkpoints.py ResNet101 PHOTOS OUT

PHOTOS is a folder of pictures: eight, spread evenly, calibrate the running statistics in one pass,
so that logits differ between photos; three more are asked, as PNG, so that no two JPEG decoders differ.
Written are OUT/NAME.weights_only.h5 and
OUT/NAME.full.h5 (the old format), OUT/NAME.weights.h5 and OUT/NAME.keras (Keras 3), and
OUT/NAME.json: the logits of the pictures in OUT/asked/photos. Made with Keras 3.15.1, h5py 3.16.0, torch 2.15.0.
"""

import json
import pathlib
import sys

import h5py
import keras
import numpy as np
from keras.src.legacy.saving import legacy_h5_format

MODULES = {"ResNet": keras.applications.resnet, "DenseNet": keras.applications.densenet}


def randomise(model, rng):
    for layer in model.layers:
        for variable in layer.weights:
            shape, name = variable.shape, variable.name
            if name in ("gamma", "moving_variance"):
                value = rng.uniform(0.5, 1.5, shape)
            elif name in ("beta", "moving_mean", "bias"):
                value = rng.normal(0, 0.1, shape)
            else:
                value = rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
            variable.assign(value.astype("float32"))


def calibrate(model, pictures):
    """Running statistics become those of one batch, which momentum 0 takes as they are."""
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(pictures, training=True)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


def main():
    name, photos, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    module = next(module for prefix, module in MODULES.items() if name.startswith(prefix))
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    paths = sorted(path for path in photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))

    def load(chosen):
        size = (224, 224)
        pictures = [keras.utils.load_img(path, target_size=size) for path in chosen]
        return module.preprocess_input(np.stack([keras.utils.img_to_array(p) for p in pictures]))

    randomise(model, np.random.default_rng(7))
    calibrate(model, load(paths[:: len(paths) // 8][:8]))
    folder = out / "asked" / "photos"
    folder.mkdir(parents=True, exist_ok=True)
    asked = [folder / f"{k}.png" for k in (1, 2, 3)]
    for k, path in enumerate(asked):
        keras.utils.load_img(paths[len(paths) * (k + 1) // 4 + 1]).save(path)
    logits = np.asarray(model.predict(load(asked), verbose=0))
    difference = np.linalg.norm(logits[0] - logits[1]) / np.linalg.norm(logits[0])
    print(f"{name}: logits {logits.min():.3f} to {logits.max():.3f}, between photos {difference:.3f}")

    with h5py.File(out / f"{name}.weights_only.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    model.save(out / f"{name}.full.h5")
    model.save_weights(out / f"{name}.weights.h5")
    model.save(out / f"{name}.keras")
    answers = {path.name: row.tolist() for path, row in zip(asked, logits)}
    (out / f"{name}.json").write_text(json.dumps(answers))


main()
