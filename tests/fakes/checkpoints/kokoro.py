"""A Kokoro of a few ONNX nodes: each phoneme is 25 ms of a tone, its pitch by the phoneme.

Inputs and outputs are those of kokoro-v1.0.onnx and, for the times, of its newer exports: tokens
int64 (1, n), style float (1, 256), speed float (1); audio float (samples), duration int64 (n).
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 24_000
_HOP = 600
VOICES = ("af_heart", "am_adam", "ef_dora", "ff_siwis")
_LOUDNESS = {"af_heart": 0.5, "am_adam": -3.0, "ef_dora": 1.0, "ff_siwis": 2.0}


class Graph:
    """Writes the graph, and voices in the layout of voices-v1.0.bin."""

    def save_pretrained(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True)
        onnx.save(_model(), folder / "kokoro-v1.0.onnx")
        rows: Any = {name: np.full((510, 1, 256), _LOUDNESS[name], np.float32) for name in VOICES}
        with (folder / "voices-v1.0.bin").open("wb") as file:
            np.savez(file, **rows)


def _model():
    values = {
        "angle": np.arange(_HOP, dtype=np.float32)[None, None] * np.float32(2 * np.pi / RATE),
        "step": np.array([20.0], np.float32),
        "base": np.array([100.0], np.float32),
        "quiet": np.array([0.1], np.float32),
        "little": np.array([0.02], np.float32),
        "axis": np.array([2], np.int64),
        "flat": np.array([-1], np.int64),
        "none": np.array([0], np.int64),
        "one": np.array([1], np.int64),
    }
    steps = [
        ("Cast", ["tokens"], "f0", {"to": TensorProto.FLOAT}),
        ("Mul", ["f0", "step"], "f1", {}),
        ("Add", ["f1", "base"], "f2", {}),
        ("Unsqueeze", ["f2", "axis"], "f3", {}),
        ("Mul", ["f3", "angle"], "phase", {}),
        ("Sin", ["phase"], "tone", {}),
        ("ReduceMean", ["style"], "mean", {"keepdims": 0}),
        ("Mul", ["mean", "little"], "voice", {}),
        ("Add", ["voice", "quiet"], "gain", {}),
        ("Mul", ["tone", "gain"], "loud", {}),
        ("Mul", ["speed", "none_f"], "nothing", {}),
        ("Add", ["loud", "nothing"], "made", {}),
        ("Reshape", ["made", "flat"], "audio", {}),
        ("Mul", ["tokens", "none"], "zeros", {}),
        ("Add", ["zeros", "one"], "ones", {}),
        ("Reshape", ["ones", "flat"], "duration", {}),
    ]
    values["none_f"] = np.array([0.0], np.float32)
    graph = helper.make_graph(
        [helper.make_node(kind, given, [out], **more) for kind, given, out, more in steps],
        "kokoro",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "n"]),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
            helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["samples"]),
            helper.make_tensor_value_info("duration", TensorProto.INT64, ["n"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


CHECKPOINTS = {"kokoro": Graph}
