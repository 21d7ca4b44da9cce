"""PoolWithin: the largest, or the mean, of positions inside a step, against loops; the same bits
however it is cut; what it refuses."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check
from exported import CC, Shared
from numpy.typing import NDArray
from scalar_transcription import scalar_pool_within

import rnn_native as rn
from rnn_native import cli, formats
from rnn_native.spec import ModelSpec
from rnn_native.spec.layers.pool_within import PoolWithin

SEEDS = range(60)
WIDTHS = (1, 2, 5, 6, 12, 24, 36)


def draw(seed: int) -> tuple[np.random.Generator, PoolWithin]:
    rng = np.random.default_rng([331, seed])
    return rng, strategies.make_pool_within(rng, WIDTHS[seed % len(WIDTHS)])


def by_loops(layer: PoolWithin, x: NDArray[Any]) -> NDArray[np.float64]:
    """Of x [..., features]."""
    rows = x.reshape(-1, layer.input_size).tolist()
    made = [scalar_pool_within(layer, row) for row in rows]
    return np.array(made).reshape(*x.shape[:-1], layer.output_size)


def magnitudes(layer: PoolWithin, x: NDArray[Any]) -> NDArray[np.float64]:
    """Means of them, which bound what a sum in any order loses."""
    options = {**layer.options, "mode": "average"}
    return by_loops(PoolWithin(**options), np.abs(x))


def test_what_is_drawn_has_every_option() -> None:
    layers = [draw(seed)[1] for seed in SEEDS]
    assert {layer.mode for layer in layers} == {"average", "max"}
    for name in ("kernel_size", "stride", "left", "right", "channels", "count_include_pad"):
        assert len({getattr(layer, name) for layer in layers}) > 1, name
    assert any(layer.output_size > layer.input_size for layer in layers)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_largest_is_one_of_the_window_and_the_mean_within_its_bound(seed: int) -> None:
    """A sum of n numbers is off by gamma(n - 1) of the sum of their magnitudes, and the division
    rounds once more: bounds.py, 1 and 3. The reference likewise, in float64."""
    rng, layer = draw(seed)
    for time, batch in ((0, 2), (1, 1), (9, 2), (4, 0)):
        x = rng.standard_normal((time, batch, layer.input_size)).astype("f4")
        want, size = by_loops(layer, x), magnitudes(layer, x)
        ours, _ = rn.reference.run(ModelSpec((layer,)), x)
        results = [("float64", ours)]
        results += [(d, rn.Model(ModelSpec((layer,)), dtype=d)(x)[0]) for d in DTYPES]
        for dtype, y in results:
            assert y.shape == want.shape
            if layer.mode == "max":
                assert_same_bits(y, want.astype(y.dtype))
                continue
            n, u = layer.kernel_size + 1, float(np.finfo(dtype).eps) / 2
            most = 2 * n * u / (1 - n * u) * size + float(np.finfo(dtype).tiny)
            assert np.all(np.abs(y - want) <= most)


def test_padding_is_zeros_in_a_mean_or_no_part_of_it_and_never_the_largest() -> None:
    x = np.float32([[[-4.0, -8.0, -2.0]]])
    for mode, counts, want in (
        ("average", True, [-2.0, -6.0, -5.0, -1.0]),
        ("average", False, [-4.0, -6.0, -5.0, -2.0]),
        ("max", True, [-4.0, -4.0, -2.0, -2.0]),
        ("max", False, [-4.0, -4.0, -2.0, -2.0]),
    ):
        y, _ = rn.Model([PoolWithin(mode, 3, 1, 2, 1, 1, 1, counts)])(x)
        assert y.tolist() == [[want]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_finite_stays_where_its_windows_are(dtype: str) -> None:
    x = np.array([[[1.0, -np.inf, np.nan, -np.inf, 3.0, np.inf]]], dtype)  # [3 positions, 2]
    for mode, want in (
        ("max", [np.nan, -np.inf, np.nan, np.inf]), ("average", [np.nan, -np.inf, np.nan, np.nan]),
    ):  # fmt: skip
        spec = ModelSpec((PoolWithin(mode, 3, 2, 2, 1),))
        with np.errstate(invalid="ignore"):
            reference, _ = rn.reference.run(spec, x)
        for y in (rn.Model(spec, dtype=dtype)(x)[0], reference):
            np.testing.assert_array_equal(y, [[want]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_pieces_threads_and_rows_have_the_bits_of_the_whole(seed: int, dtype: str) -> None:
    rng, layer = draw(seed)
    model = rn.Model(ModelSpec((layer,)), dtype=dtype)
    x = rng.standard_normal((11, 3, layer.input_size)).astype(dtype)
    y, _ = model(x, num_threads=1)
    for threads in (2, 3, 64):
        assert_same_bits(model(x, num_threads=threads)[0], y)
    for row in range(3):
        assert_same_bits(model(x[:, row : row + 1])[0], np.ascontiguousarray(y[:, row : row + 1]))
    turned, _ = rn.Model(ModelSpec((layer,)), dtype=dtype, batch_first=True)(x.swapaxes(0, 1))
    assert_same_bits(np.ascontiguousarray(turned.swapaxes(0, 1)), y)
    stream = model.stream(batch=3)
    assert_same_bits(np.stack([stream.step(one).copy() for one in x[:5]]), y[:5])
    assert_same_bits(stream.push(x[5:]), y[5:])


def test_lengths_and_values_without_time() -> None:
    """Behind a last state alone; what lies past a row's length is not read."""
    rng = np.random.default_rng(332)
    x = rng.standard_normal((5, 3, 3)).astype("f4")
    for mode in ("average", "max"):
        pool = PoolWithin(mode, 3, 2, 2, 1, 1, 0)
        for last in (True, False):
            cell = strategies.make_recurrent(rng, "lstm", 3, 6, return_sequences=not last)
            for lengths in (None, [5, 2, 0]):
                for dtype in DTYPES:
                    check(ModelSpec((cell, pool)), x, None, lengths, dtype=dtype)
        cell = strategies.make_recurrent(rng, "lstm", 3, 6, return_sequences=False)
        without, _ = rn.Model([cell])(x)
        y, _ = rn.Model([cell, pool])(x)
        assert_same_bits(y, rn.Model([pool])(without[None])[0][0])
        six = rng.standard_normal((5, 3, 6)).astype("f4")
        y, _ = rn.Model([pool])(strategies.poison_padding(six, [5, 2, 0]), lengths=[5, 2, 0])
        assert not y[2:, 1].any()
        assert not y[:, 2].any()
        assert_same_bits(y[:, 0].copy(), rn.Model([pool])(six)[0][:, 0].copy())


@pytest.mark.parametrize("seed", range(20))
def test_files_and_copies_keep_it(seed: int, tmp_path: Path) -> None:
    rng, layer = draw(seed)
    model = rn.Model(ModelSpec((layer,)))
    x = rng.standard_normal((4, 2, layer.input_size)).astype("f4")
    y, _ = model(x)
    for suffix in ("safetensors", "npz"):
        model.save(tmp_path / f"m.{suffix}")
        assert_same_bits(rn.load(tmp_path / f"m.{suffix}")(x)[0], y)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), model.spec.layers[0]):
        assert again == layer
    assert_same_bits(pickle.loads(pickle.dumps(model))(x)[0], y)


def test_the_command_tells_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.safetensors"
    rn.Model([PoolWithin("max", 9, 4, 3, 2, 1, 2)]).save(path)
    assert cli.main(["info", str(path)]) == 0
    told = capsys.readouterr().out
    for word in ("pool_within", "max", "positions=9", "channels=4", "kernel_size=3", "stride=2"):
        assert word in told


@pytest.mark.skipif(CC is None, reason="needs a C compiler: cc, gcc or clang")
def test_exported_c_has_its_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(333)
    layers = [strategies.make_pool_within(rng, 20) for _ in range(8)]
    for i, layer in enumerate(layers):
        rn.export_c(rn.Model([layer]), tmp_path, f"p{i}", isa="scalar", batch=2, max_steps=4)
    shared = Shared(tmp_path)
    x = rng.standard_normal((4, 2, 20)).astype("f4")
    for i, layer in enumerate(layers):
        want, _ = rn.Model([layer])(x)
        assert_same_bits(shared.steps(f"p{i}", x, np.full_like(want, np.nan)), want)


def test_sizes_at_their_limits_run() -> None:
    """As many positions as there may be; a stride past them; more of padding than of them."""
    widest = PoolWithin("max", 2**24, 1, 2**24, 2**24)
    x = np.zeros((1, 1, 2**24), np.float32)
    x[0, 0, 2**23] = 3.0
    assert rn.Model([widest])(x)[0].tolist() == [[[3.0]]]
    padded = PoolWithin("average", 1, 1, 2**20, 1, 2**20 - 1, 2**20 - 1, False)
    assert padded.output_size == 2**20
    y, _ = rn.Model([padded])(np.full((1, 1, 1), 5.0, np.float32))
    assert np.all(y == 5.0)


def test_what_cannot_be_one_is_refused_by_name() -> None:
    for call, error, message in (
        (lambda: PoolWithin("lp", 3, 1, 2), rn.OptionError, "mode: expected one of average, max"),
        (lambda: PoolWithin("max", 0, 1, 1), rn.OptionError, "positions: expected 1 to"),
        (lambda: PoolWithin("max", 3, 0, 1), rn.OptionError, "channels: expected 1 to"),
        (lambda: PoolWithin("max", 3, 1, 0), rn.OptionError, "kernel_size: expected 1 to"),
        (lambda: PoolWithin("max", 3, 1, 2, 0), rn.OptionError, "stride: expected 1 to"),
        (lambda: PoolWithin("max", 3, 1, 2.5), rn.OptionError, "expected an integer, got 2.5"),
        (lambda: PoolWithin("max", 3, 1, 2, True), rn.OptionError, "expected an integer, got True"),
        (lambda: PoolWithin("max", "3", 1, 2), rn.OptionError, "positions: expected an integer"),
        (lambda: PoolWithin("max", 3, 1, 2, left=2), rn.OptionError, "left: expected 0 to 1, got"),
        (lambda: PoolWithin("max", 3, 1, 2, right=2), rn.OptionError, "right: expected 0 to 1"),
        (lambda: PoolWithin("max", 3, 1, 2, left=-1), rn.OptionError, "left: expected 0 to"),
        (lambda: PoolWithin("max", 3, 1, 2, count_include_pad=2), rn.OptionError,
         "count_include_pad"),
        (lambda: PoolWithin("max", 3, 1, 4), rn.ShapeError,
         "a kernel over 4 positions, but there are 3, padding included"),
        (lambda: PoolWithin("max", 2**23, 3, 2**23), rn.ShapeError,
         r"positions \* channels: expected at most 16777216, got 25165824"),
        (lambda: PoolWithin("max", 2, 2**22 + 1, 3, 1, 2, 2), rn.ShapeError, "got 16777220"),
        (lambda: rn.Model([rn.Slice(4, 0, 2), PoolWithin("max", 3, 1, 2)]), rn.ShapeError, "3"),
        (lambda: rn.train.Network(ModelSpec((PoolWithin("max", 3, 1, 2),))), rn.UnsupportedError,
         "layer 0 is a"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            call()


def test_an_onnx_file_gives_its_numbers(tmp_path: Path) -> None:
    """Beside onnxruntime, whose float32 adds in another order: 2e-5 of numbers of about 1, behind
    a recurrent layer or its last state alone; read again, it has the same numbers."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "m.onnx"
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng([334, seed])
        width, last = int(rng.integers(1, 13)), seed % 4 == 0
        cell = strategies.make_recurrent(rng, "gru", 3, width, return_sequences=not last)
        pool = strategies.make_pool_within(rng, width)
        spec = ModelSpec((cell, pool))
        formats.write(spec, path)
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        seen |= {node.op_type for node in model.graph.node}
        x = rng.standard_normal((12, 2, 3)).astype("f4")
        want, _ = rn.reference.run(spec, x)
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (theirs,) = session.run(["y"], {"x": x})
        assert theirs.shape == want.shape
        np.testing.assert_allclose(theirs, want, rtol=0, atol=2e-5)
        again = formats.read(path)
        assert_same_bits(rn.reference.run(again, x)[0], want)
    assert seen >= {"MaxPool", "AveragePool"}
