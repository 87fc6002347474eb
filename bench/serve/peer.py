"""The peer of `limbic serve`: FastAPI over ONNX Runtime, as its users write it.

    uvicorn --app-dir bench/serve peer:app --workers 1

Environment: PEER_ONNX (the network), PEER_THREADS (of a session), PEER_PRESET ("torchvision": short side
256, centre 224, ImageNet's mean and deviation; "lite0": the centre 224/256, 224 bicubic, 127 and 128).
"""
import io
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ.get("PEER_THREADS", "2"))
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["PEER_ONNX"], options,
                                       providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
lite0 = os.environ.get("PEER_PRESET") == "lite0"
mean = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
deviation = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]
app = FastAPI()


def prepare(body):
    picture = Image.open(io.BytesIO(body)).convert("RGB")
    w, h = picture.size
    if lite0:
        side = 224 / 256 * min(w, h)
        box = ((w - side) / 2, (h - side) / 2, (w + side) / 2, (h + side) / 2)
        picture = picture.resize((224, 224), Image.BICUBIC, box=box)
        return (np.asarray(picture, np.float32).transpose(2, 0, 1) - 127) / 128
    size = (256, int(256 * h / w)) if w < h else (int(256 * w / h), 256)
    picture = picture.resize(size, Image.BILINEAR)
    left, top = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
    picture = picture.crop((left, top, left + 224, top + 224))
    return (np.asarray(picture, np.float32).transpose(2, 0, 1) / 255 - mean) / deviation


def answer(body):
    logits = session.run(None, {name: prepare(body)[None]})[0][0]
    p = np.exp(logits - logits.max())
    p /= p.sum()
    best = np.argsort(-p)[:5]
    return {"top": [{"index": int(i), "probability": float(p[i])} for i in best]}


@app.post("/predict")
async def predict(request: Request):
    return await run_in_threadpool(answer, await request.body())
