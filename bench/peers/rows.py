"""The rows of the table: what is run, beside whom, and the ratio that is aimed at."""
from dataclasses import dataclass, field


# Every other engine, as tables call it.
PEERS = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "pytorch": "PyTorch",
         "inductor": "PyTorch compiled", "ncnn": "ncnn", "executorch": "XNNPACK"}


@dataclass
class Contender:
    """`engine` is "limbic", the shared build, "limbic-static" or one of worker.py's; `options` are
    further arguments of its worker."""
    engine: str
    dtype: str = "f32"
    options: list = field(default_factory=list)
    note: str = ""             # what tells it from another of the same engine
    goal: float = 0            # its time / our time; 0: shown for information
    memory_goal: float = 0     # our memory / its memory
    after_imports: bool = False  # of a photo: its clock starts when its modules are loaded

    def label(self):
        name = {**PEERS, "limbic": "Limbic", "limbic-static": "Limbic, static file"}[self.engine]
        return " ".join(filter(None, (name, self.dtype, self.note)))


@dataclass
class Row:
    name: str
    network: str
    mode: str                  # infer, train or photo
    dtype: str
    batch_size: int
    peers: list
    rounds: int = 11
    short: bool = False        # of the short form


def one_picture(network, goal=1.1, short=False):
    peers = [Contender("limbic-static"), Contender("onnxruntime", goal=goal), Contender("openvino"),
             Contender("pytorch"), Contender("inductor"), Contender("ncnn"),
             Contender("executorch")]
    return Row(network + "-f32-1", network, "infer", "f32", 1, peers, 101, short)


def inference(network, goal_8, goal_1, goal_bf16):
    ort, openvino = "onnxruntime", "openvino"
    bf16_weights = Contender("pytorch", "bf16", ["--bf16-weights"], "weights")
    return [
        Row(network + "-f32-8", network, "infer", "f32", 8,
            [Contender("limbic-static"), Contender(ort, goal=goal_8),
             Contender(openvino, goal=1.05), Contender("pytorch"), Contender("inductor")]),
        one_picture(network, goal_1),
        Row(network + "-bf16-8", network, "infer", "bf16", 8,
            [Contender("pytorch", "bf16", [], "autocast", goal=goal_bf16), bf16_weights,
             Contender(openvino, "bf16")]),
        Row(network + "-int8-8", network, "infer", "int8", 8,
            [Contender(ort, goal=3.2), Contender(ort, "int8", goal=1.1),
             Contender(openvino, "int8", goal=1.1)]),
    ]


def training(network, goal_f32, goal_bf16, memory_goal):
    rows = []
    for dtype, goal in (("f32", goal_f32), ("bf16", goal_bf16)):
        note = "autocast" if dtype == "bf16" else ""
        peers = [Contender("pytorch", dtype, [], note, goal, memory_goal)]
        if network.startswith("densenet"):
            peers.append(Contender("pytorch", dtype, ["--memory-efficient"],
                                   (note + " memory_efficient").strip(), goal, memory_goal))
        if dtype == "f32":
            peers.append(Contender("inductor", dtype))
        rows.append(Row("%s-train-%s" % (network, dtype), network, "train", dtype, 8, peers))
    return rows


ROWS = [
    *inference("resnet101", 1.10, 1.10, 1.4),
    *inference("densenet201", 1.15, 1.10, 1.5),
    one_picture("resnet18", short=True),
    one_picture("resnet50"),
    one_picture("densenet121"),
    one_picture("squeezenet1_1", short=True),
    one_picture("mobilenet_v2", short=True),
    Row("efficientnet_lite0-f32-8", "efficientnet_lite0", "infer", "f32", 8,
        [Contender("limbic-static"), Contender("onnxruntime", goal=1.1), Contender("openvino"),
         Contender("pytorch")]),
    one_picture("efficientnet_lite0"),
    one_picture("alexnet", short=True),
    one_picture("vgg16"),
    *training("resnet101", 1.2, 1.3, 0.6),
    *training("densenet201", 1.5, 1.7, 0.4),
    Row("resnet20-train-f32", "resnet20", "train", "f32", 128,
        [Contender("pytorch", "f32", ["--layout", "channels_last"], "channels_last", 2, 0.6),
         Contender("pytorch", "f32", ["--layout", "contiguous"], "contiguous", 2, 0.6),
         Contender("inductor")], 31, True),
    Row("one-photo", "photo", "photo", "f32", 1,
        [Contender("onnxruntime", goal=3, note="whole process"),
         Contender("pytorch", goal=2, note="after its imports", after_imports=True)]),
]
