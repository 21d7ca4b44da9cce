"""Arguments that share memory with a result: in Python every call gives what it gives of copies.

A stream's result is its own buffer, and the next step may be given it, or any part of it: as in
generation, ``y = stream.step(y)``. All other calls write into new arrays.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import (
    DTYPES,
    AnyArray,
    arrays_of,
    assert_same_bits,
    assert_same_state,
    map_state,
)
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native.spec import ModelSpec

View = Callable[[AnyArray], AnyArray]


def through_ctypes(y: AnyArray) -> AnyArray:
    """The memory of y under another owner: no array tells that it is the same."""
    kind = ctypes.c_float if y.itemsize == 4 else ctypes.c_double
    return np.ctypeslib.as_array((kind * y.size).from_address(y.ctypes.data)).reshape(y.shape)


VIEWS: dict[str, View] = {
    "itself": lambda y: y,
    "other rows": lambda y: y[::-1],
    "other features": lambda y: y[:, ::-1],
    "first row": lambda y: np.broadcast_to(y[:1], y.shape),
    "buffer": lambda y: np.frombuffer(memoryview(y).cast("B"), y.dtype).reshape(y.shape),
    "address": through_ctypes,
    "flat": lambda y: y.reshape(-1).reshape(y.shape),
    "fortran": lambda y: y.reshape(y.shape[::-1]).T,
}


def fed_back(model: rn.Model, x: AnyArray, view: View, copied: bool) -> tuple[list[AnyArray], Any]:
    """Copies of the results of x and of what is seen of each result as the next x; the state."""
    stream = model.stream(len(x))
    results = []
    for _ in range(5):
        y = stream.step(x)
        results.append(y.copy())
        x = view(y).copy() if copied else view(y)
    return results, stream.state


def check(model: rn.Model, x: AnyArray, view: View) -> None:
    own, state = fed_back(model, x, view, copied=False)
    expected, expected_state = fed_back(model, x, view, copied=True)
    for y, z in zip(own, expected, strict=True):
        assert_same_bits(y, z)
    assert_same_state(state, expected_state)


@st.composite
def generators(draw: st.DrawFn, dtype: str) -> ModelSpec:
    """Streamable chains whose output has the size of their input."""
    spec = draw(strategies.specs(directions=("forward",)).filter(lambda s: not s.takes_indices))
    rng = np.random.default_rng(draw(strategies.seeds()))
    if spec.output_size == spec.input_size:
        return spec
    head = strategies.make_linear(rng, spec.output_size, spec.input_size, activation="tanh")
    return ModelSpec((*spec.layers, head))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data(), batch=st.integers(1, 4), view=st.sampled_from(sorted(VIEWS)))
def test_a_stream_is_fed_its_own_result(
    dtype: str, data: st.DataObject, batch: int, view: str
) -> None:
    spec = data.draw(generators(dtype))
    x = strategies.random_input(spec, 1, batch, np.random.default_rng(1))[0].astype(dtype)
    check(rn.Model(spec, dtype=dtype), x, VIEWS[view])


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("hidden", [1, 33, 64, 256])
@pytest.mark.parametrize("view", sorted(VIEWS))
def test_layers_alone_and_in_chains(view: str, hidden: int, batch: int) -> None:
    """Of sizes at which kernels write some of y before they have read all of x."""
    rng = np.random.default_rng(2)
    linear = strategies.make_linear(rng, hidden, hidden, activation="tanh")
    gru = strategies.make_recurrent(rng, "gru", hidden, hidden)
    rnn = strategies.make_recurrent(rng, "rnn", hidden, hidden, output_layer=hidden)
    x = rng.standard_normal((batch, hidden)).astype(np.float32)
    for layers in ((linear,), (linear, linear), (gru,), (gru, linear), (rnn,)):
        check(rn.Model(ModelSpec(layers)), x, VIEWS[view])


@pytest.mark.parametrize(("columns", "offset"), [(16, 0), (8, 0), (8, 5), (8, 15), (1, 3)])
def test_a_part_of_the_result_that_is_no_step_of_it(columns: int, offset: int) -> None:
    """[batch, columns] somewhere in the result's memory, dense."""
    rng = np.random.default_rng(3)
    model = rn.Model(ModelSpec((strategies.make_linear(rng, columns, 16, activation="tanh"),)))
    x = rng.standard_normal((2, columns)).astype(np.float32)
    check(model, x, lambda y: y.reshape(-1)[offset : offset + 2 * columns].reshape(2, columns))


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_indices_that_lie_in_the_result(batch: int) -> None:
    """y of one feature, whose bits are indices."""
    table = np.random.default_rng(4).permutation(6).astype(np.int32).view(np.float32)
    model = rn.Model(ModelSpec((rn.Embedding(table[:, None]),)))
    x = np.random.default_rng(5).integers(0, 6, batch).astype(np.int32)
    check(model, x, lambda y: y.view(np.int32)[:, 0])


@given(case=strategies.cases(min_time=1))
def test_calls_return_new_memory(case: strategies.Case) -> None:
    """Nothing that was given is written, and no result lies in it."""
    model = rn.Model(case.spec)
    x = case.x.astype(np.int32) if case.spec.takes_indices else case.x
    kept, state = x.copy(), map_state(np.copy, case.state)
    y, final = model(x, case.state, case.lengths)
    traced = model.trace(x, case.state, case.lengths)
    assert_same_bits(x, kept)
    if state is not None:
        assert_same_state(case.state, state)
    took = [x, *([] if state is None else arrays_of(case.state))]
    for result in (y, *arrays_of(final), *traced.values()):
        assert not any(np.shares_memory(result, array) for array in took)
