"""A network of the peer, from the same weights.

    python3 export.py squeezenet1_1 WEIGHTS.pth OUT.onnx
    python3 export.py efficientnet_lite0 WEIGHTS.pth OUT.onnx     (needs efficientnet-lite-pytorch)
"""
import sys

import torch


def build(network):
    if network == "efficientnet_lite0":
        from efficientnet_lite_pytorch import EfficientNet
        model = EfficientNet.from_name("efficientnet-lite0")
        return model
    import torchvision
    return getattr(torchvision.models, network)()


network, weights, out = sys.argv[1:]
model = build(network)
model.load_state_dict(torch.load(weights, map_location="cpu"))
model.eval()
torch.onnx.export(model, torch.zeros(1, 3, 224, 224), out, input_names=["x"], output_names=["y"],
                  opset_version=13)
