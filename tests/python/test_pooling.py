"""Pooling over time: what it makes of windows, to the bit or within a bound, and who reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bounds
import keras_files as kf
import numpy as np
import pytest
from agreement import assert_same_bits
from numpy.typing import NDArray
from strategies import make_embedding, make_linear, make_recurrent

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import ModelSpec
from rnn_native.spec.layers.pool import Pool

SHAPES = [
    (k, s, before, after)
    for k in (1, 2, 3, 5)
    for s in (1, 2, 3, 7)
    for before in range(min(k, 3))
    for after in range(min(k, 3))
]


def windows(x: NDArray[Any], pool: Pool) -> list[NDArray[Any]]:
    """The steps in each window that are there, and as they stand, by slices of x [time, ...]."""
    time = len(x)
    count = max(0, (time + pool.before + pool.after - pool.kernel_size) // pool.stride + 1)
    starts = [j * pool.stride - pool.before for j in range(count if time else 0)]
    return [x[max(0, at) : max(0, at + pool.kernel_size)] for at in starts]


def pooled(dtype: str, pool: Pool, x: NDArray[Any]) -> NDArray[Any]:
    """By the core: a table of numbers is their very bits."""
    time, batch, features = x.shape
    table = x.reshape(time * batch, features)
    model = rn.Model(ModelSpec((rn.Embedding(table), pool)), dtype=dtype)
    y: NDArray[Any] = model(np.arange(time * batch).reshape(time, batch))[0]
    return y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_largest_is_one_of_the_window_and_the_mean_within_its_bound(
    shape: tuple[int, ...], dtype: str
) -> None:
    """A sum of n numbers is off by gamma(n - 1) of the sum of their magnitudes, and the division
    rounds once more: bounds.py, 1 and 3."""
    rng = np.random.default_rng([83, *shape])
    u = float(np.finfo(dtype).eps) / 2
    for time in (0, 1, 2, 17):
        x = rng.standard_normal((time, 2, 5)).astype(dtype)
        most = pooled(dtype, Pool("max", *shape), x) if time else np.zeros((0, 2, 5), dtype)
        each = windows(x, Pool("max", *shape))
        assert_same_bits(most, np.array([w.max(axis=0) for w in each], dtype).reshape(-1, 2, 5))
        for counts in (True, False):
            if not counts and shape[2] and not shape[3]:
                continue
            pool = Pool("average", *shape, count_include_pad=counts)
            mean = pooled(dtype, pool, x) if time else np.zeros((0, 2, 5), dtype)
            assert len(mean) == len(each)
            for got, window in zip(mean, each, strict=True):
                wide = window.astype(np.longdouble)
                n = pool.kernel_size if counts else len(window)
                most_off = (n + 1) * u / (1 - (n + 1) * u) * np.abs(wide).sum(axis=0) / n
                assert np.all(np.abs(got - wide.sum(axis=0) / n) <= most_off + np.finfo(dtype).tiny)


def test_what_is_not_finite_stays_where_its_windows_are() -> None:
    x = np.float32([[[1.0, -np.inf, np.nan]], [[np.nan, -np.inf, 2.0]], [[3.0, np.inf, 4.0]]])
    most = pooled("float32", Pool("max", 2, 1), x)
    np.testing.assert_array_equal(most[:, 0], [[np.nan, -np.inf, np.nan], [np.nan, np.inf, 4.0]])
    mean = pooled("float32", Pool("average", 2, 1), x)
    np.testing.assert_array_equal(mean[:, 0], [[np.nan, -np.inf, np.nan], [np.nan, np.nan, 3.0]])
    padded = pooled("float32", Pool("max", 3, 1, 2), np.full((1, 1, 2), -np.inf, np.float32))
    np.testing.assert_array_equal(padded, [[[-np.inf, -np.inf]]])


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_rows_of_other_lengths_end_in_padding_of_their_own(stride: int) -> None:
    rng = np.random.default_rng(84)
    for pool in (Pool("max", 3, stride, 1, 1), Pool("average", 3, stride, 1, 1, False)):
        spec = ModelSpec((make_linear(rng, 3, 4), pool, make_recurrent(rng, "gru", 4, 5)))
        model = rn.Model(spec)
        x = rng.standard_normal((20, 4, 3), np.float32)
        lengths = [20, 13, 1, 0]
        y, _ = model(x, lengths=lengths)
        for row, length in enumerate(lengths):
            alone, _ = model(x[:length, row : row + 1])
            assert_same_bits(y[: len(alone), row : row + 1], alone)
            assert not y[len(alone) :, row].any()


def test_options_out_of_range_are_refused_by_name() -> None:
    for options, named in (
        ({"kernel_size": 0}, "kernel_size: expected 1 to"),
        ({"kernel_size": 2, "stride": 0}, "stride: expected 1 to"),
        ({"kernel_size": 2, "before": 2}, "before: expected 0 to 1, got 2"),
        ({"kernel_size": 2, "after": -1}, "after: expected 0 to 1, got -1"),
        ({"kernel_size": 2.5}, "kernel_size: expected an integer, got 2.5"),
        ({"kernel_size": True}, "kernel_size: expected an integer, got True"),
    ):
        with pytest.raises(rn.OptionError, match=named):
            Pool("max", **options)
    with pytest.raises(rn.OptionError, match="expected one of average, max"):
        Pool("lp", 2)
    with pytest.raises(rn.OptionError, match=r"expected a number, or \(before, after\)"):
        rn.MaxPool(2, padding=(1, 0, 0))
    with pytest.raises(rn.UnsupportedError, match="count_include_pad=False with padding before"):
        rn.AvgPool(3, 1, (1, 0), count_include_pad=False)
    with pytest.raises(rn.UnsupportedError, match="a Pool cannot be first"):
        ModelSpec((rn.MaxPool(2),))
    rng = np.random.default_rng(85)
    last = make_recurrent(rng, "gru", 3, 4, return_sequences=False)
    with pytest.raises(rn.ShapeError, match="expected an input of steps, layer 0 gives its last"):
        ModelSpec((last, rn.MaxPool(2)))
    with pytest.raises(rn.UnsupportedError, match="layer 1 is a"):
        rn.train.Network(ModelSpec((make_linear(rng, 3, 4), rn.MaxPool(2))))


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("name", ["AveragePooling1D", "MaxPooling1D"])
def test_pooling_of_keras(name: str, stride: int, tmp_path: Path) -> None:
    """By its equations: Keras leaves padding out of a mean. tests/models has Keras itself."""
    dense = kf.dense(3, 4)
    for padding in ("valid", "same"):
        layers = [
            kf.layer("Dense", "first", units=4),
            kf.layer(name, "pool", pool_size=[3], strides=[stride], padding=padding),
        ]
        path = kf.write_h5(
            tmp_path / "m.h5", kf.sequential(*layers), {"first": dense, "pool": {}}, "2.2.4"
        )
        if padding == "same" and stride > 1:
            with pytest.raises(rn.UnsupportedError, match="depends on how many steps come"):
                formats.read(path)
            continue
        spec = formats.read(path)
        side = 1 if padding == "same" else 0
        mode = "max" if name.startswith("Max") else "average"
        assert spec.layers[1] == Pool(mode, 3, stride, side, side, mode == "max")


def test_what_keras_would_pool_otherwise_is_refused_by_name(tmp_path: Path) -> None:
    cell, pool = kf.lstm(3, 4), kf.layer("MaxPooling1D", "pool", pool_size=2)
    turned = kf.recurrent("LSTM", "rnn", 4, return_sequences=True, go_backwards=True)
    masked = kf.layer("Masking", "mask", mask_value=0.0)
    plain = kf.recurrent("LSTM", "rnn", 4, return_sequences=True)
    for layers, named in (
        ([turned, pool], "after go_backwards=True"),
        ([masked, plain, pool], "in a model that masks steps"),
    ):
        arrays = {"rnn": cell, "pool": {}} | ({"mask": {}} if len(layers) == 3 else {})
        path = kf.write_h5(tmp_path / "m.h5", kf.sequential(*layers), arrays, "2.2.4")
        with pytest.raises(rn.UnsupportedError, match=named):
            formats.read(path)


def test_an_onnx_file_has_the_operators_of_that_name(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(86)
    path = tmp_path / "m.onnx"
    for index, (k, s, before, after) in enumerate(SHAPES):
        mode = ("average", "max")[index % 2]
        pool = Pool(mode, k, s, before, after, bool(index % 4 or (before and not after)))
        layers = (make_linear(rng, 3, 4), pool, make_recurrent(rng, "gru", 4, 5))
        spec = ModelSpec(layers)
        formats.write(spec, path)
        again = formats.read(path).layers[1]
        assert (again.mode, again.window) == (pool.mode, pool.window)
        x = rng.standard_normal((17, 2, 3), np.float32)
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (theirs, *_) = session.run(["y"], {"x": x})
        want, _ = rn.reference.run(spec, x)
        assert theirs.shape == want.shape
        # float32 against float64 over a linear layer, a pool and 17 steps of 5 units
        assert np.all(np.abs(theirs - want) <= 2e-5)


def test_onnx_attributes_that_change_the_windows_are_read_or_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(87)
    path = tmp_path / "m.onnx"
    formats.write(ModelSpec((make_embedding(rng, 9, 4), rn.MaxPool(3, 1, (1, 1)))), path)
    model = onnx.load(path)
    del model.metadata_props[:]
    (node,) = [node for node in model.graph.node if node.op_type == "MaxPool"]
    plain = list(node.attribute)
    for name, value, found in (
        ("auto_pad", "SAME_UPPER", (1, 1)),
        ("auto_pad", "SAME_LOWER", (1, 1)),
        ("auto_pad", "VALID", (0, 0)),  # whatever pads say
        ("pads", [1, 2], (1, 2)),
        ("pads", [1, 0, 0, 0], "attribute pads: expected 2 integers, got"),
        ("ceil_mode", 1, "attribute ceil_mode=1"),
        ("dilations", [2], r"attribute dilations=\[2\]"),
        ("storage_order", 1, "attribute storage_order=1"),
    ):
        del node.attribute[:]
        without = {name} | ({"pads"} if str(value).startswith("SAME") else set())
        node.attribute.extend(a for a in plain if a.name not in without)
        node.attribute.append(onnx.helper.make_attribute(name, value))
        onnx.save(model, path)
        if isinstance(found, tuple):
            window = formats.read(path).layers[1].window
            assert (window.before, window.after) == found
            continue
        with pytest.raises((rn.UnsupportedError, rn.FormatError), match=found):
            formats.read(path)


def test_a_mean_behind_layers_is_within_the_bound_of_all_of_them() -> None:
    """The bound of what the pool reads, and its own: a mean of errors is no larger than the
    largest."""
    rng = np.random.default_rng(88)
    first = (make_linear(rng, 3, 4), make_recurrent(rng, "lstm", 4, 6))
    x = rng.standard_normal((30, 2, 3), np.float32)
    read, _ = bounds.run(ModelSpec(first), x)
    y, _ = rn.Model(ModelSpec((*first, rn.AvgPool(3))))(x)
    want, _ = rn.reference.run(ModelSpec((*first, rn.AvgPool(3))), x)
    own = 4 * bounds.U32 * np.abs(read.value + read.each).max()
    assert np.all(np.abs(y - want) <= read.each.max() + own)
