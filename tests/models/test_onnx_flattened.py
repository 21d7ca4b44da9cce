"""All steps at once into a Linear, as many as the file fixes: Flatten behind a recurrent layer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import rnn_native as rn

pytestmark = pytest.mark.oracle

STEPS, BATCH, INPUTS, UNITS, OUT = 6, 2, 3, 4, 5


def saved(path: Path, turned: bool, gemm: bool, steps: int | None = STEPS) -> Path:
    """[batch, time, in] through a GRU; ``turned`` has the features before the steps."""
    rng = np.random.default_rng(0)
    constants = {
        "W": rng.normal(0, 0.5, (1, 3 * UNITS, INPUTS)),
        "R": rng.normal(0, 0.5, (1, 3 * UNITS, UNITS)),
        "M": rng.normal(0, 0.5, (STEPS * UNITS, OUT)), "b": rng.normal(0, 0.5, OUT),
    }  # fmt: skip
    arrays = [numpy_helper.from_array(a.astype("f4"), name) for name, a in constants.items()]
    arrays.append(numpy_helper.from_array(np.array([1]), "one"))
    node = helper.make_node
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("GRU", ["t", "W", "R"], ["Y"], hidden_size=UNITS),
        node("Squeeze", ["Y", "one"], ["s"]),
        node("Transpose", ["s"], ["r"], perm=[1, 2, 0] if turned else [1, 0, 2]),
        node("Flatten", ["r"], ["f"], axis=1),
    ]
    if gemm:
        nodes.append(node("Gemm", ["f", "M", "b"], ["y"]))
    else:
        nodes += [node("MatMul", ["f", "M"], ["m"]), node("Add", ["m", "b"], ["y"])]
    info = helper.make_tensor_value_info
    inputs = [info("x", TensorProto.FLOAT, ["batch", steps, INPUTS])]
    graph = helper.make_graph(
        nodes, "g", inputs, [info("y", TensorProto.FLOAT, ["batch", OUT])], arrays
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("gemm", [False, True])
def test_it_is_a_window_over_all_steps(turned: bool, gemm: bool, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", turned, gemm)
    x = np.random.default_rng(1).normal(0, 1, (BATCH, STEPS, INPUTS)).astype("f4")
    session: Any = onnxruntime.InferenceSession(path)
    (expected,) = session.run(None, {"x": x})
    model = rn.load(path)
    y, _ = model(x.swapaxes(0, 1))
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6)
    more = np.concatenate([x[:, :3] + 1, x], axis=1)  # of more steps the last ones count
    stream = rn.load(path).stream(batch=BATCH)
    assert stream.push(more.swapaxes(0, 1)).shape[-1] == OUT


def test_a_number_of_steps_that_is_free_is_refused(tmp_path: Path) -> None:
    with pytest.raises(rn.UnsupportedError, match="should be the features"):
        rn.load(saved(tmp_path / "m.onnx", turned=False, gemm=True, steps=None))
