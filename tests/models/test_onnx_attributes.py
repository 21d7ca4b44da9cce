"""Every attribute of RNN, GRU and LSTM: read into the options, and against onnxruntime.

Left out of what is compared with onnxruntime, because that does not do what the operators' text
(https://onnx.ai/onnx/operators/onnx__LSTM.html) says, or does nothing:

- clip of an LSTM where it bounds c: the text clips the input of every activation, onnxruntime not
  that of h (its issue 27224);
- Affine without constants, whose operator's defaults are 1 and 0: onnxruntime takes 0 and 0;
  ScaledTanh without them, for which there are none: refused here, 0 and 0 there;
- clip of 0 or below: refused here and by its GRU and LSTM; its RNN makes all inputs 0, or none;
- sequence_lens of 0: the final state is the initial one, not zeros;
- names of activations in another case: its RNN refuses them, its GRU and LSTM do not;
- float64 and layout=1: it has no kernels for them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import bounds
import onnx
import strategies
from agreement import assert_agrees
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from onnx_bounds import OnnxRuntime
from onnx_graphs import Array, Builder, make_recurrent, onnx_weights, run, uniform

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.activations import CONSTANTS
from rnn_native.formats.onnx.activations import NAMES
from rnn_native.spec import STANDARD, Activation, ModelSpec, Recurrent

pytestmark = pytest.mark.oracle

CELLS = ("rnn", "gru", "lstm")


def attributes_of(layer: Recurrent) -> dict[str, Any]:
    """What the node of a layer has besides sizes, direction and linear_before_reset."""
    attributes: dict[str, Any] = {}
    if layer.activations is not None:
        attributes["activations"] = [NAMES[a.name] for a in layer.activations]
    for constant in ("alpha", "beta"):
        values = [getattr(a, constant) for a in layer.activations or ()]
        if kept := [value for value in values if value is not None]:
            attributes[f"activation_{constant}"] = kept
    if layer.clip is not None:
        attributes["clip"] = layer.clip
    if layer.input_forget:
        attributes["input_forget"] = 1
    if layer.cell == "rnn" and layer.activations is None:
        attributes["activations"] = [NAMES[layer.nonlinearity]] * layer.num_directions
    return attributes


# Reading


def read(folder: Path, cell: str, direction: str = "forward", **attributes: Any) -> Recurrent:
    b = Builder(22)
    layer = make_recurrent(cell, direction=direction)
    b.output(b.recurrent(b.input("x", ["t", "b", 3]), layer, **attributes)[0])
    (again,) = formats.read(b.save(folder)).layers
    assert isinstance(again, Recurrent)
    return again


A = Activation
ATTRIBUTES: list[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]] = [
    ("lstm", "forward", {}, {}),
    ("lstm", "forward", {"activations": ["Sigmoid", "Tanh", "Tanh"]}, {}),
    ("rnn", "forward", {"activations": ["Tanh", "Tanh"]}, {}),  # the schema's own default
    ("rnn", "bidirectional", {"activations": ["Relu", "relu"]}, {"nonlinearity": "relu"}),
    ("rnn", "forward", {"activations": ["SIGMOID"]}, {"nonlinearity": "sigmoid"}),
    (
        "rnn",
        "bidirectional",
        {"activations": ["Tanh", "Relu"]},
        {"activations": (A("tanh"), A("relu"))},
    ),
    (
        "lstm",
        "forward",
        {"activations": ["HardSigmoid", "Tanh", "Softsign"]},
        {"activations": (A("hard_sigmoid", 0.2, 0.5), A("tanh"), A("softsign"))},
    ),
    ("rnn", "forward", {"activations": ["affine"]}, {"activations": (A("affine", 1, 0),)}),
    (
        "lstm",
        "forward",
        {  # each constant goes to the next activation that takes one
            "activations": ["Elu", "Tanh", "HardSigmoid"],
            "activation_alpha": [0.5, 0.25],
            "activation_beta": [0.75],
        },
        {"activations": (A("elu", 0.5), A("tanh"), A("hard_sigmoid", 0.25, 0.75))},
    ),
    (
        "gru",
        "bidirectional",
        {  # where they end, defaults begin
            "activations": ["LeakyRelu", "ThresholdedRelu", "LeakyRelu", "ScaledTanh"],
            "activation_alpha": [0.5, 2.0, 0.25, 1.5],
            "activation_beta": [0.5],
        },
        {
            "activations": (
                A("leaky_relu", 0.5),
                A("thresholded_relu", 2),
                A("leaky_relu", 0.25),
                A("scaled_tanh", 1.5, 0.5),
            )
        },
    ),
    (
        "gru",
        "forward",
        {"activations": ["HardSigmoid", "Elu"], "activation_alpha": [0.5]},
        {"activations": (A("hard_sigmoid", 0.5, 0.5), A("elu", 1.0))},
    ),
    *((cell, "forward", {"clip": 2.5}, {"clip": 2.5}) for cell in CELLS),
    ("lstm", "forward", {"input_forget": 1}, {"input_forget": True}),
    ("lstm", "forward", {"input_forget": 0}, {}),
    ("gru", "forward", {"linear_before_reset": 0}, {"reset_after": False}),
    ("gru", "forward", {"linear_before_reset": 1}, {"reset_after": True}),
    ("gru", "forward", {"linear_before_reset": 2}, {"reset_after": True}),  # "when != 0"
]


@pytest.mark.parametrize(("cell", "direction", "attributes", "options"), ATTRIBUTES)
def test_attributes_become_options(
    cell: str,
    direction: str,
    attributes: Mapping[str, Any],
    options: Mapping[str, Any],
    tmp_path: Path,
) -> None:
    layer = read(tmp_path, cell, direction, **attributes)
    assert layer.options == make_recurrent(cell, direction=direction, **options).options


# Against onnxruntime


@st.composite
def layers(draw: st.DrawFn) -> Recurrent:
    """Any cell with any of the operators' attributes and inputs of weights."""
    cell = draw(st.sampled_from(CELLS))
    direction = draw(st.sampled_from(rn.spec.DIRECTIONS))
    own: dict[str, Any] = draw(strategies.general_options(cell, 1 + (direction[0] == "b")))
    own["cell_clip"] = None  # which the operator has not
    used = own["activations"] or ()
    assume(all(a.name in NAMES for a in used))
    if cell == "gru":
        own["reset_after"] = draw(st.booleans())
    if cell == "lstm":
        own["peephole"] = draw(st.booleans())
    return make_recurrent(
        cell,
        draw(st.integers(1, 4)),
        draw(st.integers(1, 5)),
        seed=draw(st.integers(0, 2**16)),
        direction=direction,
        bias=draw(st.booleans()),
        **own,
    )


def bounds_the_state(spec: ModelSpec, x: Array, state: Any, lengths: Any) -> bool:
    """Whether an LSTM's clip has an effect on h's input, which onnxruntime does without."""
    layer = spec.recurrents[0]
    if layer.cell != "lstm" or layer.clip is None:
        return False
    inside = reference.trace(spec, x, state, lengths)
    return any(
        float(np.max(np.abs(a))) > layer.clip * (1 - 1e-5)
        for name, a in inside.items()
        if name.startswith("c_")
    )


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layer=layers(),
    time=st.integers(1, 5),
    batch=st.integers(1, 4),
    seed=st.integers(0, 2**16),
    with_lengths=st.booleans(),
    given_states=st.sampled_from(["", "h", "c", "hc"]),
    scale=st.sampled_from([1.0, 3.0]),
)
def test_any_node(
    layer: Recurrent,
    time: int,
    batch: int,
    seed: int,
    with_lengths: bool,
    given_states: str,
    scale: float,
    tmp_path: Path,
) -> None:
    d, h = layer.num_directions, layer.hidden_size
    rng = np.random.default_rng(seed)
    b = Builder(17)
    x = b.input("x", ["t", "b", layer.input_size])
    feeds = {"x": scale * uniform(time, batch, layer.input_size, seed=seed)}
    lengths = b.input("lengths", ["b"], TensorProto.INT32) if with_lengths else ""
    if with_lengths:
        feeds["lengths"] = rng.integers(1, time + 1, batch).astype(np.int32)
    names = ["h", "c"] if layer.cell == "lstm" else ["h"]
    states = [b.input(n, [d, "b", h]) if n in given_states else "" for n in names]
    feeds |= {n: rng.uniform(-1, 1, (d, batch, h)).astype(np.float32) for n in states if n}
    y, *finals = b.recurrent(x, layer, lengths, *states, **attributes_of(layer))
    b.output(b.concatenated(y, d))
    for final in finals:
        b.output(final)
    path = b.save(tmp_path)

    spec = formats.read(path)
    assert spec.recurrents[0].options == layer.options
    start = [feeds.get(n, np.zeros((d, batch, h), np.float32)) for n in names]
    state = tuple(start) if layer.cell == "lstm" else start[0]
    call = (feeds["x"], state, feeds.get("lengths"))
    assume(not bounds_the_state(spec, *call))
    theirs = run(path, feeds)
    bound, bound_finals = bounds.run(spec, *call, kind=OnnxRuntime)
    for got, allowed in zip(theirs, [bound, *bound_finals], strict=True):
        assert np.all(np.isfinite(allowed.each))
        assert bounds.excess(got, allowed) <= 1
    assert_agrees(spec, *call, *rn.Model(spec)(*call), "float32")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("cell", "which"), [(c, i) for c in CELLS for i in range(len(STANDARD[c]))]
)
def test_each_activation_is_no_other(cell: str, which: int, name: str, tmp_path: Path) -> None:
    """Theirs is within the bound of ours, and of no other one's."""

    def with_one(name: str) -> Recurrent:
        chosen = list(STANDARD[cell])
        chosen[which] = A(name, **dict(zip(CONSTANTS[name], (0.3, 0.95), strict=False)))
        return make_recurrent(cell, 3, 8, activations=tuple(chosen))

    layer = with_one(name)
    b = Builder(17)
    b.output(b.recurrent(b.input("x", ["t", "b", 3]), layer, **attributes_of(layer))[0])
    x = 3 * uniform(4, 5, 3)
    (theirs,) = run(b.save(tmp_path), {"x": x})
    off = {
        other: bounds.excess(
            theirs[:, 0], bounds.run(ModelSpec((with_one(other),)), x, kind=OnnxRuntime)[0]
        )
        for other in NAMES
    }
    assert [other for other, ratio in off.items() if ratio <= 1] == [name]


# What onnxruntime has no kernels for


@pytest.mark.parametrize("direction", rn.spec.DIRECTIONS)
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("rnn", {}),
        ("gru", {"reset_after": True}),
        ("gru", {"reset_after": False}),
        ("lstm", {"peephole": True}),
    ],
)
def test_float64_against_onnx_reference(
    cell: str, options: dict[str, Any], direction: str, tmp_path: Path
) -> None:
    """onnx.reference knows the standard activations alone, so it is asked for nothing else."""
    layer = make_recurrent(cell, direction=direction, **options)
    d = layer.num_directions
    wide = {name: array.astype(np.float64) * (1 + 1e-9) for name, array in layer.arrays.items()}
    layer = Recurrent(weights=wide, **layer.options)
    assert onnx_weights(layer)[0].dtype == np.float64
    b = Builder(17)
    x = b.input("x", ["t", "b", 3], TensorProto.DOUBLE)
    b.output(b.recurrent(x, layer)[0], TensorProto.DOUBLE)
    path = b.save(tmp_path)
    data = np.random.default_rng(0).standard_normal((5, 2, 3))
    (want,) = ReferenceEvaluator(onnx.load(path)).run(None, {"x": data})
    y, _ = rn.load(path, dtype="float64")(data)
    assert want.dtype == y.dtype == np.float64
    np.testing.assert_allclose(
        y, want.transpose(0, 2, 1, 3).reshape(5, 2, d * 4), rtol=0, atol=1e-13
    )
