"""Last states and merged directions in graphs: what is read as such, and what is not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx import TensorProto
from onnx_graphs import ATOL, Array, Builder, make_linear, make_recurrent, run, uniform

from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError
from rnn_native.spec import Linear, Merge, ModelSpec, Recurrent, Reduce

pytestmark = pytest.mark.oracle

T, B, IN, H = 5, 2, 3, 4
FORWARD = make_recurrent("gru", IN, H)
BACKWARD = make_recurrent("lstm", IN, H, direction="reverse")
BOTH = make_recurrent("lstm", IN, H, direction="bidirectional")


def check(path: Path, *kinds: type) -> ModelSpec:
    """The graph's only output, [batch, features], as onnxruntime has it."""
    spec = formats.read(path)
    assert tuple(type(layer) for layer in spec.layers) == kinds
    x = uniform(T, B, IN)
    (want,) = run(path, {"x": x})
    y, _ = reference.run(spec, x)
    np.testing.assert_allclose(y, want.reshape(y.shape), rtol=0, atol=ATOL)
    return spec


def half(b: Builder, y: str) -> str:
    return b.op("Mul", y, b.constant(np.float32(0.5)))


def pick(b: Builder, states: str, row: int) -> str:
    return b.op("Gather", states, b.constant(row, np.int64), axis=0)


WAYS: dict[str, tuple[Recurrent, Callable[[Builder, list[str]], str]]] = {
    "as it is": (FORWARD, lambda b, out: out[1]),
    "squeezed": (FORWARD, lambda b, out: b.squeeze(out[1], 0)),
    "turned": (BOTH, lambda b, out: b.op(
        "Reshape", b.op("Transpose", out[1], perm=[1, 0, 2]), b.integers(0, 2 * H))),
    "row": (BACKWARD, lambda b, out: pick(b, out[1], 0)),
    "rows side by side": (BOTH, lambda b, out: b.op(
        "Concat", pick(b, out[1], 0), pick(b, out[1], 1), axis=1)),
    "last step": (FORWARD, lambda b, out: pick(b, b.squeeze(out[0], 1), -1)),
    "first step": (BACKWARD, lambda b, out: pick(b, b.squeeze(out[0], 1), 0)),
    "last step cut": (FORWARD, lambda b, out: b.op(
        "Slice", b.squeeze(out[0], 1), b.integers(-1), b.integers(2**31), b.integers(0))),
    "first step cut": (BACKWARD, lambda b, out: b.op(
        "Slice", b.squeeze(out[0], 1), b.integers(0), b.integers(1), b.integers(0))),
}  # fmt: skip


@pytest.mark.parametrize("head", [False, True], ids=["alone", "head"])
@pytest.mark.parametrize("way", WAYS)
def test_a_last_state_is_the_output_or_goes_on(way: str, head: bool, tmp_path: Path) -> None:
    layer, make = WAYS[way]
    b = Builder()
    y = make(b, b.recurrent(b.input("x", ["t", "b", IN]), layer))
    if head and way == "as it is":
        y = b.squeeze(y, 0)
    b.output(b.linear(y, make_linear(layer.output_size, 2)) if head else y)
    spec = check(b.save(tmp_path), *([Recurrent, Linear] if head else [Recurrent]))
    assert not spec.return_sequences


def test_the_state_of_one_of_several_layers_goes_on(tmp_path: Path) -> None:
    layers = [FORWARD, make_recurrent("gru", H, H, seed=1)]
    for row in (-1, 1):
        b = Builder()
        y, finals = b.input("x", ["t", "b", IN]), []
        for layer in layers:
            y, final = b.recurrent(y, layer)
            y = b.squeeze(y, 1)
            finals.append(final)
        b.output(b.linear(pick(b, b.op("Concat", *finals, axis=0), row), make_linear(H, 2)))
        check(b.save(tmp_path), Recurrent, Recurrent, Linear)


@pytest.mark.parametrize("also", [[], [2], [0]])
def test_states_besides_stay_states(also: list[int], tmp_path: Path) -> None:
    """h is the output, c a state; where Y is an output too, that is the sequence."""
    b = Builder()
    out = b.recurrent(b.input("x", ["t", "b", IN]), BACKWARD)
    for position in (1, *also):
        b.output(out[position])
    assert formats.read(b.save(tmp_path)).return_sequences == (also == [0])


def test_lengths_are_those_of_each_row(tmp_path: Path) -> None:
    b = Builder()
    n = b.input("n", ["b"], TensorProto.INT32)
    out = b.recurrent(b.input("x", ["t", "b", IN]), BOTH, n)
    b.output(b.op("Reshape", b.op("Transpose", out[1], perm=[1, 0, 2]), b.integers(0, 2 * H)))
    path = b.save(tmp_path)
    feeds: dict[str, Array] = {"x": uniform(T, B, IN), "n": np.array([3, 5], np.int32)}
    (want,) = run(path, feeds)
    y, _ = reference.run(formats.read(path), feeds["x"], None, feeds["n"])
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


READ: dict[str, tuple[Recurrent, Callable[[Builder, list[str]], str]]] = {
    "the last step of both directions": (
        BOTH, lambda b, out: pick(b, b.concatenated(out[0], 2), -1)),
    "the last step of both, its axis kept": (BOTH, lambda b, out: b.op(
        "Gather", b.concatenated(out[0], 2), b.integers(-1))),
    "the last step of both, cut": (BOTH, lambda b, out: b.op(
        "Slice", b.concatenated(out[0], 2), b.integers(-1), b.integers(2**31), b.integers(0))),
    "the first step": (FORWARD, lambda b, out: pick(b, b.squeeze(out[0], 1), 0)),
}  # fmt: skip


@pytest.mark.parametrize("what", READ)
def test_other_ends_are_a_reduce(what: str, tmp_path: Path) -> None:
    """The first step, or the last one of both directions, which is no last state."""
    layer, make = READ[what]
    b = Builder()
    b.output(make(b, b.recurrent(b.input("x", ["t", "b", IN]), layer)))
    path = b.save(tmp_path)
    x = uniform(T, B, IN)
    (want,) = run(path, {"x": x})
    spec = formats.read(path)
    assert any(isinstance(node.layer, Reduce) for node in spec.nodes.values())
    y, _ = reference.run(spec, x)
    np.testing.assert_allclose(y, want.reshape(y.shape), rtol=0, atol=ATOL)


REFUSED: dict[str, tuple[Recurrent, Callable[[Builder, list[str]], str]]] = {
    "two steps of both": (BOTH, lambda b, out: b.op(
        "Gather", b.concatenated(out[0], 2), b.integers(0, 1))),
    "steps of both in the middle": (BOTH, lambda b, out: b.op(
        "Slice", b.concatenated(out[0], 2), b.integers(1), b.integers(3), b.integers(0))),
    "both turned about": (BOTH, lambda b, out: b.op(
        "Slice", b.concatenated(out[0], 2), b.integers(-1), b.integers(-(2**31)), b.integers(0),
        b.integers(-1))),
    "the last but one": (FORWARD, lambda b, out: pick(b, b.squeeze(out[0], 1), -2)),
    "two steps": (FORWARD, lambda b, out: b.op(
        "Slice", b.squeeze(out[0], 1), b.integers(-2), b.integers(2**31), b.integers(0))),
    "a row of the batch": (FORWARD, lambda b, out: b.op(
        "Gather", b.squeeze(out[0], 1), b.constant(-1, np.int64), axis=1)),
    "c": (BACKWARD, lambda b, out: b.linear(b.squeeze(out[2], 0), make_linear(H, 2))),
    "directions the other way round": (BOTH, lambda b, out: b.linear(b.op(
        "Concat", pick(b, out[1], 1), pick(b, out[1], 0), axis=1), make_linear(2 * H, 2))),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_other_parts_are_refused(what: str, tmp_path: Path) -> None:
    layer, make = REFUSED[what]
    b = Builder()
    b.output(make(b, b.recurrent(b.input("x", [T, B, IN]), layer)))
    with pytest.raises(UnsupportedError, match=r"node '.+' \((Gather|Slice|MatMul|Add)\): "):
        formats.read(b.save(tmp_path))


def test_the_last_step_where_there_are_lengths_is_refused(tmp_path: Path) -> None:
    """It may be padding, which is no row's last state."""
    b = Builder()
    n = b.input("n", ["b"], TensorProto.INT32)
    b.output(pick(b, b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), FORWARD, n)[0], 1), -1))
    with pytest.raises(UnsupportedError, match="where there are no sequence_lens"):
        formats.read(b.save(tmp_path))


# Merged directions

MERGES: dict[str, Callable[[Builder, str, str], str]] = {
    "sum": lambda b, one, other: b.op("Add", one, other),
    "mul": lambda b, one, other: b.op("Mul", other, one),
    "ave": lambda b, one, other: half(b, b.op("Add", one, other)),
}


@pytest.mark.parametrize("last", [False, True], ids=["steps", "last"])
@pytest.mark.parametrize("mode", MERGES)
def test_halves_that_are_made_one(mode: str, last: bool, tmp_path: Path) -> None:
    b = Builder()
    out = b.recurrent(b.input("x", ["t", "b", IN]), BOTH)
    if last:
        halves = [pick(b, out[1], 0), pick(b, out[1], 1)]
    else:
        halves = b.ops("Split", b.concatenated(out[0], 2), axis=2, count=2)
    b.output(b.linear(MERGES[mode](b, *halves), make_linear(H, 2)))
    spec = check(b.save(tmp_path), Recurrent, Merge, Linear)
    assert spec.layers[1] == Merge(mode, H)


def parts(b: Builder, y: str, *sizes: int, axis: int = 2) -> list[str]:
    if not sizes:
        return b.ops("Split", y, axis=axis, count=2)
    return b.ops("Split", y, b.integers(*sizes), axis=axis, count=len(sizes))


NO_MERGE: dict[str, tuple[Callable[[Builder, str], str], str]] = {
    "unequal parts": (lambda b, y: b.op("Add", *parts(b, y, 2, 6)), "Add"),
    "steps": (lambda b, y: b.op("Add", *parts(b, y, 2, 3, axis=0)), "Split"),
}


@pytest.mark.parametrize("what", NO_MERGE)
def test_what_is_no_merge_is_refused(what: str, tmp_path: Path) -> None:
    make, op = NO_MERGE[what]
    b = Builder()
    y = b.concatenated(b.recurrent(b.input("x", [T, B, IN]), BOTH)[0], 2)
    b.output(make(b, y))
    with pytest.raises(UnsupportedError, match=rf"node '.+' \({op}\): "):
        formats.read(b.save(tmp_path))


ALMOST: dict[str, Callable[[Builder, str], str]] = {
    "three parts": lambda b, y: parts(b, y, 2, 2, 4)[0],
    "the same half": lambda b, y: b.op("Add", *parts(b, y)[:1] * 2),
    "a difference": lambda b, y: b.op("Sub", *parts(b, y)),
    "a third": lambda b, y: b.op(
        "Mul", b.op("Add", *parts(b, y)), b.constant(np.float32(1 / 3))),
    "half of a product": lambda b, y: half(b, b.op("Mul", *parts(b, y))),
    "half of all": half,
    "a half alone": lambda b, y: b.op("Relu", parts(b, y)[0]),
    "one direction of two": lambda b, y: b.op(
        "Slice", y, b.integers(H), b.integers(2 * H), b.integers(2)),
}  # fmt: skip


@pytest.mark.parametrize("what", ALMOST)
def test_what_is_no_merge_is_other_layers(what: str, tmp_path: Path) -> None:
    b = Builder()
    b.output(ALMOST[what](b, b.concatenated(b.recurrent(b.input("x", [T, B, IN]), BOTH)[0], 2)))
    path = b.save(tmp_path)
    spec = formats.read(path)
    (want,) = run(path, {"x": uniform(T, B, IN)})
    y, _ = reference.run(spec, uniform(T, B, IN))
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


def test_halves_of_two_layers_are_no_merge(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    halves: list[Any] = []
    for seed in (0, 1):
        layer = make_recurrent("gru", IN, H, seed=seed, direction="bidirectional")
        y = b.concatenated(b.recurrent(x, layer)[0], 2)
        halves.append(b.ops("Split", y, axis=2, count=2))
    b.output(b.op("Add", halves[0][0], halves[1][1], name="it"))
    path = b.save(tmp_path)
    spec = formats.read(path)
    assert not any(isinstance(node.layer, Merge) for node in spec.nodes.values())
    (want,) = run(path, {"x": uniform(T, B, IN)})
    y, _ = reference.run(spec, uniform(T, B, IN))
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)
