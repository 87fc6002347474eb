"""A Network (engine.py) computed by PyTorch, in f64 or f32."""
import torch
import torch.nn.functional as F


BUFFERS = ("running_mean", "running_var")


def apply(node, src, p, batch_statistics):
    """One layer of the values src with the parameters p, by last name; running statistics change in
    place."""
    op, x = node["op"], src[0]
    if op == "conv2d":
        return F.conv2d(padded(x, node["padding"], 0), p["weight"], p.get("bias"), node["stride"], 0,
                        node["dilation"], node["groups"])
    if op == "batch_norm":
        return F.batch_norm(x, p["running_mean"], p["running_var"], p["weight"], p["bias"],
                            batch_statistics, node["momentum"], node["epsilon"])
    if op in ("max_pool2d", "avg_pool2d"):
        return pool(node, x)
    if op == "slice_pad":
        (h, w), channels = node["stride"], (node["before"], node["after"])
        return F.pad(x[:, :, ::h, ::w], (0, 0, 0, 0, *channels))
    return {"linear": lambda: F.linear(x, p["weight"], p.get("bias")),
            "adaptive_avg_pool2d": lambda: F.adaptive_avg_pool2d(x, node["output"]),
            "global_avg_pool": lambda: x.mean((2, 3)),
            "relu": lambda: F.relu(x),
            "relu6": lambda: F.relu6(x),
            "dropout": lambda: x.clone(),  # draws nothing; its gradient is not x's
            "flatten": lambda: x.flatten(1),
            "softmax": lambda: F.softmax(x, 1),
            "add": lambda: x + src[1],
            "concat": lambda: torch.cat(src, 1)}[op]()


def padded(x, padding, value):
    top, left, bottom, right = padding
    return F.pad(x, (left, right, top, bottom), value=value)


def pool(node, x):
    kernel, stride, (top, left, bottom, right) = (
        node["kernel_size"], node["stride"], node["padding"])
    is_max, padding = node["op"] == "max_pool2d", (top, left)
    if (top, left) != (bottom, right):  # PyTorch's pools pad both sides alike
        x = padded(x, node["padding"], -float("inf") if is_max else 0)
        padding = 0
    if is_max:
        return F.max_pool2d(x, kernel, stride, padding, ceil_mode=node["ceil_mode"])
    return F.avg_pool2d(x, kernel, stride, padding, node["ceil_mode"], node["count_include_pad"])


class TorchNetwork:
    """The network's layers with parameters of their own, as they are before the first step."""

    def __init__(self, network, dtype, frozen=(), disturb=None):
        """frozen: names or paths, as PlanOptions' are. disturb: a function of a tensor, applied to the
        parameters."""
        within = lambda name: any(name == f or name.startswith(f + ".") for f in frozen)
        self.nodes, self.dtype, self.frozen = network.nodes, dtype, within
        self.parameters = {}
        for name, value in network.parameters.items():
            tensor = torch.tensor(value, dtype=dtype)
            tensor = disturb(tensor) if disturb else tensor
            trainable = not name.endswith(BUFFERS) and not within(name)
            self.parameters[name] = tensor.requires_grad_(trainable)

    def trainable(self):
        return {k: v for k, v in self.parameters.items() if v.requires_grad}

    def forward(self, images, batch_statistics):
        """All values; 0 is the picture."""
        values = [images]
        for node in self.nodes:
            path = node["name"] + "."
            own = {k[len(path):]: v for k, v in self.parameters.items() if k.startswith(path)}
            fixed = self.frozen(path + "running_mean")
            values.append(apply(node, [values[s] for s in node["src"]], own,
                                batch_statistics and not fixed))
        return values


def loss_of(output, loss, diff, labels=None):
    """The cross-entropy that `loss` describes (driver.cpp), else the scalar product with diff."""
    if loss is None:
        return (output * torch.tensor(diff, dtype=output.dtype)).sum()
    weights = torch.tensor(loss["class_weights"], dtype=output.dtype)
    return F.cross_entropy(output, torch.tensor(labels or loss["labels"]),
                           weights if len(weights) else None, ignore_index=-1,
                           label_smoothing=loss["label_smoothing"])


def compute(network, dtype, mode, loss, diff, kept, disturb=None):
    """One run in a mode {"gradients", "batch_statistics", "frozen"}: {what: tensor}, the names being
    driver.cpp's."""
    net = TorchNetwork(network, dtype, mode["frozen"], disturb)
    images = torch.tensor(network.images, dtype=dtype)
    images = (disturb(images) if disturb else images).requires_grad_(mode["gradients"])
    with torch.set_grad_enabled(mode["gradients"]):
        values = net.forward(images, mode["batch_statistics"])
        total = loss_of(values[-1], loss, diff)
    out = {"v%d" % v: values[v].detach() for v in kept}
    if loss is not None:
        out["loss"] = total.detach().reshape(1)
    for name, tensor in net.parameters.items():
        if name.endswith(BUFFERS):
            out["stored." + name] = tensor
    if mode["gradients"]:
        wanted = {"v%d" % v: values[v] for v in {0, *kept}} | net.trainable()
        gradients = torch.autograd.grad(total, list(wanted.values()))
        out.update({"gradient." + k: g for k, g in zip(wanted, gradients)})
    return out
