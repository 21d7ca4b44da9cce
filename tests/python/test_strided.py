"""Strided: views of the features of a step, to the bit, as NumPy makes them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check
from exported import CC, Shared
from numpy.lib.stride_tricks import as_strided

import rnn_native as rn
from rnn_native.spec import ModelSpec
from rnn_native.spec.layers.strided import Strided


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(60))
def test_it_is_the_view_of_numpy(seed: int, dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng([311, seed])
    layer = strategies.make_strided(rng, int(rng.integers(1, 40)))
    x = rng.standard_normal((9, 3, layer.in_features)).astype(dtype)
    x[0, 0, 0], x[0, 1, -1] = np.nan, -0.0
    steps = tuple(stride * x.itemsize for stride in layer.strides)
    from_there = x[:, :, layer.offset :]
    view = as_strided(from_there, (9, 3, *layer.sizes), (*from_there.strides[:2], *steps))
    want = view.reshape(9, 3, -1)
    assert layer.output_size == want.shape[2]
    model = rn.Model(ModelSpec((layer,)), dtype=dtype)
    for threads in (1, 2, 3, 64):
        assert_same_bits(model(x, num_threads=threads)[0], want)
    assert_same_bits(rn.reference.run(ModelSpec((layer,)), x)[0], want.astype("f8"))
    turned, _ = rn.Model(ModelSpec((layer,)), dtype=dtype, batch_first=True)(x.swapaxes(0, 1))
    assert_same_bits(turned.swapaxes(0, 1).copy(), want)
    stream = model.stream(batch=3)
    assert_same_bits(np.stack([stream.step(one).copy() for one in x]), want)
    model.save(tmp_path / "m.npz")
    assert_same_bits(rn.load(tmp_path / "m.npz")(x)[0], want)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert again == layer


def test_slices_transposes_and_repeats_are_those_of_numpy() -> None:
    x = np.arange(24, dtype="f4").reshape(2, 1, 12)
    rows = x.reshape(2, 3, 4)
    for layer, want in (
        (rn.Slice(12, 2, 11, 3), x[:, :, 2:11:3]),
        (rn.Slice(12, 0, 12), x),
        (rn.Slice(12, 11, 12), x[:, :, 11:]),
        (rn.Transpose(3, 4), rows.swapaxes(1, 2)),
        (rn.Repeat(12, 3), np.tile(x, 3)),
        (rn.Repeat(12, 3, each=True), np.repeat(x, 3, axis=2)),
    ):
        y, _ = rn.Model([layer])(x)
        assert_same_bits(y, np.ascontiguousarray(want).reshape(2, 1, -1))


def test_lengths_and_values_without_time() -> None:
    rng = np.random.default_rng(312)
    x = rng.standard_normal((5, 3, 3)).astype("f4")
    for last in (True, False):
        cell = strategies.make_recurrent(rng, "lstm", 3, 6, return_sequences=not last)
        for dtype in DTYPES:
            check(ModelSpec((cell, rn.Transpose(2, 3))), x, None, [5, 2, 0], dtype=dtype)
    y, _ = rn.Model([rn.Repeat(3, 2)])(strategies.poison_padding(x, [5, 2, 0]), lengths=[5, 2, 0])
    assert not y[2:, 1].any()
    assert rn.Model([rn.Repeat(3, 2)])(x[:0])[0].shape == (0, 3, 6)


def test_a_file_gives_it_back_with_its_own_axes() -> None:
    for layer in (
        rn.Slice(8, 2, 8, 3), rn.Transpose(2, 3), Strided(5, (1,), (0,), 4),
        Strided(9, (2, 1, 2), (3, 0, 1), 2), Strided(9, (1, 3), (7, 1)),
    ):  # fmt: skip
        assert Strided.from_line(layer.line, {}) == layer


@pytest.mark.skipif(CC is None, reason="needs a C compiler: cc, gcc or clang")
def test_exported_c_has_its_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(313)
    layers = [strategies.make_strided(rng, 20) for _ in range(8)]
    for i, layer in enumerate(layers):
        model = rn.Model([layer])
        rn.export_c(model, tmp_path, f"v{i}", isa="scalar", batch=2, max_steps=4)
    shared = Shared(tmp_path)
    x = rng.standard_normal((4, 2, 20)).astype("f4")
    for i, layer in enumerate(layers):
        want, _ = rn.Model([layer])(x)
        assert_same_bits(shared.steps(f"v{i}", x, np.full_like(want, np.nan)), want)


def test_what_cannot_be_one_is_refused_by_name() -> None:
    for call, error, message in (
        (lambda: Strided(4, (), ()), rn.OptionError, r"1 to 4 axes, got \(\) and \(\)"),
        (lambda: Strided(4, (1,) * 5, (0,) * 5), rn.OptionError, "of 1 to 4 axes"),
        (lambda: Strided(4, (1, 2), (1,)), rn.OptionError, r"got \(1, 2\) and \(1,\)"),
        (lambda: Strided(4, 2, 1), rn.OptionError, "of 1 to 4 axes, got 2 and 1"),
        (lambda: Strided(4, (0,), (1,)), rn.OptionError, r"sizes\[0\]: expected 1 to"),
        (lambda: Strided(4, (2,), (-1,)), rn.OptionError, r"strides\[0\]: expected 0 to"),
        (lambda: Strided(4, (2,), (1,), -1), rn.OptionError, "offset: expected 0 to"),
        (lambda: Strided(0, (1,), (1,)), rn.OptionError, "in_features: expected 1 to"),
        (lambda: Strided(4, (2.0,), (1,)), rn.OptionError, r"sizes\[0\]: expected an integer"),
        (lambda: Strided(4, (3,), (2,)), rn.ShapeError, "below in_features=4, its last one is 4"),
        (lambda: Strided(4, (4,), (1,), 1), rn.ShapeError, "its last one is 4"),
        (lambda: Strided(4, (2**13, 2**12), (0, 0)), rn.ShapeError, "at most 16777216 features"),
        (lambda: rn.Slice(4, 2, 2), rn.OptionError, "0 <= start < stop <= features=4"),
        (lambda: rn.Slice(4, 0, 5), rn.OptionError, "got 0, 5 and 1"),
        (lambda: rn.Slice(4, 0, 2, 0), rn.OptionError, "step from 1 on, got 0, 2 and 0"),
        (lambda: rn.Slice(4, -2, 4), rn.OptionError, "Slice start: expected 0 to"),
        (lambda: rn.Slice(4, "0", 2), rn.OptionError, "Slice start: expected an integer"),
        (lambda: rn.Repeat(4, 0), rn.OptionError, r"sizes\[0\]: expected 1 to"),
        (lambda: rn.Transpose(0, 3), rn.OptionError, "in_features: expected 1 to"),
        (lambda: rn.Model([rn.Slice(4, 0, 2), rn.Slice(3, 0, 1)]), rn.ShapeError, "3"),
        (lambda: rn.train.Network(ModelSpec((rn.Slice(4, 0, 2),))), rn.UnsupportedError,
         "layer 0 is a"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            call()
