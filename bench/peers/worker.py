"""One engine, one network, one way of running it, behind the driver's protocol (protocol.py).

    python3 worker.py ENGINE --material FOLDER --network N --batch-size B --mode infer|train ...
"""
import argparse

import numpy as np

import protocol
import safetensors
from material import pictures_file

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 1e-3, 0.9, 1e-4


def read_pictures(o):
    tensors = safetensors.read(pictures_file(o.material, o.network, o.batch_size))
    return tensors["images"], tensors["labels"]


def pytorch_model(o):
    import torch
    from material import fresh_model

    options = {"memory_efficient": True} if o.memory_efficient else {}
    model = fresh_model(o.network, **options)
    weights = safetensors.read("%s/%s.safetensors" % (o.material, o.network))
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
    return model


def serve_inductor(o):
    """PyTorch compiled by inductor; in inference its weights are frozen into the program."""
    import torch
    import torch._inductor.config

    torch._inductor.config.freezing = o.mode == "infer"
    serve_pytorch(o, torch.compile)


def serve_pytorch(o, compiled=lambda model: model):
    """Eager PyTorch. bf16 is autocast; --bf16-weights stores the whole network in bf16 instead."""
    import torch
    import torchvision

    torch.set_num_threads(o.threads)
    baseline_mb = protocol.baseline()
    layout = torch.channels_last if o.layout == "channels_last" else torch.contiguous_format
    model = pytorch_model(o).to(memory_format=layout)
    images, labels = (torch.from_numpy(a) for a in read_pictures(o))
    images = images.contiguous(memory_format=layout)
    autocast = torch.autocast("cpu", torch.bfloat16,
                              enabled=o.dtype == "bf16" and not o.bf16_weights)
    if o.bf16_weights:
        model, images = model.bfloat16(), images.bfloat16()
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    result = []
    network = compiled(model.train(o.mode == "train"))

    def infer():
        with torch.no_grad(), autocast:
            result[:] = [network(images)]

    sgd = torch.optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM, weight_decay=WEIGHT_DECAY)

    def step():
        sgd.zero_grad()
        with autocast:
            loss = torch.nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        sgd.step()
        result.append(loss.item())

    protocol.serve(step if o.mode == "train" else infer,
                   lambda: result[0] if o.mode == "train" else result[0].float().numpy(),
                   baseline_mb, versions)


def onnx_file(o):
    suffix = "-int8" if o.dtype == "int8" else ""
    if suffix and o.engine == "openvino":
        suffix += "-openvino"
    return "%s/%s-%d%s.onnx" % (o.material, o.network, o.batch_size, suffix)


def serve_onnxruntime(o):
    import onnxruntime

    baseline_mb = protocol.baseline()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = o.threads
    session = onnxruntime.InferenceSession(onnx_file(o), options, ["CPUExecutionProvider"])
    images, _ = read_pictures(o)
    result = []

    def infer():
        result[:] = session.run(None, {"images": images})

    protocol.serve(infer, lambda: result[0], baseline_mb,
                   {"onnxruntime": onnxruntime.__version__})


def serve_openvino(o):
    """f32 and bf16 are asked for by name: OpenVINO would choose for itself. An int8 network runs
    its other layers in f32."""
    import openvino

    baseline_mb = protocol.baseline()
    compiled = openvino.Core().compile_model(onnx_file(o), "CPU", {
        "INFERENCE_NUM_THREADS": o.threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if o.dtype == "bf16" else "f32"})
    request = compiled.create_infer_request()
    images, _ = read_pictures(o)

    def infer():
        request.infer({0: images}, share_inputs=True)

    protocol.serve(infer, lambda: request.get_output_tensor(0).data.astype("f4"), baseline_mb,
                   {"openvino": openvino.__version__})


def serve_ncnn(o):
    import ncnn

    baseline_mb = protocol.baseline()
    net = ncnn.Net()
    net.opt.num_threads = o.threads
    for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, "use_" + half, False)  # its own choice is f16 in memory
    stem = "%s/%s-ncnn/model.ncnn" % (o.material, o.network)
    if net.load_param(stem + ".param") or net.load_model(stem + ".bin"):
        raise OSError(stem + ": cannot be read")
    images, _ = read_pictures(o)
    picture, result = ncnn.Mat(images[0]).clone(), []

    def infer():
        extractor = net.create_extractor()
        extractor.input("in0", picture)
        result[:] = [extractor.extract("out0")[1]]

    protocol.serve(infer, lambda: np.array(result[0]), baseline_mb, {"ncnn": ncnn.__version__})


def serve_executorch(o):
    """ExecuTorch with XNNPACK's kernels."""
    import importlib.metadata

    import torch
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
    from executorch.runtime import Runtime

    _unsafe_reset_threadpool(o.threads)
    baseline_mb = protocol.baseline()
    program = Runtime.get().load_program("%s/%s.pte" % (o.material, o.network))
    method = program.load_method("forward")
    images, _ = read_pictures(o)
    picture, result = torch.from_numpy(images), []

    def infer():
        result[:] = method.execute([picture])

    protocol.serve(infer, lambda: result[0].numpy(), baseline_mb,
                   {"executorch": importlib.metadata.version("executorch")})


ENGINES = {"pytorch": serve_pytorch, "inductor": serve_inductor, "onnxruntime": serve_onnxruntime,
           "openvino": serve_openvino, "ncnn": serve_ncnn, "executorch": serve_executorch}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--material", required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--mode", choices=("infer", "train"), default="infer")
    parser.add_argument("--dtype", choices=("f32", "bf16", "int8"), default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", choices=("channels_last", "contiguous"),
                        default="channels_last")
    parser.add_argument("--memory-efficient", action="store_true")
    parser.add_argument("--bf16-weights", action="store_true")
    options = parser.parse_args()
    ENGINES[options.engine](options)
