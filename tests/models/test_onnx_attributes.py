"""RNN, GRU and LSTM nodes over all that their attributes and inputs can say, against onnxruntime.

Left out is what onnxruntime itself has wrong or does not have:

- ``clip`` of an LSTM does not reach the c that h is made of (its issue 27224): such cases are drawn
  again unless every |c| stays within the clip;
- ThresholdedRelu at its threshold is x, there it is 0: what a clip at the threshold would show;
- a row of length 0 ends in a state of zeros, and T = 0 is refused;
- ``layout=1`` and double are refused: test_onnx_batch_first.py has the one, and the other is held
  to the reference below.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from onnx_graphs import ATOL, Array, Builder, run
from strategies import recurrents, seeds

from rnn_native import formats, onnx_backend, reference
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
        y = y.reshape(*y.shape[:2], self.layer.num_directions, -1).swapaxes(1, 2)
        every = [y, *(final if isinstance(final, tuple) else (final,))]
        return [array for array, named in zip(every, self.outputs, strict=True) if named]


@st.composite
def nodes(draw: st.DrawFn, dtype: Any = np.float32, shortest: int = 1) -> Case:
    layer = draw(recurrents(output_layers=False, max_layers=1, dtype=dtype))
    assume(not layer.gate_recurrent and not layer.proj_size)
    assume(
        all(
            a.name != "thresholded_relu" or abs(a.alpha) != layer.clip
            for a in layer.activations or ()
        )
    )
    time, batch = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(seeds()))
    feeds: dict[str, Array] = {
        "x": rng.standard_normal((time, batch, layer.input_size)).astype(dtype)
    }
    if draw(st.booleans()):
        feeds["n"] = rng.integers(shortest, time + 1, batch).astype(np.int32)
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


def assert_close(got: Any, want: Any, atol: float) -> None:
    for one, other in zip(got, want, strict=True):
        scale = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=atol * scale)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


@settings(max_examples=200, deadline=None)
@given(nodes())
def test_a_node_of_any_attributes_and_inputs(folder: Path, case: Case) -> None:
    """The chain that is read, in the reference; the graph as it is, in our backend."""
    path = case.save(folder)
    want = case.want()
    layer = case.layer
    if layer.cell == "lstm" and layer.clip is not None:
        trace = reference.trace(
            ModelSpec((layer,)), case.feeds["x"], case.state, case.feeds.get("n")
        )
        assume(all(np.abs(a).max() <= layer.clip for n, a in trace.items() if n.startswith("c_")))
    # Larger sizes than ATOL is for, and activations whose slope is at most 1: four times as much.
    assert_close(run(path, case.feeds), want, 4 * ATOL)
    assert_close(onnx_backend.run_model(_model(path), case.feeds), want, 4 * ATOL)
    if case.outputs[0]:
        (read,) = formats.read(path).layers
        assert isinstance(read, Recurrent)
        assert_close([read.arrays[n] for n in layer.arrays], layer.arrays.values(), 0)
        again = Case(read, case.feeds, case.outputs, {})
        assert_close(again.want(), want, 1e-6)  # constants went through float32


@settings(max_examples=60, deadline=None)
@given(nodes(dtype=np.float64, shortest=0))
def test_double_and_rows_without_steps(folder: Path, case: Case) -> None:
    """What onnxruntime does not do: the backend against the reference alone."""
    path = case.save(folder, TensorProto.DOUBLE)
    got = onnx_backend.run_model(_model(path), case.feeds)
    assert all(array.dtype == np.float64 for array in got)
    assert_close(got, case.want(), 1e-6)  # constants went through float32


def _model(path: Path) -> Any:
    import onnx

    return onnx.load(path)
