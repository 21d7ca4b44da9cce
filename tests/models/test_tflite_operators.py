"""Operators of TensorFlow Lite around recurrent layers, each against its own interpreter."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from tflite_files import File, Graph
from tflite_graphs import BATCH, INPUTS, STEPS, UNITS, lstm, normal, options, weights
from tflite_runs import compare

import rnn_native as rn
from rnn_native.formats.tflite import schema
from rnn_native.formats.tflite.schema import ACTIVATIONS

pytestmark = pytest.mark.oracle

Y = (BATCH, STEPS, UNITS)


def fused(name: str) -> dict[int, Any]:
    return {0: ("int8", ACTIVATIONS.index(name))}


def dense(
    g: Graph, x: int, shape: tuple[int, ...], inputs: int = UNITS, activation: str = "NONE",
    keep: bool = True,
) -> int:  # fmt: skip
    fields = fused(activation) | {schema.FullyConnected.KEEP_NUM_DIMS: ("bool", keep)}
    arrays = [g.constant(normal(31, shape[-1], inputs)), g.constant(normal(32, shape[-1]))]
    return g.add("FULLY_CONNECTED", [x, *arrays], g.tensor(shape), options=fields)


def unary(op: str, fields: dict[int, Any] | None = None) -> Callable[[Graph, int], int]:
    return lambda g, y: g.add(op, [y], g.tensor(Y), options=fields)


def positive(op: str) -> Callable[[Graph, int], int]:
    def make(g: Graph, y: int) -> int:
        one = g.add("ADD", [y, g.constant([1.5])], g.tensor(Y), options=fused("NONE"))
        return g.add(op, [one], g.tensor(Y))

    return make


def with_constant(op: str, activation: str = "NONE") -> Callable[[Graph, int], int]:
    def make(g: Graph, y: int) -> int:
        other = g.constant(normal(5, UNITS) + 2)
        return g.add(op, [y, other], g.tensor(Y), options=fused(activation))

    return make


def with_other(op: str, activation: str = "NONE") -> Callable[[Graph, int], int]:
    def make(g: Graph, y: int) -> int:
        other = g.add("LOGISTIC", [y], g.tensor(Y))
        return g.add(op, [y, other], g.tensor(Y), options=fused(activation))

    return make


def last_step(g: Graph, y: int) -> int:
    """As Keras has it of the outputs of all steps."""
    fields = {
        schema.StridedSlice.BEGIN_MASK: ("int32", 5),
        schema.StridedSlice.END_MASK: ("int32", 5),
        schema.StridedSlice.SHRINK_AXIS_MASK: ("int32", 2),
    }
    parts = [g.integers(0, -1, 0), g.integers(0, 0, 0), g.integers(1, 1, 1)]
    end = g.add("STRIDED_SLICE", [y, *parts], g.tensor((BATCH, UNITS)), options=fields)
    return dense(g, end, (BATCH, 3), activation="RELU")


def sliced(g: Graph, y: int) -> int:
    parts = [g.integers(0, STEPS - 1, 0), g.integers(-1, 1, -1)]
    end = g.add("SLICE", [y, *parts], g.tensor((BATCH, 1, UNITS)))
    return g.add("SQUEEZE", [end], g.tensor((BATCH, UNITS)), options={0: np.array([1], "<i4")})


def strided(
    begin: Any, end: Any, step: Any, shape: Any, **masks: int
) -> Callable[[Graph, int], int]:
    def make(g: Graph, y: int) -> int:
        fields = {schema.StridedSlice[f"{name}_MASK"]: ("int32", n) for name, n in masks.items()}
        parts = [g.integers(*part) for part in (begin, end, step)]
        return g.add("STRIDED_SLICE", [y, *parts], g.tensor(shape), options=fields)

    return make


def new_axis(g: Graph, y: int) -> int:
    """y[:, newaxis, -1], and without that axis again."""
    shape = (BATCH, 1, UNITS)
    take = strided(
        (0, 0, -1), (0, 0, 0), (1, 1, 1), shape, BEGIN=1, END=1, NEW_AXIS=2, SHRINK_AXIS=4
    )
    squeezed = {0: np.array([1], "<i4")}
    return g.add("SQUEEZE", [take(g, y)], g.tensor((BATCH, UNITS)), options=squeezed)


def flattened(g: Graph, y: int) -> int:
    flat = g.add("RESHAPE", [y, g.integers(-1, STEPS * UNITS)], g.tensor((BATCH, STEPS * UNITS)))
    return dense(g, flat, (BATCH, 3), STEPS * UNITS)


def rows(g: Graph, y: int) -> int:
    """A Dense of each step, as the rows of a matrix."""
    flat = g.add("RESHAPE", [y, g.integers(-1, UNITS)], g.tensor((BATCH * STEPS, UNITS)))
    made = dense(g, flat, (BATCH * STEPS, 3), keep=False)
    return g.add("RESHAPE", [made, g.integers(BATCH, STEPS, 3)], g.tensor((BATCH, STEPS, 3)))


def transposed(g: Graph, y: int) -> int:
    turned = g.add("TRANSPOSE", [y, g.integers(1, 0, 2)], g.tensor((STEPS, BATCH, UNITS)))
    made = g.add("TANH", [turned], g.tensor((STEPS, BATCH, UNITS)))
    return g.add("TRANSPOSE", [made, g.integers(1, 0, 2)], g.tensor(Y))


def unpacked(g: Graph, y: int) -> int:
    parts = [g.tensor((BATCH, UNITS)) for _ in range(STEPS)]
    fields = {schema.Unpack.NUM: ("int32", STEPS), schema.Unpack.AXIS: ("int32", 1)}
    g.add("UNPACK", [y], *parts, options=fields)
    return dense(g, parts[-1], (BATCH, 3))


def joined(g: Graph, y: int) -> int:
    other = g.add("TANH", [y], g.tensor(Y))
    fields = {schema.Concatenation.AXIS: ("int32", 2)}
    return g.add("CONCATENATION", [y, other], g.tensor((BATCH, STEPS, 2 * UNITS)), options=fields)


def halves(g: Graph, y: int) -> int:
    parts = [g.tensor((BATCH, STEPS, 2)) for _ in range(2)]
    axis = g.constant(2, "i4")
    g.add("SPLIT", [axis, y], *parts, options={schema.Split.NUM_SPLITS: ("int32", 2)})
    return g.add("MUL", parts, g.tensor((BATCH, STEPS, 2)), options=fused("NONE"))


def reduced(op: str, axis: int, keep: bool) -> Callable[[Graph, int], int]:
    def make(g: Graph, y: int) -> int:
        shape = [n for i, n in enumerate(Y) if i != axis or keep]
        if keep:
            shape[axis] = 1
        fields = {schema.Reducer.KEEP_DIMS: ("bool", keep)}
        return g.add(op, [y, g.integers(axis)], g.tensor(shape), options=fields)

    return make


def conv(g: Graph, y: int, padding: int = 0, depthwise: bool = False, stride: int = 1) -> int:
    """A Conv1D as Keras's converter has it: of one row."""
    wide = g.add("EXPAND_DIMS", [y, g.constant(1, "i4")], g.tensor((BATCH, 1, STEPS, UNITS)))
    steps = -(-STEPS // stride) if padding == 0 else (STEPS - 3) // stride + 1
    fields = schema.DepthwiseConv2D if depthwise else schema.Conv2D
    given = {
        fields.PADDING: ("int8", padding), fields.STRIDE_W: ("int32", stride),
        fields.STRIDE_H: ("int32", 1), fields.DILATION_W: ("int32", 1),
        fields.DILATION_H: ("int32", 1),
        fields.FUSED_ACTIVATION_FUNCTION: ("int8", ACTIVATIONS.index("RELU")),
    }  # fmt: skip
    out = UNITS if depthwise else 6
    shape = (1, 1, 3, UNITS) if depthwise else (6, 1, 3, UNITS)
    if depthwise:
        given[3] = ("int32", 1)  # depth_multiplier
    arrays = [g.constant(normal(41, *shape)), g.constant(normal(42, out))]
    op = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    made = g.add(op, [wide, *arrays], g.tensor((BATCH, 1, steps, out)), options=given)
    return g.add(
        "SQUEEZE", [made], g.tensor((BATCH, steps, out)), options={0: np.array([1], "<i4")}
    )


def pooled(op: str, padding: int = 1) -> Callable[[Graph, int], int]:
    def make(g: Graph, y: int) -> int:
        wide = g.add("EXPAND_DIMS", [y, g.constant(1, "i4")], g.tensor((BATCH, 1, STEPS, UNITS)))
        given = {
            schema.Pool2D.PADDING: ("int8", padding),
            schema.Pool2D.STRIDE_W: ("int32", 2), schema.Pool2D.STRIDE_H: ("int32", 1),
            schema.Pool2D.FILTER_WIDTH: ("int32", 2), schema.Pool2D.FILTER_HEIGHT: ("int32", 1),
        }  # fmt: skip
        steps = 2 if padding else 3
        made = g.add(op, [wide], g.tensor((BATCH, 1, steps, UNITS)), options=given)
        squeezed = {0: np.array([1], "<i4")}
        return g.add("SQUEEZE", [made], g.tensor((BATCH, steps, UNITS)), options=squeezed)

    return make


def padded(g: Graph, y: int) -> int:
    """Causal padding."""
    pads = g.constant([[0, 0], [2, 0], [0, 0]], "i4")
    wide = g.add("PAD", [y, pads], g.tensor((BATCH, STEPS + 2, UNITS)))
    shape = (BATCH, 1, STEPS + 2, UNITS)
    wide = g.add("EXPAND_DIMS", [wide, g.constant(1, "i4")], g.tensor(shape))
    fields = schema.Conv2D
    given = {
        fields.PADDING: ("int8", 1), fields.STRIDE_W: ("int32", 1), fields.STRIDE_H: ("int32", 1),
        fields.DILATION_W: ("int32", 1), fields.DILATION_H: ("int32", 1),
    }  # fmt: skip
    arrays = [g.constant(normal(41, 6, 1, 3, UNITS)), g.constant(normal(42, 6))]
    made = g.add("CONV_2D", [wide, *arrays], g.tensor((BATCH, 1, STEPS, 6)), options=given)
    return g.add("SQUEEZE", [made], g.tensor((BATCH, STEPS, 6)), options={0: np.array([1], "<i4")})


def normed(g: Graph, y: int) -> int:
    """A layer normalisation as Keras's converter has it."""
    kept = {schema.Reducer.KEEP_DIMS: ("bool", True)}
    one = (BATCH, STEPS, 1)
    mean = g.add("MEAN", [y, g.integers(2)], g.tensor(one), options=kept)
    squares = g.add("SQUARED_DIFFERENCE", [y, mean], g.tensor(Y))
    spread = g.add("MEAN", [squares, g.integers(2)], g.tensor(one), options=kept)
    total = g.add("ADD", [spread, g.constant(1e-3)], g.tensor(one), options=fused("NONE"))
    inverse = g.add("RSQRT", [total], g.tensor(one))
    gamma, beta = g.constant(normal(51, UNITS)), g.constant(normal(52, UNITS))
    scale = g.add("MUL", [inverse, gamma], g.tensor(Y), options=fused("NONE"))
    left = g.add("MUL", [y, scale], g.tensor(Y), options=fused("NONE"))
    right = g.add("MUL", [mean, scale], g.tensor(Y), options=fused("NONE"))
    rest = g.add("SUB", [beta, right], g.tensor(Y), options=fused("NONE"))
    return g.add("ADD", [left, rest], g.tensor(Y), options=fused("NONE"))


CASES_OF_OPERATORS: dict[str, Callable[[Graph, int], int]] = {
    **{op: unary(op) for op in ("LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "ELU", "ABS",
                                "HARD_SWISH", "EXP", "NEG", "SQUARE", "LOG_SOFTMAX")},
    **{op: positive(op) for op in ("LOG", "SQRT", "RSQRT")},
    "GELU": unary("GELU", {0: ("bool", False)}),
    "GELU of tanh": unary("GELU", {0: ("bool", True)}),
    "LEAKY_RELU": unary("LEAKY_RELU", {0: ("float32", 0.3)}),
    "SOFTMAX": unary("SOFTMAX", {0: ("float32", 1.0)}),
    "SOFTMAX of beta": unary("SOFTMAX", {0: ("float32", 2.5)}),
    **{f"{op} of a constant": with_constant(op) for op in ("ADD", "SUB", "MUL", "DIV")},
    **{f"{op} of values": with_other(op) for op in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")},
    **{f"ADD, then {f}": with_other("ADD", f) for f in ("RELU", "RELU6", "RELU_N1_TO_1")},
    "FULLY_CONNECTED": lambda g, y: dense(g, y, (BATCH, STEPS, 3)),
    "FULLY_CONNECTED of relu6": lambda g, y: dense(g, y, (BATCH, STEPS, 3), activation="RELU6"),
    "FULLY_CONNECTED of rows": rows,
    "STRIDED_SLICE": last_step,
    "STRIDED_SLICE y[..., 1:3]": strided((0, 1), (0, 3), (1, 1), (BATCH, STEPS, 2), ELLIPSIS=1),
    "STRIDED_SLICE y[:, newaxis, -1]": new_axis,
    "STRIDED_SLICE y[..., ::2]": strided(
        (0, 0), (0, 0), (1, 2), (BATCH, STEPS, 2), ELLIPSIS=1, BEGIN=2, END=2
    ),
    "SLICE": sliced,
    "RESHAPE of all steps": flattened,
    "TRANSPOSE": transposed,
    "UNPACK": unpacked,
    "CONCATENATION": joined,
    "SPLIT": halves,
    "MEAN of steps": reduced("MEAN", 1, False),
    "SUM of steps": reduced("SUM", 1, False),
    "REDUCE_MAX of steps": reduced("REDUCE_MAX", 1, False),
    "MEAN of features": reduced("MEAN", 2, True),
    "CONV_2D": conv,
    "CONV_2D of whole windows": lambda g, y: conv(g, y, 1),
    "CONV_2D of a stride": lambda g, y: conv(g, y, 1, stride=2),
    "DEPTHWISE_CONV_2D": lambda g, y: conv(g, y, 1, depthwise=True),
    "PAD": padded,
    "MAX_POOL_2D": pooled("MAX_POOL_2D"),
    "AVERAGE_POOL_2D": pooled("AVERAGE_POOL_2D"),
    "MAX_POOL_2D of padded steps": pooled("MAX_POOL_2D", 0),
    "AVERAGE_POOL_2D of padded steps": pooled("AVERAGE_POOL_2D", 0),
    "a layer normalisation": normed,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES_OF_OPERATORS)
def test_behind_an_lstm(case: str, tmp_path: Path) -> None:
    file = File()
    x = file.main.input(BATCH, STEPS, INPUTS)
    y = lstm(file.main, x, options())
    file.main.outputs = [CASES_OF_OPERATORS[case](file.main, y)]
    compare(file, tmp_path, normal(1, BATCH, STEPS, INPUTS, scale=2), tolerance=5e-6)


def test_embedding_by_gather_and_by_lookup(tmp_path: Path) -> None:
    words = np.random.default_rng(3).integers(0, 7, (BATCH, STEPS)).astype("i4")
    file = File()
    g = file.main
    x = g.input(BATCH, STEPS, dtype="i4")
    table = g.constant(normal(4, 7, INPUTS))
    found = g.add("GATHER", [table, x], g.tensor((BATCH, STEPS, INPUTS)), options={0: ("int32", 0)})
    g.outputs = [lstm(g, found, options())]
    compare(file, tmp_path, words, tolerance=5e-6)


def test_a_sequence_turned_round(tmp_path: Path) -> None:
    """As Keras's converter writes go_backwards, and a Bidirectional of two layers."""
    file = File()
    g = file.main
    x = g.input(BATCH, STEPS, INPUTS)
    turned = g.add("REVERSE_V2", [x, g.integers(1)], g.tensor((BATCH, STEPS, INPUTS)))
    back = g.add("REVERSE_V2", [lstm(g, turned, options()), g.integers(1)], g.tensor(Y))
    fields = {schema.Concatenation.AXIS: ("int32", 2)}
    both = g.tensor((BATCH, STEPS, 2 * UNITS))
    g.outputs = [g.add("CONCATENATION", [lstm(g, x, options()), back], both, options=fields)]
    compare(file, tmp_path, normal(1, BATCH, STEPS, INPUTS), tolerance=5e-6)


def test_sizes_that_are_free_and_computed(tmp_path: Path) -> None:
    """SHAPE, STRIDED_SLICE, PACK and FILL make a shape, as of Keras with a free batch and time."""
    file = File()
    g = file.main
    x = g.input(None, None, INPUTS)
    states = [g.state(BATCH, UNITS) for _ in range(2)]
    inputs = [x, *weights(g, 7), *states, -1, -1, -1, -1]
    y = g.add(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, g.tensor((None, None, UNITS)), options=options()
    )
    shape = g.add("SHAPE", [y], g.tensor((3,), "i4"), options={0: ("int8", 2)})
    shrink = {schema.StridedSlice.SHRINK_AXIS_MASK: ("int32", 1)}
    sizes = [
        g.add(
            "STRIDED_SLICE", [shape, g.integers(i), g.integers(i + 1), g.integers(1)],
            g.tensor((), "i4"), options=shrink,
        )
        for i in range(2)
    ]  # fmt: skip
    flat = g.add("RESHAPE", [y, g.integers(-1, UNITS)], g.tensor((None, UNITS)))
    made = dense(g, flat, (None, 3), keep=False)
    parts = [*sizes, g.constant(3, "i4")]
    target = g.add("PACK", parts, g.tensor((3,), "i4"), options={0: ("int32", 3), 1: ("int32", 0)})
    g.outputs = [g.add("RESHAPE", [made, target], g.tensor((None, None, 3)))]
    compare(file, tmp_path, normal(1, BATCH, STEPS, INPUTS), tolerance=5e-6)


def test_weights_of_float16(tmp_path: Path) -> None:
    """Halves, and a DEQUANTIZE for each of them."""
    file = File()
    g = file.main
    x = g.input(BATCH, STEPS, INPUTS)
    y = lstm(g, x, options())
    half = [g.constant(normal(s, *n), "f2") for s, n in ((31, (3, UNITS)), (32, (3,)))]
    wide = [
        g.add("DEQUANTIZE", [i], g.tensor(n)) for i, n in zip(half, ((3, UNITS), (3,)), strict=True)
    ]
    fields = {schema.FullyConnected.KEEP_NUM_DIMS: ("bool", True)}
    made = g.tensor((BATCH, STEPS, 3))
    g.outputs = [g.add("FULLY_CONNECTED", [y, *wide], made, options=fields)]
    compare(file, tmp_path, normal(1, BATCH, STEPS, INPUTS), tolerance=5e-6)
    assert rn.load(tmp_path / "m.tflite").spec.layers[-1].weight.dtype == np.float32


def test_two_inputs_and_outputs(tmp_path: Path) -> None:
    file = File()
    g = file.main
    a, b = g.input(BATCH, STEPS, INPUTS, name="a"), g.input(BATCH, STEPS, INPUTS, name="b")
    y = lstm(
        g, g.add("ADD", [a, b], g.tensor((BATCH, STEPS, INPUTS)), options=fused("NONE")), options()
    )
    g.outputs = [g.add("TANH", [y], g.tensor(Y)), g.add("RELU", [y], g.tensor(Y))]
    data = normal(1, BATCH, STEPS, INPUTS), normal(2, BATCH, STEPS, INPUTS)
    compare(file, tmp_path, *data, tolerance=5e-6)
