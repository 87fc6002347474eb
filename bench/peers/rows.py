"""The rows of the table: what is run, beside whom, and the ratio that is aimed at."""
from dataclasses import dataclass, field


@dataclass
class Contender:
    """`engine` is "limbic" or one of worker.py's; `options` are further arguments of its worker."""
    engine: str
    dtype: str = "f32"
    options: list = field(default_factory=list)
    note: str = ""             # what tells it from another of the same engine
    goal: float = 0            # its time / our time; 0: shown for information
    memory_goal: float = 0     # our memory / its memory
    after_imports: bool = False  # of a photo: its clock starts when its modules are loaded

    def label(self):
        name = {"limbic": "Limbic", "pytorch": "PyTorch", "onnxruntime": "ONNX Runtime",
                "openvino": "OpenVINO"}[self.engine]
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


def inference(network, goal_8, goal_1, goal_bf16):
    ort, openvino = "onnxruntime", "openvino"
    bf16_weights = Contender("pytorch", "bf16", ["--bf16-weights"], "weights")
    return [
        Row(network + "-f32-8", network, "infer", "f32", 8,
            [Contender(ort, goal=goal_8), Contender(openvino, goal=1.05), Contender("pytorch")]),
        Row(network + "-f32-1", network, "infer", "f32", 1,
            [Contender(ort, goal=goal_1), Contender(openvino), Contender("pytorch")], rounds=31),
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
        rows.append(Row("%s-train-%s" % (network, dtype), network, "train", dtype, 8, peers))
    return rows


ROWS = [
    *inference("resnet101", 1.10, 1.10, 1.4),
    *inference("densenet201", 1.15, 1.10, 1.5),
    *training("resnet101", 1.2, 1.3, 0.6),
    *training("densenet201", 1.5, 1.7, 0.4),
    Row("resnet20-train-f32", "resnet20", "train", "f32", 128,
        [Contender("pytorch", "f32", ["--layout", "channels_last"], "channels_last", 2, 0.6),
         Contender("pytorch", "f32", ["--layout", "contiguous"], "contiguous", 2, 0.6)], rounds=31),
    Row("one-photo", "photo", "photo", "f32", 1,
        [Contender("onnxruntime", goal=3, note="whole process"),
         Contender("pytorch", goal=2, note="after its imports", after_imports=True)]),
]
