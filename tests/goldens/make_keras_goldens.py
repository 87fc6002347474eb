"""Small Keras and HDF5 files of every kind that the reader knows, and what they hold.

    KERAS_BACKEND=torch python3 make_keras_goldens.py          writes tests/goldens/keras.zip

Files of Keras' are written by Keras, those of single HDF5 features by h5py in the way of Keras' old
format. expected.json has for each file and tensor, under PyTorch's names and layouts: dtype, shape
and the SHA-256 of the bytes. Made with Keras 3.15.1, h5py 3.16.0, HDF5 2.0.0, torch 2.15.0;
numbered.keras and numbered.weights.h5 with Keras 3.5.0 (argument "numbered", after the others).
"""

import hashlib
import json
import pathlib
import sys
import tempfile
import zipfile
import zlib

import h5py
import keras
import numpy as np
from keras import layers
from keras.src.legacy.saving import legacy_h5_format

ARCHIVE = pathlib.Path(__file__).parent / "keras.zip"
OUT = pathlib.Path(tempfile.mkdtemp())
NAMES = {
    "kernel": "weight", "depthwise_kernel": "weight", "bias": "bias", "gamma": "weight",
    "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var",
}
DTYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32",
          "int16": "I16", "int8": "I8", "uint8": "U8", "bfloat16": "BF16"}
expected = {}


def values(shape, seed, dtype="float32"):
    """Small whole numbers, exact in every dtype."""
    return ((np.arange(np.prod(shape, dtype=int)) * 7 + seed * 13) % 101).reshape(shape).astype(dtype)


def torch_layout(name, value, depthwise=False):
    if depthwise:
        value = value.transpose(2, 3, 0, 1)
        value = value.reshape(-1, 1, *value.shape[2:])
    elif name == "kernel" and value.ndim > 1:
        value = np.moveaxis(value, (-1, -2), (0, 1))
    return np.ascontiguousarray(value)


def expect(file, layer, name, value, depthwise=False):
    value = torch_layout(name, value, depthwise)
    expected.setdefault(file, {})[f"{layer}.{NAMES[name]}"] = [
        DTYPES[str(value.dtype)], list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()[:16]]


def small_layers(scale):
    return [
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, name="conv"),
        layers.BatchNormalization(name="bn"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, name="dw"),
        layers.BatchNormalization(scale=scale, name="bn2"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(5, name="fc"),
    ]


def fill(model, file, rename=None):
    for i, layer in enumerate(model.layers):
        for k, variable in enumerate(layer.weights):
            value = values(variable.shape, 10 * i + k)
            variable.assign(value)
            depthwise = isinstance(layer, layers.DepthwiseConv2D) and variable.name == "kernel"
            expect(file, (rename or {}).get(layer.name, layer.name), variable.name, value, depthwise)


def functional(scale):
    inputs, *rest = small_layers(scale)
    x = inputs
    for layer in rest:
        x = layer(x)
    return keras.Model(inputs, x)


def keras_files():
    model = functional(scale=False)
    for file in ("legacy.h5", "full.h5", "named.keras"):
        fill(model, file)
    with h5py.File(OUT / "legacy.h5", "w", libver="latest") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    model.save(OUT / "full.h5")
    model.save(OUT / "named.keras")
    model.save_weights(OUT / "unscaled.weights.h5")  # refused: is it gamma or beta that lacks?
    model = functional(scale=True)
    fill(model, "named.weights.h5")
    model.save_weights(OUT / "named.weights.h5")
    # A model in a model: the old format puts all weights of the inner one into one group.
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="inner_conv"),
                              layers.BatchNormalization(name="inner_bn")], name="inner")
    outer = keras.Sequential([keras.Input((8, 8, 3)), inner, layers.Flatten(),
                              layers.Dense(2, name="outer_fc")])
    for file in ("nested.h5", "nested.keras"):
        fill(inner, file)
        value = [values(v.shape, 50 + k) for k, v in enumerate(outer.layers[-1].weights)]
        for variable, v in zip(outer.layers[-1].weights, value):
            variable.assign(v)
            expect(file, "outer_fc", variable.name, v)
    with h5py.File(OUT / "nested.h5", "w", libver="latest") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, outer)
    outer.save(OUT / "nested.keras")
    half = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="fc", dtype="bfloat16")])
    for k, variable in enumerate(half.layers[0].weights):
        variable.assign(values(variable.shape, k))
    half.save_weights(OUT / "bfloat16.weights.h5")
    import ml_dtypes
    expect("bfloat16.weights.h5", "fc", "kernel", values((4, 2), 0).astype(ml_dtypes.bfloat16))
    expect("bfloat16.weights.h5", "fc", "bias", values((2,), 1).astype(ml_dtypes.bfloat16))


def numbered_files():
    """Keras before 3.9 wrote no names into the weights."""
    model = functional(scale=False)
    fill(model, "numbered.keras")
    model.save(OUT / "numbered.keras")
    model = functional(scale=True)
    fill(model, "numbered.weights.h5", {"conv": "conv2d", "bn": "batch_normalization", "fc": "dense",
                                        "dw": "depthwise_conv2d", "bn2": "batch_normalization_1"})
    model.save_weights(OUT / "numbered.weights.h5")


def old_format(file, name, weights, text=np.bytes_, create=None):
    """What save_weights_to_hdf5_group does, each part as one likes it."""
    create = create or (lambda group, w, value: group.create_dataset(w, data=value))
    file.attrs["layer_names"] = text(list(weights))
    file.attrs["backend"] = "tensorflow"
    for layer, variables in weights.items():
        group = file.create_group(layer)
        group.attrs["weight_names"] = text([f"{layer}/{v}:0" for v in variables])
        for variable, value in variables.items():
            create(group, f"{layer}/{variable}:0", value)
            rename = layer.replace("/", "_").replace("fc1000", "predictions")
            expect(name, rename, variable, value)


def hdf5_files():
    long_text = lambda names: np.array(names, dtype=h5py.string_dtype())
    # Old groups, old object headers, names as text of variable length.
    with h5py.File(OUT / "old_groups.h5", "w") as f:
        old_format(f, "old_groups.h5", {
            "conv1/conv": {"kernel": values((3, 3, 2, 4), 1)},
            "conv1/bn": {n: values((4,), k) for k, n in
                         enumerate(("gamma", "beta", "moving_mean", "moving_variance"))},
            "fc1000": {"kernel": values((4, 3), 2), "bias": values((3,), 3)},
        }, long_text)

    # Chunks in a B-tree (of two levels for "many"), deflated and shuffled, some over the edge.
    def chunked(group, name, value):
        if "many" in name:
            group.create_dataset(name, data=value, chunks=(1,))
        elif value.ndim == 1:
            group.create_dataset(name, data=value, chunks=(3,), compression="gzip")
        else:
            group.create_dataset(name, data=value, chunks=(2, 2, 3, 5), shuffle=True,
                                 compression="gzip")
    with h5py.File(OUT / "chunked.h5", "w") as f:
        old_format(f, "chunked.h5", {"conv": {"kernel": values((3, 3, 4, 7), 4),
                                              "bias": values((7,), 5)},
                                      "many": {"bias": values((80,), 6)}}, create=chunked)

    # New groups with links and attributes in fractal heaps, a large attribute beside them.
    with h5py.File(OUT / "dense.h5", "w", libver="latest") as f:
        for i in range(10):
            f.attrs[f"attribute_{i}"] = i
        f.attrs["large"] = np.bytes_(b"x" * 5000)
        old_format(f, "dense.h5", {f"layer_{i}": {"bias": values((2,), i)} for i in range(60)})
        names = f.attrs["layer_names"]  # as Keras splits long lists
        del f.attrs["layer_names"]
        f.attrs["layer_names0"], f.attrs["layer_names1"] = names[:30], names[30:]

    # Other indexes of chunks, and compact data.
    def indexed(group, name, value):
        if "single" in name:
            group.create_dataset(name, data=value, chunks=value.shape, compression="gzip")
        elif "plain" in name:
            group.create_dataset(name, data=value, chunks=(2, 2))
        elif "paged" in name:
            group.create_dataset(name, data=value, chunks=(1, 1))
        elif "fixed" in name:
            group.create_dataset(name, data=value, chunks=(2, 2), compression="gzip", shuffle=True)
        else:
            path = name.split("/")
            inner = group.require_group(path[0])
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            if "implicit" in name:
                plist.set_chunk((2, 2))
                plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            else:
                plist.set_layout(h5py.h5d.COMPACT)
            space = h5py.h5s.create_simple(value.shape)
            h5py.h5d.create(inner.id, path[1].encode(), h5py.h5t.IEEE_F32LE, space, plist)
            inner[path[1]][...] = value
    with h5py.File(OUT / "indexes.h5", "w", libver="latest") as f:
        old_format(f, "indexes.h5", {
            "single": {"kernel": values((5, 3), 1)}, "plain": {"kernel": values((5, 3), 2)},
            "fixed": {"kernel": values((5, 3), 3)}, "implicit": {"kernel": values((5, 3), 4)},
            "compact": {"kernel": values((5, 3), 5)}, "paged": {"kernel": values((40, 30), 6)},
        }, create=indexed)

    with h5py.File(OUT / "dtypes.h5", "w", libver="latest") as f:
        old_format(f, "dtypes.h5", {d: {"kernel": values((2, 3), i, d)} for i, d in
                                    enumerate(("float64", "float32", "float16", "int64", "int32",
                                               "int16", "int8", "uint8"))})
    with h5py.File(OUT / "big_endian.h5", "w", libver="latest") as f:
        f.attrs["layer_names"] = np.bytes_(["a"])
        g = f.create_group("a")
        g.attrs["weight_names"] = np.bytes_(["kernel:0"])
        g.create_dataset("kernel:0", data=values((2, 2), 0).astype(">f4"))


def hostile_files():
    """Files that are whole as HDF5 goes, and meant to harm."""
    def one(name, size, chunks):
        file = h5py.File(OUT / name, "w", libver="latest")
        file.attrs["layer_names"] = np.bytes_(["a"])
        group = file.create_group("a")
        group.attrs["weight_names"] = np.bytes_(["bias:0"])
        return file, group.create_dataset("bias:0", (size,), "f4", chunks=chunks, compression="gzip")

    file, data = one("bomb.h5", 40_000_000, (40_000_000,))
    data[...] = 0
    file.close()
    for name, content in (("long_chunk.h5", bytes(50_000_000)), ("short_chunk.h5", bytes(15))):
        file, data = one(name, 8, (4,))
        data[4:] = 1
        data.id.write_direct_chunk((0,), zlib.compress(content, 9))
        file.close()
    file, data = one("missing_chunk.h5", 8, (4,))
    data[4:] = 1
    file.close()
    with h5py.File(OUT / "deep.weights.h5", "w", libver="latest") as f:
        for _ in range(40):
            f = f.create_group("layers/functional")
    with h5py.File(OUT / "loop.weights.h5", "w", libver="latest") as f:
        f.create_group("layers")["functional"] = f


def main():
    keras.utils.set_random_seed(0)
    numbered = sys.argv[1:] == ["numbered"]
    if numbered:
        with zipfile.ZipFile(ARCHIVE) as archive:
            archive.extractall(OUT)
        numbered_files()
        old = json.loads((OUT / "expected.json").read_text())
        expected.update({file: tensors for file, tensors in old.items() if file not in expected})
    else:
        keras_files()
        hdf5_files()
        hostile_files()
    (OUT / "expected.json").write_text(json.dumps(expected, sort_keys=True))
    with zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(OUT.iterdir()):
            member = zipfile.ZipInfo(path.name)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, path.read_bytes())


main()
