"""The backend on nodes of any attributes, inputs and outputs, in float32 and in double.

The oracle is the reference, which test_onnx_attributes.py holds to onnxruntime; what onnxruntime
has no kernels for, or gets wrong, is compared as well: double, rows without steps, an LSTM's clip.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import onnx
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from onnx_graphs import ATOL, Array, Builder
from strategies import recurrents, seeds

from rnn_native import onnx_backend, reference
from rnn_native.spec import ModelSpec, Recurrent

pytestmark = pytest.mark.oracle

NAMES = {
    "affine": "Affine", "elu": "Elu", "hard_sigmoid": "HardSigmoid", "identity": "Affine",
    "leaky_relu": "LeakyRelu", "relu": "Relu", "scaled_tanh": "ScaledTanh", "sigmoid": "Sigmoid",
    "softplus": "Softplus", "softsign": "Softsign", "tanh": "Tanh",
    "thresholded_relu": "ThresholdedRelu",
}  # fmt: skip


@dataclass
class Case:
    layer: Recurrent
    feeds: dict[str, Array]
    outputs: list[bool]  # which are named
    attributes: dict[str, Any]

    @property
    def state(self) -> Any:
        arrays = tuple(self.feeds[name] for name in self.layer.state_names if name in self.feeds)
        if len(arrays) < len(self.layer.state_names):
            return None
        return arrays if len(arrays) > 1 else arrays[0]

    def save(self, folder: Path, element: int = TensorProto.FLOAT) -> Path:
        """A graph of the node, whose outputs are y, h_n and c_n as far as they are named."""
        b = Builder(14)
        layer, d = self.layer, self.layer.num_directions
        x = b.input("x", ["t", "b", layer.input_size], element)
        lengths = b.input("n", ["b"], TensorProto.INT32) if "n" in self.feeds else ""
        states = [
            b.input(name, [d, "b", layer.hidden_size], element) if name in self.feeds else ""
            for name in layer.state_names
        ]
        outputs = b.recurrent(x, layer, lengths, *states, **self.attributes)
        for position, (name, named) in enumerate(zip(outputs, self.outputs, strict=True)):
            if named:
                rank = ["t", "d", "b", "h"][1 if position else 0 :]
                b.output(name, element, rank)
            else:
                b.nodes[-1].output[position] = ""
        return b.save(folder)

    def want(self) -> list[Array]:
        """The named outputs by the reference, in ONNX's shapes."""
        y, final = reference.run(
            ModelSpec((self.layer,)), self.feeds["x"], self.state, self.feeds.get("n")
        )
        y = y.reshape(*y.shape[:2], self.layer.num_directions, self.layer.hidden_size)
        y = y.swapaxes(1, 2)
        every = [y, *(final if isinstance(final, tuple) else (final,))]
        return [array for array, named in zip(every, self.outputs, strict=True) if named]


@st.composite
def nodes(draw: st.DrawFn, dtype: Any) -> Case:
    layer = draw(
        recurrents(
            output_layers=False, initial=False, max_layers=1, dtype=dtype, functions=tuple(NAMES)
        )
    )
    layer = replace(layer, cell_clip=None)  # which the operator has not
    assume(not layer.gate_recurrent and not layer.proj_size)
    assume(
        all(
            a.name != "thresholded_relu" or abs(a.alpha) != layer.clip
            for a in layer.activations or ()
        )
    )
    time, batch = draw(st.integers(0, 5)), draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(seeds()))
    feeds: dict[str, Array] = {
        "x": rng.standard_normal((time, batch, layer.input_size)).astype(dtype)
    }
    if draw(st.booleans()):
        feeds["n"] = rng.integers(0, time + 1, batch).astype(np.int32)
    if draw(st.booleans()):
        shape = (layer.num_directions, batch, layer.hidden_size)
        feeds |= {name: rng.uniform(-1, 1, shape).astype(dtype) for name in layer.state_names}
    attributes: dict[str, Any] = {}
    if layer.activations is not None:
        attributes["activations"] = [NAMES[a.name] for a in layer.activations]
        constants = [
            (1.0, 0.0) if a.name == "identity" else (a.alpha, a.beta) for a in layer.activations
        ]
        for name, values in zip(("alpha", "beta"), zip(*constants, strict=True), strict=True):
            given = [value for value in values if value is not None]
            attributes |= {f"activation_{name}": given} if given else {}
    elif layer.cell == "rnn":
        attributes["activations"] = [NAMES[layer.nonlinearity]] * layer.num_directions
    if layer.clip is not None:
        attributes["clip"] = layer.clip
    if layer.input_forget:
        attributes["input_forget"] = 1
    outputs = [draw(st.booleans()) for _ in layer.state_names]
    return Case(
        layer, feeds, [*outputs, True] if draw(st.booleans()) else [True, *outputs], attributes
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


@pytest.mark.parametrize(
    ("dtype", "element", "atol"),
    [
        # Larger sizes than ATOL is for, and activations with slopes up to 1: four times as much.
        (np.float32, TensorProto.FLOAT, 4 * ATOL),
        (np.float64, TensorProto.DOUBLE, 1e-12),  # as everywhere for float64
    ],
)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_node_gives_what_the_reference_gives(
    folder: Path, dtype: Any, element: int, atol: float, data: st.DataObject
) -> None:
    case = data.draw(nodes(dtype))
    results = onnx_backend.run_model(onnx.load(case.save(folder, element)), case.feeds)
    for got, want in zip(results, case.want(), strict=True):
        assert got.dtype == dtype
        scale = np.abs(want).max(initial=1.0)
        np.testing.assert_allclose(got, want, rtol=0, atol=atol * scale)
