"""Every operator that the backend calculates with NumPy is what onnxruntime makes of it, over any
attributes, operator sets and shapes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

import onnxruntime as ort
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnx_operator_cases import CASES, Case, Draw

from rnn_native import onnx_backend
from rnn_native.formats.onnx.operators import FUNCTIONS

pytestmark = pytest.mark.oracle

ELSEWHERE = {
    # of shapes and constants, which the reader's own tests hold to onnxruntime
    "Concat", "Constant", "ConstantOfShape", "Dropout", "Expand", "Gather", "Gemm", "Identity",
    "MatMul", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    # of ONNX's own tests alone: CastLike and GroupNormalization are functions of others there,
    # RMSNormalization and Swish are younger than onnxruntime's kernels, Scatter older
    "CastLike", "GroupNormalization", "RMSNormalization", "Scatter", "Swish",
}  # fmt: skip


def model_of(case: Case) -> tuple[Any, dict[str, Any]]:
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(case.inputs)]
    feeds = {n: array for n, array in zip(names, case.inputs, strict=True) if array is not None}
    described = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in feeds.items()
    ]
    outputs = [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.op, names, outputs, "it", **case.attributes)
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph([node], "graph", described, made)
    opsets = [helper.make_opsetid("", case.opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), feeds


def test_every_operator_has_its_cases() -> None:
    assert set(CASES) | ELSEWHERE == set(FUNCTIONS)


@pytest.mark.parametrize("op", CASES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_an_operator_gives_what_onnxruntime_gives(op: str, data: st.DataObject) -> None:
    case = CASES[op](Draw(data.draw))
    model, feeds = model_of(case)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    got = onnx_backend.run_node(model.graph.node[0], feeds, opset_version=case.opset)
    for ours, want in zip(got, session.run(None, feeds), strict=True):
        assert ours.dtype == want.dtype
        assert ours.shape == want.shape
        if want.dtype.kind != "f":
            np.testing.assert_array_equal(ours, want)
        else:
            # Both round in float32, each sum by less than 2**-24 of what it is made of a term;
            # functions such as exp and erf err by some units of that. A wrong axis, pad or
            # order differs by 1e-2 and more.
            np.testing.assert_allclose(ours, want, rtol=1e-5, atol=2e-6 * case.scale)
