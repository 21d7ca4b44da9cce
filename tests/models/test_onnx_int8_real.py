"""Files of packages that onnxruntime.quantization has made int8: whole networks.

The float graph that one stands for is the same graph with DynamicQuantizeLinear giving its input, 1
and 0, and with the weights of MatMulInteger and DynamicQuantizeLSTM as floats: onnxruntime runs
that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime.quantization")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
from onnx import helper, numpy_helper
from onnx_graphs import run
from quantised_files import as_float_lstm, constants

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import UnsupportedError

pytestmark = pytest.mark.models

TASHKEEL = "text2tashkeel/models"
FILES = {
    "dksplit": ("dksplit", "dksplit/models/dksplit-int8.onnx", 30),
    "bilstm": ("text2tashkeel", f"{TASHKEEL}/bilstm.int8.onnx", 30),
    "rawi": ("text2tashkeel", f"{TASHKEEL}/rawi.int8.onnx", 30),
    "rawi_v2": ("text2tashkeel", f"{TASHKEEL}/rawi_v2.int8.onnx", 30),
    "rawi_v3": ("text2tashkeel", f"{TASHKEEL}/rawi_v3.int8.onnx", 30),
}


def as_floats(path: Path, folder: Path) -> Path:
    """The file with floats in the place of integers."""
    model = onnx.load(path)
    numbers = constants(model)
    nodes = []
    for node in model.graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            x, scale, zero = node.output
            nodes.append(helper.make_node("Identity", node.input, [x]))
            for name, value in ((scale, np.float32(1)), (zero, np.float32(0))):
                model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
            continue
        if node.op_type == "MatMulInteger":
            weight, zero = (numbers[name].astype(np.float32) for name in node.input[1:4:2])
            name = f"{node.output[0]} weight"
            model.graph.initializer.append(numpy_helper.from_array(weight - zero, name))
            node = helper.make_node("MatMul", [node.input[0], name], node.output)
        elif node.op_type == "DynamicQuantizeLSTM":
            as_float_lstm(model, node, numbers)
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    out = folder / "floats.onnx"
    onnx.save(model, out)
    return out


@pytest.mark.parametrize("name", FILES)
def test_a_network_is_that_of_its_floats(
    name: str, package_file: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """Three layers of 384 at most, whose logits reach 20: within 2e-5 of that."""
    package, file, words = FILES[name]
    path = package_file(package, file)
    spec = formats.read(path)
    x = np.random.default_rng(0).integers(1, words, (2, 25))
    (given,) = (value.name for value in onnx.load(path).graph.input)
    want = run(as_floats(path, tmp_path), {given: x})
    got, _ = rn.Model(spec, batch_first=True)(x)
    got = [*got.values()] if isinstance(got, dict) else [got]
    theirs = run(path, {given: x})
    for ours, floats, integers in zip(got, want, theirs, strict=True):
        np.testing.assert_allclose(ours.reshape(floats.shape), floats, rtol=0, atol=4e-4)
        assert np.abs(integers - floats).max() > 1e-3  # what onnxruntime rounds away


def test_what_decides_behind_the_network_is_left_out_by_between(
    package_file: Callable[[str, str], Path],
) -> None:
    path = package_file("text2tashkeel", f"{TASHKEEL}/rawi_ensemble.int8.onnx")
    with pytest.raises(
        UnsupportedError, match=r"\(ArgMax\).*between=\('input', 'g_output'\) reads"
    ):
        formats.read(path)
    assert len(formats.read(path, between=("input", "g_output")).layers) == 4
