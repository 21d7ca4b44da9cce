"""Upsample: the steps that it copies, to the bit; however it is cut; with rows of other lengths."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import DTYPES, assert_same_bits
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import ModelSpec

CASES = [
    (factor, mode, cut)
    for factor in (1, 2, 3, 5)
    for mode in ("nearest", "parts")
    for cut in range(min(factor, 3))
]


def upsampled(x: NDArray[Any], factor: int, mode: str, cut: int) -> NDArray[Any]:
    """Of x [time, batch, features], by NumPy's repeat and reshape."""
    time, batch, features = x.shape
    if mode == "nearest":
        y = np.repeat(x, factor, axis=0)
    else:
        y = x.reshape(time, batch, factor, features // factor).swapaxes(1, 2)
        y = y.reshape(time * factor, batch, features // factor)
    return y[: max(0, len(y) - cut)]


def made(factor: int, mode: str, cut: int, dtype: str, *more: Any) -> tuple[rn.Model, Any]:
    """A model of a table of numbers, and the table."""
    table = np.random.default_rng(461).standard_normal((40, 30)).astype(dtype)
    layers = (rn.Embedding(table), rn.Upsample(factor, mode, cut), *more)
    return rn.Model(ModelSpec(layers), dtype=dtype), table


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_its_steps_are_those_of_its_input(case: Any, dtype: str) -> None:
    model, table = made(*case, dtype)
    for time, batch in ((0, 2), (1, 1), (2, 3), (13, 3)):
        x = np.arange(time * batch).reshape(time, batch)
        want = upsampled(table[x], *case)
        for threads in (1, 3):
            y, state = model(x, num_threads=threads)
            assert y.shape == (model.output_steps(time), *want.shape[1:])
            assert_same_bits(y, want)
        y, own = rn.reference.run(model.spec, x)
        np.testing.assert_array_equal(y, want)
        if case[2]:
            assert np.array_equal(own["1"][0][0], table[x][-1] if time else np.zeros((batch, 30)))
            assert_same_bits(state["1"][0].astype("f8"), own["1"][0])
            assert np.array_equal(state["1"][1], own["1"][1])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_streams_and_pieces_have_the_bits_of_the_whole(case: Any) -> None:
    rng = np.random.default_rng(462)
    factor, _, cut = case
    model, _ = made(*case, "float32")
    x = rng.integers(0, 40, (17, 2))
    y, _ = model(x)
    for most in (1, 3, 17):
        stream, pieces, parts, state, first = model.stream(batch=2), [], [], None, 0
        assert stream.rate == Fraction(factor, 1)
        assert stream.latency == (1 if cut else 0)
        while first < len(x):
            end = first + int(rng.integers(0, most + 1))
            pieces.append(stream.push(x[first:end]))
            part, state = model(x[first:end], state)
            parts.append(part)
            first = end
        assert_same_bits(np.concatenate(pieces), y)
        assert_same_bits(np.concatenate(parts), y)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_of_other_lengths_are_those_rows_alone(case: Any) -> None:
    model, _ = made(*case, "float32")
    x = np.random.default_rng(463).integers(0, 40, (12, 4))
    lengths = [12, 5, 1, 0]
    y, _ = model(x, lengths=lengths)
    assert list(model.output_steps(lengths)) == [max(0, n * case[0] - case[2]) for n in lengths]
    for row, length in enumerate(lengths):
        alone, _ = model(np.ascontiguousarray(x[:length, row : row + 1]))
        assert_same_bits(np.ascontiguousarray(y[: len(alone), row : row + 1]), alone)
        assert not y[len(alone) :, row].any()


def test_branches_of_equal_steps_go_together_and_others_are_refused() -> None:
    nodes: dict[str, Any] = {
        "same": (rn.Upsample(4), "x"),
        "part": (rn.Upsample(4, "parts"), "wide"),
        "wide": (rn.Repeat(3, 4), "x"),
        "sum": (rn.Add(), ("same", "part")),
    }
    spec = ModelSpec(nodes=nodes, inputs={"x": 3}, outputs="sum")
    x = np.random.default_rng(464).standard_normal((5, 2, 3)).astype("f4")
    y, _ = rn.Model(spec)(x)
    assert_same_bits(y, np.repeat(2 * x, 4, axis=0))
    nodes = {"slow": (rn.AvgPool(4), "x"), "fast": (rn.Upsample(4), "slow"),
             "sum": (rn.Add(), ("x", "fast"))}  # fmt: skip
    with pytest.raises(rn.ShapeError, match="steps"):
        ModelSpec(nodes=nodes, inputs={"x": 3}, outputs="sum")


def test_files_keep_it(tmp_path: Path) -> None:
    for index, case in enumerate(CASES):
        model, _ = made(
            *case, "float32", rn.GRU(30 // case[0] if case[1] == "parts" else 30, 3).spec
        )
        x = np.arange(18).reshape(9, 2)
        y, _ = model(x)
        for suffix in ("safetensors", "npz"):
            path = tmp_path / f"{index}.{suffix}"
            model.save(path)
            assert_same_bits(rn.load(path)(x)[0], y)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_onnx_file_gives_its_numbers(case: Any, tmp_path: Path) -> None:
    """Beside onnxruntime; a nearest one is read again."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model, _ = made(*case, "float32")
    path = tmp_path / "m.onnx"
    model.save(path)
    session = runtime.InferenceSession(str(path))
    x = np.random.default_rng(465).integers(0, 40, (7, 2))
    (want,) = session.run(None, {session.get_inputs()[0].name: x})
    assert_same_bits(model(x)[0], want)
    if case[1:] == ("nearest", 0):
        assert_same_bits(rn.load(path)(x)[0], want)


def test_what_cannot_be_one_is_refused_by_name() -> None:
    for call, error, message in (
        (lambda: rn.Upsample(0), rn.OptionError, "Upsample factor: expected 1 to"),
        (lambda: rn.Upsample(2**20 + 1), rn.OptionError, "factor: expected 1 to 1048576, got"),
        (lambda: rn.Upsample(2, "linear"), rn.OptionError, "mode: expected one of nearest, parts"),
        (lambda: rn.Upsample(2, cut=2), rn.OptionError, "cut: expected it below factor=2, got 2"),
        (lambda: rn.Upsample(2, cut=-1), rn.OptionError, "Upsample cut: expected 0 to"),
        (lambda: ModelSpec((rn.Upsample(2),)), rn.UnsupportedError, "an Upsample cannot be first"),
        (lambda: rn.Model([rn.GRU(3, 5), rn.Upsample(2, "parts")]), rn.ShapeError,
         r"layer 1 \(Upsample\): expected an input of features in factor=2 parts, layer 0 gives 5"),
        (lambda: rn.Model([rn.GRU(3, 4, return_sequences=False), rn.Upsample(2)]), rn.ShapeError,
         "expected an input of steps"),
        (lambda: rn.train.Network(ModelSpec((rn.GRU(3, 4).spec, rn.Upsample(2)))),
         rn.UnsupportedError, "layer 1 is a"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            call()


def test_more_steps_than_a_call_can_have_are_an_error() -> None:
    many = rn.Upsample(2**20)
    model = rn.Model([rn.Embedding(np.ones((2, 1))), many, many, many])
    with pytest.raises(rn.RnnError):
        model(np.zeros((3, 1), dtype=int))
