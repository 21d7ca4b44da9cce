"""If, Loop and Scan in the backend, with bodies that see what is around them, as onnxruntime runs
them."""

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
from onnx import TensorProto, helper, numpy_helper

from rnn_native import onnx_backend
from rnn_native.errors import FormatError, UnsupportedError

pytestmark = pytest.mark.oracle

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
T, B, IN, H = 4, 2, 3, 5


def info(name: str, element: int = FLOAT, shape: Any = None) -> Any:
    return helper.make_tensor_value_info(name, element, shape)


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """``-`` is an input or output that is left out."""
    names = [[n.strip("-") for n in text.split()] for text in (inputs, outputs)]
    return helper.make_node(op, *names, op.lower(), **attributes)


def graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], **constants: Any) -> Any:
    initializers = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    return helper.make_graph(nodes, "graph", inputs, outputs, initializers)


def both(made: Any, feeds: dict[str, Any]) -> tuple[Any, Any]:
    """What the backend and onnxruntime make of a graph."""
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return onnx_backend.run_model(model, feeds), session.run(None, feeds)


def agree(made: Any, feeds: dict[str, Any]) -> None:
    for got, want in zip(*both(made, feeds), strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        # Sums of some ten terms within 4, in float32: 1e-6; another step or slice differs by 1e-2.
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def uniform(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_sees_what_is_around_it_and_has_cells_of_its_own(taken: bool) -> None:
    weights = {"w": uniform(1, 3 * H, IN), "r": uniform(1, 3 * H, H, seed=1)}
    gru = node("GRU", "doubled w r", "- h", hidden_size=H)
    inner = node(
        "If", "also", "z",
        then_branch=graph([node("Neg", "h", "n")], [], [info("n")]),
        else_branch=graph([node("Identity", "h", "m")], [], [info("m")]),
    )  # fmt: skip
    branches = {
        "then_branch": graph([gru, inner], [], [info("z")]),
        "else_branch": graph([node("ReduceSum", "doubled", "s", keepdims=1)], [], [info("s")]),
    }
    made = graph(
        [node("Add", "x x", "doubled"), node("If", "chosen", "y", **branches)],
        [info("x", FLOAT, [T, B, IN]), info("chosen", BOOL, []), info("also", BOOL, [])],
        [info("y", FLOAT, ["a", "b", "c"])],
        **weights,
    )
    for also in (True, False):
        agree(made, {"x": uniform(T, B, IN), "chosen": np.array(taken), "also": np.array(also)})


def test_an_if_over_a_constant_needs_no_other_branch() -> None:
    strange = helper.make_node("Strange", ["x"], ["t"], domain="my")
    branches = {
        "then_branch": graph([node("Neg", "x", "n")], [], [info("n")]),
        "else_branch": graph([strange], [], [info("t")]),
    }
    inputs, outputs = [info("x", FLOAT, [2])], [info("y", FLOAT, [2])]
    for chosen in (True, False):
        made = graph([node("If", "c", "y", **branches)], inputs, outputs, c=np.array(chosen))
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
        model = helper.make_model(made, opset_imports=opsets, ir_version=8)
        if chosen:
            (y,) = onnx_backend.run_model(model, [np.float32([1, -2])])
            np.testing.assert_array_equal(y, [-1, 2])
        else:
            with pytest.raises(UnsupportedError, match=r"\(my.Strange\)"):
                onnx_backend.prepare(model)


@settings(max_examples=25, deadline=None)
@given(
    most=st.none() | st.integers(0, 5),
    holds=st.none() | st.booleans(),
    until=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_a_loop_of_any_conditions(
    most: int | None, holds: bool | None, until: int, seed: int
) -> None:
    """Its body adds the step's number and what is around it, until a sum of steps is reached."""
    if most is None and holds is None:
        most = 3  # it would have no end
    if holds is None:
        until = 99  # else onnxruntime stops: findings/onnxruntime_loop_condition.sh
    body = graph(
        [
            node("Cast", "i", "f", to=FLOAT),
            node("Mul", "f scale", "g"),
            node("Add", "v g", "w"),
            node("Less", "i until", "still"),
        ],
        [info("i", INT, []), info("going", BOOL, []), info("v", FLOAT, [2])],
        [info("still", BOOL, []), info("w", FLOAT, [2]), info("g", FLOAT, [1])],
    )
    names = f"{'-' if most is None else 'most'} {'-' if holds is None else 'holds'} x"
    inputs = [info("x", FLOAT, [2]), info("most", INT, []), info("holds", BOOL, [])]
    made = graph(
        [node("Loop", names, "last steps", body=body)],
        inputs,
        [info("last", FLOAT, [2]), info("steps", FLOAT, ["n", 1])],
        scale=uniform(1, seed=seed),
        until=np.array(until),
    )
    feeds = {"x": uniform(2), "most": np.array(most or 0), "holds": np.array(bool(holds))}
    agree(made, feeds)


@settings(max_examples=25, deadline=None)
@given(
    axes=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    back=st.tuples(st.integers(0, 1), st.integers(0, 1)),
)
def test_a_scan_along_any_axes_in_either_direction(
    axes: tuple[int, int], back: tuple[int, int]
) -> None:
    body = graph(
        [node("Mul", "s decay", "d"), node("Add", "d x", "t"), node("Identity", "t", "y")],
        [info("s", FLOAT, [B]), info("x", FLOAT, [B])],
        [info("t", FLOAT, [B]), info("y", FLOAT, [B])],
    )
    attributes = {
        "num_scan_inputs": 1, "scan_input_axes": [axes[0]], "scan_output_axes": [axes[1]],
        "scan_input_directions": [back[0]], "scan_output_directions": [back[1]],
    }  # fmt: skip
    shape = [B, T] if axes[0] else [T, B]
    made = graph(
        [node("Scan", "s0 x", "last y", body=body, **attributes)],
        [info("s0", FLOAT, [B]), info("x", FLOAT, shape)],
        [info("last", FLOAT, [B]), info("y", FLOAT, ["a", "b"])],
        decay=np.float32(0.5),
    )
    agree(made, {"s0": uniform(B), "x": uniform(*shape)})


def test_a_loop_without_a_condition_ignores_what_its_body_says() -> None:
    body = graph(
        [node("Add", "v v", "w"), node("Less", "i none", "still")],
        [info("i", INT, []), info("going", BOOL, []), info("v", FLOAT, [2])],
        [info("still", BOOL, []), info("w", FLOAT, [2])],
    )
    made = graph(
        [node("Loop", "three - x", "y", body=body)],
        [info("x", FLOAT, [2])], [info("y", FLOAT, [2])],
        three=np.array(3), none=np.array(0),
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (y,) = onnx_backend.run_model(model, [uniform(2)])
    np.testing.assert_array_equal(y, 8 * uniform(2))


def test_a_loop_without_steps_needs_to_know_what_it_collects() -> None:
    body = graph(
        [node("Identity", "going", "still"), node("Identity", "x", "y")],
        [info("i", INT, []), info("going", BOOL, [])],
        [info("still", BOOL, []), info("y", FLOAT)],
    )
    made = graph(
        [node("Loop", "none -", "ys", body=body)],
        [info("x", FLOAT, [2])],
        [info("ys", FLOAT, ["n", 2])],
        none=np.array(0),
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(UnsupportedError, match=r"'loop' \(Loop\): no steps, and the file does not"):
        onnx_backend.run_model(model, [uniform(2)])
    two = np.array([True, False])
    branch = graph([node("Neg", "x", "n")], [], [info("n")])
    choice = node("If", "two", "y", then_branch=branch, else_branch=branch)
    made = graph([choice], [info("x", FLOAT, [2])], [info("y", FLOAT, [2])], two=two)
    with pytest.raises(FormatError, match=r"'if' \(If\): expected one number as its condition"):
        onnx_backend.prepare(
            helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        )
