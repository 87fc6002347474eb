"""Numbers that C++ and Python make alike: tests/reference/deterministic.h is the twin of this file.

Element i of a tensor named `name` is u = 2 * (splitmix64(fnv1a(name) + i) >> 40) / 2^24 - 1, in
[-1, 1), scaled by what kind of parameter it is.
"""
import numpy as np

MASK = (1 << 64) - 1


def fnv1a(name):
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def uniform(name, shape):
    n = int(np.prod(shape)) if len(shape) else 1
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a(name)) + np.arange(n, dtype=np.uint64)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1
    return u.reshape(shape)


def parameter(name, shape):
    """Weights after He et al., mild norms, running statistics (0, 1)."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_mean"):
        return np.zeros(shape, np.float32)
    if name.endswith("running_var"):
        return np.ones(shape, np.float32)
    u = uniform(name, shape)
    if len(shape) > 1:
        return (u * np.sqrt(6 / np.prod(shape[1:]))).astype(np.float32)
    if name.endswith("weight"):
        return (0.3 + 0.1 * u).astype(np.float32)
    return (0.5 * u).astype(np.float32)


def load(model):
    import torch
    state = {k: torch.from_numpy(np.array(parameter(k, tuple(v.shape))))
             for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    return model
