"""With ``matmul="packed"`` a row's bits depend on the row alone.

Not on the batch it sits in, its place there, the number of threads, padding and what is in it,
how time is cut into calls, or what other threads do with the same Model meanwhile.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, AnyArray, arrays_of, assert_same_bits, assert_same_state, map_state
from hypothesis import given
from hypothesis import strategies as st
from strategies import VARIANT_IDS, VARIANTS, Case

import rnn_native as rn
from rnn_native.spec import ModelSpec

variants = pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def rows(state: Any, which: Any) -> Any:
    """Those rows of a state, whose arrays are [layers * directions, batch, size]."""
    return map_state(lambda a: a[:, which], state)


def packed(spec: ModelSpec, dtype: str = "float32", num_threads: int | None = None) -> rn.Model:
    return rn.Model(spec, dtype=dtype, matmul="packed", num_threads=num_threads)


def full_lengths(case: Case) -> list[int]:
    return [case.time] * case.batch if case.lengths is None else case.lengths


@dtypes
@given(case=strategies.cases(max_batch=6), data=st.data())
def test_rows_of_any_batch(dtype: str, case: Case, data: st.DataObject) -> None:
    """Any selection of rows, in any order and repeated, gives what they gave together."""
    model = packed(case.spec, dtype)
    y, final = model(case.x, case.state, case.lengths)
    which = data.draw(st.lists(st.integers(0, case.batch - 1), max_size=9)) if case.batch else []
    part, part_final = model(
        case.x[:, which],
        rows(case.state, which),
        None if case.lengths is None else np.array(case.lengths, dtype=int)[which],
    )
    assert_same_bits(part, strategies.some_rows(case.spec, y, which))
    assert_same_state(part_final, rows(final, which))


@given(case=strategies.cases(max_batch=9), threads=st.integers(2, 5))
def test_number_of_threads(case: Case, threads: int) -> None:
    y, final = packed(case.spec, num_threads=1)(case.x, case.state, case.lengths)
    many, many_final = packed(case.spec, num_threads=threads)(case.x, case.state, case.lengths)
    assert_same_bits(many, y)
    assert_same_state(many_final, final)


@given(case=strategies.cases(), longer=st.integers(0, 5))
def test_padding_and_what_is_in_it(case: Case, longer: int) -> None:
    """NaN past a row's length, or indices that do not exist, never leak."""
    model = packed(case.spec)
    y, final = model(case.x, case.state, case.lengths)
    lengths = full_lengths(case)
    pad = np.zeros((longer, *case.x.shape[1:]), case.x.dtype)
    x = np.concatenate([case.x, pad])
    for row, length in enumerate(lengths):
        x[length:, row] = 10**6 if case.spec.takes_indices else np.nan
    padded, padded_final = model(x, case.state, lengths)
    if case.spec.return_sequences:
        assert not np.any(padded[case.time :])
        padded = padded[: case.time]
    assert_same_bits(padded, y)
    assert_same_state(padded_final, final)


@given(case=strategies.cases())
def test_a_row_with_a_length_is_the_row_cut_there(case: Case) -> None:
    model = packed(case.spec)
    y, final = model(case.x, case.state, case.lengths)
    for row, length in enumerate(full_lengths(case)):
        one = slice(row, row + 1)
        alone, alone_final = model(case.x[:length, one], rows(case.state, one))
        if case.spec.return_sequences:
            assert_same_bits(alone, y[:length, one])
            assert np.all(y[length:, one] == 0)
        else:
            assert_same_bits(alone, y[one])
        assert_same_state(alone_final, rows(final, one))


@given(case=strategies.cases(strategies.specs(directions=("forward",)), with_lengths=False))
def test_where_time_is_cut(case: Case) -> None:
    model = packed(case.spec)
    y, final = model(case.x, case.state)
    for cut in range(case.time + 1):
        head, state = model(case.x[:cut], case.state)
        tail, state = model(case.x[cut:], state)
        whole = np.concatenate([head, tail]) if case.spec.return_sequences else tail
        assert_same_bits(whole, y)
        assert_same_state(state, final)


@variants
@dtypes
@pytest.mark.parametrize("hidden", [3, 16, 31, 70])
def test_every_batch_up_to_17(cell: str, options: dict[str, Any], dtype: str, hidden: int) -> None:
    """Batches are worked in blocks: a row may be in a full block, in a rest, or alone."""
    rng = np.random.default_rng(51)
    spec = strategies.make_spec(
        rng, cell, 9, hidden, out_features=5, direction="bidirectional", **options
    )
    x = strategies.random_input(spec, 3, 17, rng, dtype=dtype)
    state = strategies.random_state(spec, 17, rng, dtype=dtype)
    one, two = packed(spec, dtype, 1), packed(spec, dtype, 2)
    y, final = one(x, state)
    for batch in range(1, 18):
        for model in (one, two):
            part, part_final = model(x[:, :batch], rows(state, slice(batch)))
            assert_same_bits(part, y[:, :batch])
            assert_same_state(part_final, rows(final, slice(batch)))


@variants
@pytest.mark.parametrize(
    ("time", "batch", "hidden"), [(300, 1, 8), (130, 3, 33), (4, 40, 70), (3, 1, 260), (3, 5, 260)]
)
def test_larger_work_cut_and_threaded(
    cell: str, options: dict[str, Any], time: int, batch: int, hidden: int
) -> None:
    """Sizes at which time is worked in chunks, and batch or hidden units go to threads."""
    rng = np.random.default_rng(52)
    spec = strategies.make_spec(rng, cell, 20, hidden, num_layers=2, **options)
    x = strategies.random_input(spec, time, batch, rng)
    one = packed(spec, num_threads=1)
    y, final = one(x)
    for threads in (2, 3):
        many, many_final = packed(spec, num_threads=threads)(x)
        assert_same_bits(many, y)
        assert_same_state(many_final, final)
    cut = time // 3
    head, state = one(x[:cut])
    tail, state = one(x[cut:], state)
    assert_same_bits(np.concatenate([head, tail]), y)
    assert_same_state(state, final)
    last = slice(batch - 1, batch)
    alone, alone_final = one(x[:, last])
    assert_same_bits(alone, y[:, last])
    assert_same_state(alone_final, rows(final, last))


@pytest.mark.parametrize("matmul", ["packed", "auto"])
@pytest.mark.parametrize("num_threads", [1, 2])
def test_eight_python_threads_share_a_model(matmul: str, num_threads: int) -> None:
    rng = np.random.default_rng(53)
    spec = strategies.make_spec(rng, "lstm", 12, 40, num_layers=2, direction="bidirectional")
    model = rn.Model(spec, matmul=matmul, num_threads=num_threads)
    inputs = [strategies.random_input(spec, 5 + 7 * k, 1 + 2 * k, rng) for k in range(8)]
    alone = [model(x) for x in inputs]
    start = threading.Barrier(8)
    results: list[list[tuple[AnyArray, Any]]] = [[] for _ in range(8)]
    errors: list[BaseException] = []

    def work(k: int) -> None:
        try:
            start.wait()
            results[k] = [model(inputs[k]) for _ in range(10)]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for got, (y, final) in zip(results, alone, strict=True):
        assert len(got) == 10
        for again, again_final in got:
            assert_same_bits(again, y)
            assert_same_state(again_final, final)


@given(case=strategies.cases())
def test_the_same_call_again(case: Case) -> None:
    """Nothing of a call stays in the Model."""
    model = packed(case.spec)
    y, final = model(case.x, case.state, case.lengths)
    model(case.x, None, None)
    again, again_final = model(case.x, case.state, case.lengths)
    assert_same_bits(again, y)
    assert_same_state(again_final, final)


@given(case=strategies.cases(max_time=0))
def test_no_steps_return_the_initial_state(case: Case) -> None:
    y, final = packed(case.spec)(case.x, case.state, case.lengths)
    steps = (0,) if case.spec.return_sequences else ()
    assert y.shape == (*steps, case.batch, case.spec.output_size)
    initial = case.state
    if initial is None:
        initial = strategies.first_state(case.spec, case.batch)
    assert_same_state(final, initial)
    assert all(a.dtype == np.float32 for a in arrays_of(final))
