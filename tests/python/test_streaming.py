"""Streams: step by step is the same computation as a sequence, and a Stream owns what it says.

With ``matmul="packed"`` the same means the same bits. With BLAS, whose sums may be ordered by the
shape of the product, it means within the bound of bounds.py.
"""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import (
    DTYPES,
    LAYOUTS,
    AnyArray,
    arrays_of,
    assert_agrees,
    assert_same_bits,
    assert_same_state,
    map_state,
    matmuls,
    structure,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import VARIANT_IDS, VARIANTS, Case

import rnn_native as rn
from rnn_native.spec import ModelSpec

variants = pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
forward = strategies.specs(directions=("forward",))


def step_all(stream: Any, x: AnyArray) -> AnyArray:
    """Every step of x [T, B, ...], copied before the next one overwrites it: [T, B, out]."""
    return np.stack([stream.step(x_t).copy() for x_t in x])


def small(cell: str = "gru", seed: int = 41, **options: Any) -> tuple[ModelSpec, AnyArray]:
    rng = np.random.default_rng(seed)
    spec = strategies.make_spec(rng, cell, 5, 9, **options)
    return spec, strategies.random_input(spec, 6, 2, rng)


@pytest.mark.parametrize("dtype", DTYPES)
@given(case=strategies.cases(forward, min_time=1, with_lengths=False), data=st.data())
def test_steps_equal_the_sequence_equal_chunks(dtype: str, case: Case, data: st.DataObject) -> None:
    assume(case.batch)  # a stream has rows
    x = case.x
    model = rn.Model(case.spec, dtype=dtype, matmul="packed")
    y, final = model(x)

    stream = model.stream(batch=case.batch)
    steps = step_all(stream, x)
    if case.spec.return_sequences:
        assert_same_bits(steps, y)
    else:
        for t, step in enumerate(steps):
            assert_same_bits(step, model(x[: t + 1])[0])
    assert_same_state(stream.state, final)

    cuts = sorted(data.draw(st.lists(st.integers(0, case.time), max_size=4)))
    state, parts = None, []
    for begin, end in zip([0, *cuts], [*cuts, case.time], strict=True):
        part, state = model(x[begin:end], state)
        parts.append(part)
    assert_same_bits(np.concatenate(parts) if case.spec.return_sequences else parts[-1], y)
    assert_same_state(state, final)


@variants
@pytest.mark.parametrize("matmul", matmuls())
@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_agree_with_the_reference(
    cell: str, options: dict[str, Any], matmul: str, dtype: str
) -> None:
    rng = np.random.default_rng(42)
    for batch, hidden in [(1, 5), (1, 33), (3, 16), (8, 17)]:
        spec = strategies.make_spec(
            rng, cell, 7, hidden, num_layers=2, out_features=3, activation="softmax", **options
        )
        x = strategies.random_input(spec, 5, batch, rng)
        stream = rn.Model(spec, dtype=dtype, matmul=matmul).stream(batch=batch)
        y = step_all(stream, x)
        assert_agrees(spec, x, None, None, y, stream.state, dtype)


@pytest.mark.parametrize("batch", [1, 4])
def test_an_embedding_model_takes_one_index_per_row(batch: int) -> None:
    rng = np.random.default_rng(43)
    spec = strategies.make_spec(rng, "gru", 6, 8, num_embeddings=11, out_features=5)
    x = strategies.random_input(spec, 7, batch, rng)
    model = rn.Model(spec, matmul="packed")
    y, final = model(x)
    for kind in (np.int64, np.int32, np.uint8):
        stream = model.stream(batch=batch)
        assert_same_bits(step_all(stream, x.astype(kind)), y)
        assert_same_state(stream.state, final)


def test_batch_is_one_unless_asked_otherwise() -> None:
    spec, x = small()
    model = rn.Model(spec, matmul="packed")
    assert model.stream().step(x[0, :1]).shape == (1, 9)


def test_a_batch_first_model_streams_the_same_steps() -> None:
    spec, x = small()
    model = rn.Model(spec, batch_first=True, matmul="packed")
    y, _ = model(np.swapaxes(x, 0, 1))
    assert_same_bits(step_all(model.stream(batch=2), x), np.swapaxes(y, 0, 1))


@variants
def test_reset_returns_to_the_zero_state(cell: str, options: dict[str, Any]) -> None:
    spec, x = small(cell, **options)
    stream = rn.Model(spec, matmul="packed").stream(batch=2)
    assert_same_state(stream.state, strategies.zero_state(spec, 2))
    first = step_all(stream, x)
    assert any(np.any(a) for a in arrays_of(stream.state))
    stream.reset()
    assert_same_state(stream.state, strategies.zero_state(spec, 2))
    assert_same_bits(step_all(stream, x), first)


@variants
def test_the_model_continues_from_a_streams_state(cell: str, options: dict[str, Any]) -> None:
    spec, x = small(cell, num_recurrents=2, **options)
    model = rn.Model(spec, matmul="packed")
    stream = model.stream(batch=2)
    step_all(stream, x[:4])
    y, final = model(x[4:], stream.state)
    assert_same_bits(y, step_all(stream, x[4:]))
    assert_same_state(final, stream.state)


def test_state_is_a_snapshot() -> None:
    """Later steps do not change it, and writing into it does not change the stream."""
    spec, x = small("lstm")
    model = rn.Model(spec, matmul="packed")
    stream = model.stream(batch=2)
    stream.step(x[0])
    state = stream.state
    kept = map_state(np.copy, state)
    stream.step(x[1])
    assert_same_state(state, kept)
    before = map_state(np.copy, stream.state)
    for a in arrays_of(stream.state):
        if a.flags.writeable:
            a.fill(99)
    assert_same_state(stream.state, before)


def test_a_model_without_recurrence_streams_with_an_empty_state() -> None:
    rng = np.random.default_rng(44)
    spec = ModelSpec((strategies.make_linear(rng, 5, 3, activation="tanh"),))
    model = rn.Model(spec, matmul="packed")
    x = strategies.random_input(spec, 3, 2, rng)
    stream = model.stream(batch=2)
    y, final = model(x)
    assert_same_bits(step_all(stream, x), y)
    assert stream.state == final == ()


@pytest.mark.parametrize("direction", ["reverse", "bidirectional"])
def test_a_model_that_needs_the_future_refuses(direction: str) -> None:
    spec, _ = small(direction=direction)
    with pytest.raises(rn.UnsupportedError, match=direction):
        rn.Model(spec).stream()


def test_one_backward_layer_is_enough_to_refuse() -> None:
    rng = np.random.default_rng(45)
    spec = ModelSpec(
        (
            strategies.make_recurrent(rng, "gru", 3, 4),
            strategies.make_recurrent(rng, "rnn", 4, 4, direction="bidirectional"),
        )
    )
    with pytest.raises(rn.UnsupportedError, match="bidirectional"):
        rn.Model(spec).stream()


def test_the_output_is_valid_until_the_next_step_of_the_same_stream() -> None:
    spec, x = small()
    model = rn.Model(spec, matmul="packed")
    stream, other = model.stream(batch=2), model.stream(batch=2)
    y_t = stream.step(x[0])
    kept = y_t.copy()
    other.step(x[1])
    model(x)
    assert stream.state.shape == structure(other.state)
    assert_same_bits(y_t, kept)


def test_the_output_outlives_its_stream_and_model() -> None:
    spec, x = small()
    model = rn.Model(spec, matmul="packed")
    stream = model.stream(batch=2)
    y_t = stream.step(x[0])
    kept = y_t.copy()
    del model, stream
    gc.collect()
    clutter = [np.full(4096, 7.0) for _ in range(50)]  # would fill memory that was freed
    assert_same_bits(y_t, kept)
    assert len(clutter) == 50


def test_a_stream_outlives_its_model() -> None:
    spec, x = small()
    model = rn.Model(spec, matmul="packed")
    y, _ = model(x)
    stream = model.stream(batch=2)
    del model
    gc.collect()
    assert_same_bits(step_all(stream, x), y)


def test_writing_into_the_output_does_not_reach_the_state() -> None:
    spec, x = small()
    model = rn.Model(spec, matmul="packed")
    y, _ = model(x)
    stream = model.stream(batch=2)
    for t in range(len(x)):
        y_t = stream.step(x[t])
        assert_same_bits(y_t, y[t])
        if y_t.flags.writeable:
            y_t.fill(np.nan)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_step_takes_any_layout(layout: str) -> None:
    spec, x = small()
    x_t = LAYOUTS[layout](x[0])
    model = rn.Model(spec, matmul="packed")
    y, _ = model(np.ascontiguousarray(x_t, dtype=np.float32)[None])
    assert_same_bits(model.stream(batch=2).step(x_t), y[0])


def test_streams_of_one_model_do_not_touch_each_other() -> None:
    spec, x = small("lstm")
    model = rn.Model(spec, matmul="packed")
    a, b = model.stream(batch=2), model.stream(batch=2)
    alone = step_all(model.stream(batch=2), x)
    for t in range(len(x)):
        assert_same_bits(a.step(x[t]), alone[t])
        b.step(x[-1 - t])


def test_streams_in_threads_of_their_own_give_what_they_give_alone() -> None:
    spec, _ = small("lstm")
    model = rn.Model(spec, matmul="packed")
    inputs = [strategies.random_input(spec, 50, 2, np.random.default_rng(k)) for k in range(8)]
    alone = [step_all(model.stream(batch=2), x) for x in inputs]
    results: list[Any] = [None] * 8
    start = threading.Barrier(8)

    def work(k: int) -> None:
        stream = model.stream(batch=2)
        start.wait()
        results[k] = step_all(stream, inputs[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got, expected in zip(results, alone, strict=True):
        assert_same_bits(got, expected)


def test_a_busy_stream_raises_and_stays_usable() -> None:
    """Two threads step one stream until one of them meets the other inside.

    A step of this model takes milliseconds without the GIL, so they meet at once; but whenever
    they do, each step either raised and did nothing or was a whole step. So after n steps that
    succeeded the stream is where n steps of a single thread would have left it.
    """
    rng = np.random.default_rng(46)
    spec = strategies.make_spec(rng, "gru", 4, 900, gain=0.5)
    model = rn.Model(spec, matmul="packed", num_threads=1)
    x_t = strategies.random_input(spec, 1, 8, rng)[0]
    stream = model.stream(batch=8)
    start, met = threading.Barrier(2), threading.Event()
    done, refused, other = [0, 0], [0, 0], []

    def work(k: int) -> None:
        start.wait()
        for _ in range(2000):
            try:
                stream.step(x_t)
                done[k] += 1
            except rn.BusyError:
                refused[k] += 1
                met.set()
            except BaseException as error:
                other.append(error)
                met.set()
            if met.is_set():
                return

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not other
    assert sum(refused) >= 1
    single = model.stream(batch=8)
    for _ in range(sum(done)):
        single.step(x_t)
    assert_same_state(stream.state, single.state)
    assert_same_bits(stream.step(x_t), single.step(x_t))


def test_what_a_caller_does_to_a_result_does_not_reach_the_stream() -> None:
    stream = rn.GRU(4, 6).model.stream(2)
    x = np.ones((2, 4), np.float32)
    y = stream.step(x)
    assert not y.flags.owndata  # so that it cannot be resized either
    y.shape = (12,)
    assert stream.step(x).shape == (2, 6)
