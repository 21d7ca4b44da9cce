"""Recurrents in steps of several positions: along time and along the positions, against the same
Recurrent on the rows that these are, to the bit; however it is cut; what is refused."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import (
    DTYPES,
    LAYOUTS,
    arrays_of,
    assert_agrees,
    assert_same_bits,
    assert_same_state,
    check,
)
from exported import CC, Shared
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import ModelSpec, Recurrent

SEEDS = range(40)
TIME, BATCH, WIDTHS = 7, 3, (1, 2, 6, 12, 36)


def draw(seed: int, **options: Any) -> tuple[np.random.Generator, Recurrent]:
    rng = np.random.default_rng([417, seed])
    return rng, strategies.make_within(rng, WIDTHS[seed % len(WIDTHS)], **options)


def plain(layer: Recurrent) -> Recurrent:
    """The same in steps of one vector, over time."""
    return replace(layer, positions=1, along="time")


def as_rows(layer: Recurrent, x: NDArray[Any]) -> NDArray[Any]:
    """What the plain one reads: [time, batch * positions, .], or [positions, time * batch, .]."""
    time, batch = x.shape[:2]
    if layer.along == "time":
        return x.reshape(time, batch * layer.positions, -1)
    return np.ascontiguousarray(x.reshape(time * batch, layer.positions, -1).swapaxes(0, 1))


def as_steps(layer: Recurrent, y: NDArray[Any], time: int, batch: int) -> NDArray[Any]:
    """What it makes of these, as the layer gives it."""
    if layer.along == "time" and not layer.return_sequences:
        return y.reshape(batch, layer.output_size)
    if layer.along == "positions" and layer.return_sequences:
        y = np.ascontiguousarray(y.swapaxes(0, 1))
    return y.reshape(time, batch, layer.output_size)


def test_what_is_drawn_has_every_option() -> None:
    layers = [draw(seed)[1] for seed in SEEDS]
    for name in ("along", "direction", "return_sequences", "num_layers", "cell", "bias",
                 "gate_recurrent"):  # fmt: skip
        assert len({getattr(layer, name) for layer in layers}) > 1, name
    assert {layer.positions > 1 for layer in layers} == {True, False}
    assert {layer.initial_state is None for layer in layers} == {True, False}
    assert any(layer.along == "time" and not layer.return_sequences for layer in
               [replace(one, return_sequences=False) for one in layers])  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_it_has_the_bits_of_a_recurrent_on_the_rows_that_these_are(seed: int, dtype: str) -> None:
    rng, layer = draw(seed)
    if layer.along == "time" and seed % 3 == 0:
        layer = replace(layer, return_sequences=False)
    x = rng.standard_normal((TIME, BATCH, layer.features_taken)).astype(dtype)
    y, state = rn.Model([layer], dtype=dtype)(x)
    rows, final = rn.Model([plain(layer)], dtype=dtype)(as_rows(layer, x))
    assert_same_bits(y, as_steps(layer, rows, TIME, BATCH))
    if layer.along == "positions":
        assert state == ()
        return
    for got, want in zip(arrays_of(state), arrays_of(final), strict=True):
        assert_same_bits(got, want.reshape(got.shape))


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_the_equations(seed: int) -> None:
    rng, layer = draw(seed)
    spec = ModelSpec((layer,))
    # Over time the bound of 100 steps says nothing of some cells.
    many = 100 if layer.along == "positions" else 40
    for time, batch in ((0, 2), (1, 1), (TIME, BATCH), (5, 0), (many, 1)):
        x = rng.standard_normal((time, batch, layer.features_taken)).astype("f4")
        state = strategies.random_state(spec, batch, rng) if seed % 2 else None
        lengths = None if seed % 3 else [*rng.integers(0, time + 1, batch)]
        for dtype in DTYPES:
            check(spec, x, state, lengths, dtype=dtype)
    y, final = rn.Model(spec, matmul="packed")(x := x[:9].astype("f4"))
    assert_agrees(spec, x, None, None, y, final, "float32")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_pieces_threads_rows_and_layouts_have_the_bits_of_the_whole(seed: int, dtype: str) -> None:
    rng, layer = draw(seed)
    model = rn.Model([layer], dtype=dtype)
    x = rng.standard_normal((11, BATCH, layer.features_taken)).astype(dtype)
    lengths = [11, 4, 0]
    for ends in (None, lengths):
        y, state = model(x, lengths=ends, num_threads=1)
        for threads in (2, 3, 64):
            again, final = model(x, lengths=ends, num_threads=threads)
            assert_same_bits(again, y)
            assert_same_state(final, state)
        for name, change in LAYOUTS.items():
            changed = change(x)
            if np.array_equal(changed, x) and changed.dtype == x.dtype:
                assert_same_bits(model(changed, lengths=ends)[0], y), name
        turned, final = rn.Model([layer], dtype=dtype, batch_first=True)(
            x.swapaxes(0, 1), lengths=ends
        )
        assert_same_bits(np.ascontiguousarray(turned.swapaxes(0, 1)), y)
        assert_same_state(final, state)
        poisoned = strategies.poison_padding(x, lengths) if ends else x
        assert_same_bits(model(poisoned, lengths=ends)[0], y)
    y, state = model(x)
    for row in range(BATCH):
        one = model(x[:, row : row + 1])[0]
        assert_same_bits(one, np.ascontiguousarray(y[:, row : row + 1]))
    if layer.needs_all:
        with pytest.raises(rn.UnsupportedError, match="needs whole sequences"):
            model.stream()
        return
    first, between = model(x[:4])
    second, final = model(x[4:], between if layer.state_names else None)
    assert_same_bits(np.concatenate([first, second]), y)
    assert_same_state(final, state)
    stream = model.stream(batch=BATCH)
    assert_same_bits(np.stack([stream.step(one).copy() for one in x[:5]]), y[:5])
    assert_same_bits(stream.push(x[5:]), y[5:])
    assert_same_state(stream.state, state)
    stream.reset()
    assert_same_bits(stream.push(x), y)


def test_a_large_one_is_divided_among_threads() -> None:
    """More sequences than a tile has, and work for a team of threads."""
    rng = np.random.default_rng(418)
    for along in ("time", "positions"):
        for direction in ("forward", "bidirectional"):
            layer = strategies.make_recurrent(
                rng, "gru", 24, 40, positions=65, along=along, direction=direction
            )
            model, rows = rn.Model([layer]), rn.Model([plain(layer)])
            for batch in (1, 5):
                x = rng.standard_normal((150, batch, 65 * 24)).astype("f4")
                y, _ = model(x, num_threads=1)
                want, _ = rows(as_rows(layer, x))
                assert_same_bits(y, as_steps(layer, want, 150, batch))
                for threads in (2, 5):
                    assert_same_bits(model(x, num_threads=threads)[0], y)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trace_is_that_of_the_rows(seed: int) -> None:
    rng, layer = draw(seed)
    x = rng.standard_normal((TIME, BATCH, layer.features_taken)).astype("f4")
    spec, ends = ModelSpec((layer,)), [TIME, 2, 0]
    ours, reference = rn.Model(spec).trace(x), rn.reference.trace(spec, x)
    rows = rn.Model([plain(layer)]).trace(as_rows(layer, x))
    assert set(ours) == set(reference) == set(rows)
    for name, array in rows.items():
        shape = (TIME, BATCH, ours[name].shape[-1])
        if layer.along == "positions":
            array = np.ascontiguousarray(array.swapaxes(0, 1))
        assert_same_bits(ours[name], array.reshape(shape))
        assert reference[name].shape == shape
    cut = rn.Model(spec).trace(x, lengths=ends)
    for name, array in cut.items():
        assert not array[2:, 1].any()
        assert not array[:, 2].any()
        assert_same_bits(array[:, 0].copy(), ours[name][:, 0].copy()), name


def test_along_positions_it_reads_what_has_no_time() -> None:
    """Behind one of all steps, a last state and both; a stream gives what it is of the steps so
    far; a trace, which is of steps, is refused."""
    rng = np.random.default_rng(419)
    x = rng.standard_normal((9, 2, 12)).astype("f4")
    along = {"along": "positions", "direction": "bidirectional", "initial_state": True}
    for first in (
        rn.Reduce("max"),
        strategies.make_recurrent(rng, "gru", 12, 12, return_sequences=False),
    ):
        for positions in (1, 4):
            layers = [
                strategies.make_recurrent(rng, "lstm", 12 // positions, 5, positions=positions,
                                          num_layers=2, **along),
                strategies.make_recurrent(rng, "gru", 10, 3, positions=positions, **along,
                                          return_sequences=False),
            ]  # fmt: skip
            front = [rn.Linear(np.eye(12, dtype="f4")), first]
            spec = ModelSpec((*front, *layers))
            model = rn.Model(spec)
            y, _ = model(x)
            assert y.shape == (2, 6)
            want, _ = rn.reference.run(spec, x)
            np.testing.assert_allclose(y, want, rtol=0, atol=1e-5 * np.abs(want).max())
            before, _ = rn.Model(front)(x)
            assert_same_bits(y, rn.Model(layers)(before[None])[0][0])
            stream = model.stream(batch=2)
            steps = [stream.step(one).copy() for one in x]
            for count, got in enumerate(steps, 1):
                assert_same_bits(got, model(x[:count])[0])
            for trace in (model.trace, lambda x, spec=spec: rn.reference.trace(spec, x)):
                with pytest.raises(rn.UnsupportedError, match="'2' run on what has no time"):
                    trace(x)


def test_a_last_state_of_a_graph_is_of_all_positions() -> None:
    rng = np.random.default_rng(420)
    layer = strategies.make_recurrent(rng, "lstm", 4, 5, positions=3, direction="bidirectional")
    spec = ModelSpec(
        nodes={"a": (layer, ("x",)), "b": (rn.Elementwise("tanh"), ("a.last",))},
        inputs="x", outputs=("a", "b"),
    )  # fmt: skip
    x = rng.standard_normal((6, 2, 12)).astype("f4")
    ys, (h, _) = rn.Model(spec)(x, lengths=[6, 3])
    wants, _ = rn.reference.run(spec, x, lengths=[6, 3])
    for name, want in wants.items():
        np.testing.assert_allclose(ys[name], want, rtol=0, atol=1e-6)
    apart = h.reshape(2, 2, 3, 5)  # [directions, batch, positions, units]
    sides = np.moveaxis(apart, 0, 2).reshape(2, 30)
    np.testing.assert_allclose(ys["b"], np.tanh(sides), rtol=0, atol=1e-6)


@pytest.mark.parametrize("weight_dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("seed", range(10))
def test_weights_may_be_stored_as_another_type(seed: int, weight_dtype: str) -> None:
    rng, layer = draw(seed)
    x = rng.standard_normal((TIME, BATCH, layer.features_taken)).astype("f4")
    y, _ = rn.Model([layer], weight_dtype=weight_dtype)(x)
    rows, _ = rn.Model([plain(layer)], weight_dtype=weight_dtype)(as_rows(layer, x))
    assert_same_bits(y, as_steps(layer, rows, TIME, BATCH))


@pytest.mark.parametrize("seed", range(20))
def test_files_and_copies_keep_it(seed: int, tmp_path: Path) -> None:
    rng, layer = draw(seed)
    model = rn.Model([layer])
    x = rng.standard_normal((4, 2, layer.features_taken)).astype("f4")
    y, _ = model(x)
    for suffix in ("safetensors", "npz"):
        model.save(tmp_path / f"m.{suffix}")
        assert_same_bits(rn.load(tmp_path / f"m.{suffix}")(x)[0], y)
    for again in (pickle.loads(pickle.dumps(layer)), model.spec.layers[0]):
        assert again.line == layer.line
        assert set(again.arrays) == set(layer.arrays)
    said = {"positions", "along"} & set(layer.line)
    assert said == {
        name for name, value in (("positions", 1), ("along", "time"))
        if getattr(layer, name) != value
    }  # fmt: skip


@pytest.mark.skipif(CC is None, reason="needs a C compiler: cc, gcc or clang")
def test_exported_c_has_its_bits(tmp_path: Path) -> None:
    """Streams, and runs of what does not stream; initial states among them."""
    drawn = [draw(seed) for seed in range(8)]
    for i, (_, layer) in enumerate(drawn):
        rn.export_c(rn.Model([layer]), tmp_path, f"w{i}", isa="scalar", batch=2, max_steps=6)
    shared = Shared(tmp_path)
    for i, (rng, layer) in enumerate(drawn):
        x = rng.standard_normal((6, 2, layer.features_taken)).astype("f4")
        want, _ = rn.Model([layer], matmul="packed")(x)
        call = shared.run if layer.needs_all else shared.steps
        got = call(f"w{i}", x, np.full_like(want, np.nan))
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)  # other kernels


def test_what_cannot_be_one_is_refused_by_name() -> None:
    def gru(channels: int = 2, size: int = 3, **options: Any) -> Recurrent:
        return strategies.make_recurrent(np.random.default_rng(0), "gru", channels, size, **options)

    rnn = strategies.make_recurrent
    for call, error, message in (
        (lambda: gru(positions=0), rn.OptionError, "positions: expected 1 to"),
        (lambda: gru(positions=True), rn.OptionError, "positions: expected an integer"),
        (lambda: gru(along="frequency"), rn.OptionError, "along: expected one of time, positions"),
        (lambda: gru(positions=2**23), rn.OptionError,
         "positions: expected at most 16777216 features of a step, got 8388608 positions of 3"),
        (lambda: rnn(np.random.default_rng(0), "rnn", 2, 3, positions=2, output_layer=2),
         rn.OptionError, "positions=2, along=time: expected 1, time with an output_layer"),
        (lambda: rn.Model([gru(positions=3), gru(9)])(np.zeros((1, 1, 5), "f4")), rn.ShapeError,
         "expected .*6"),
        (lambda: rn.Model([rn.Linear(np.ones((5, 2))), gru(positions=3)]), rn.ShapeError,
         "expected an input of 6 features"),
        (lambda: rn.Model([gru(return_sequences=False), gru(3)]), rn.ShapeError, "of steps"),
        (lambda: ModelSpec(nodes={"a": (gru(along="positions"), "x"),
                                  "b": (rn.Elementwise("tanh"), "a.last")},
                           inputs="x", outputs="b"), rn.OptionError, "gives no last state"),
        (lambda: rn.train.Network(ModelSpec((gru(positions=2),))), rn.UnsupportedError,
         "positions"),
        (lambda: rn.train.Network(ModelSpec((gru(along="positions"),))), rn.UnsupportedError,
         "along"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            call()
