"""Conv: over time, over positions inside a step and over both, against loops over everything that
is counted; the same bits however it is cut; what it refuses. As C: test_export_graph.py."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import bounds
import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check, matmuls
from numpy.typing import NDArray
from scalar_transcription import scalar_conv

import rnn_native as rn
from rnn_native import cli, formats
from rnn_native.formats import metadata
from rnn_native.spec import ModelSpec
from rnn_native.spec.layers.conv import PADDING_MODES, Conv

SEEDS = range(60)
WIDTHS = (1, 2, 5, 6, 12, 24)


def draw(seed: int, *, streams: bool, **options: Any) -> tuple[np.random.Generator, Conv]:
    rng = np.random.default_rng([301, seed])
    layer = strategies.make_conv(
        rng, WIDTHS[seed % len(WIDTHS)], time=True, streams=streams, **options
    )
    return rng, layer


def by_loops(layer: Conv, x: NDArray[Any]) -> NDArray[np.float64]:
    """Of x [time, batch, features], all rows of one length."""
    time, batch = x.shape[:2]
    extent = (layer.kernel_time - 1) * layer.dilation_time + 1
    last = time + layer.before + layer.after - extent
    steps = last // layer.stride_time + 1 if time and last >= 0 else 0
    y = np.zeros((steps, batch, layer.output_size))
    for j in range(steps):
        first = j * layer.stride_time - layer.before
        at = [first + k * layer.dilation_time for k in range(layer.kernel_time)]
        for row in range(batch):
            taps = [x[t, row].tolist() if 0 <= t < time else None for t in at]
            y[j, row] = scalar_conv(layer, taps)
    return y


def wide(layer: Conv, activation: str = "identity") -> Conv:
    """The same of magnitudes alone."""
    arrays = {name: np.abs(a) for name, a in layer.arrays.items()}
    return Conv.make(arrays, {**layer.options, "activation": activation})


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_the_sum_over_its_taps(seed: int, streams: bool) -> None:
    """The reference within float64; the core within gamma(K + 1) of the magnitudes of K products
    and a bias (bounds.py, 1), in float32 and, twice that for the sum of the loops, in float64."""
    rng, layer = draw(seed, streams=streams, activations=("identity",))
    taps = layer.weight.shape[1] + 1
    for time, batch in ((0, 2), (1, 1), (2, 3), (9, 2), (4, 0)):
        x = rng.standard_normal((time, batch, layer.input_size)).astype("f4")
        want, size = by_loops(layer, x), by_loops(wide(layer), np.abs(x))
        y, _ = rn.reference.run(ModelSpec((layer,)), x)
        assert y.shape == want.shape
        assert np.all(np.abs(y - want) <= 2 * taps * 2.0**-53 * size)
        for dtype in DTYPES:
            model = rn.Model(ModelSpec((layer,)), dtype=dtype)
            y, _ = model(x)
            assert y.shape == want.shape == (model.output_steps(time), *want.shape[1:])
            u = float(np.finfo(dtype).eps) / 2
            most = 2 * taps * u / (1 - taps * u) * size + taps * float(np.finfo(dtype).tiny)
            assert np.all(np.abs(y - want) <= most)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softmax", "log_softmax"])
def test_its_activation_runs_over_the_channels_of_a_position(activation: str) -> None:
    rng = np.random.default_rng(302)
    for groups in (1, 2, 4):
        weight = rng.standard_normal((8, 4 // groups, 3)).astype("f4")
        for options in ({"positions": 5}, {"padding": "causal"}):
            layer = rn.Conv1d(weight, groups=groups, activation=activation, **options)
            x = rng.standard_normal((3, 2, layer.input_size)).astype("f4")
            for dtype in DTYPES:
                y, _ = rn.Model([layer], dtype=dtype)(x)
                # a sum of 12 numbers of about 1, and a function no steeper than 1
                np.testing.assert_allclose(
                    y, by_loops(layer, x), rtol=0, atol=1e-4 if dtype == "float32" else 1e-13
                )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_pieces_threads_and_rows_have_the_bits_of_the_whole(seed: int, dtype: str) -> None:
    rng, layer = draw(seed, streams=True)
    model = rn.Model(ModelSpec((layer,)), dtype=dtype)
    x = rng.standard_normal((23, 3, layer.input_size)).astype(dtype)
    y, final = model(x, num_threads=1)
    for threads in (2, 3, 64):
        assert_same_bits(model(x, num_threads=threads)[0], y)
        assert_same_bits(model(x[:1], num_threads=threads)[0], model(x[:1])[0])
    for row in range(3):
        assert_same_bits(model(x[:, row : row + 1])[0], np.ascontiguousarray(y[:, row : row + 1]))
    turned, _ = rn.Model(ModelSpec((layer,)), dtype=dtype, batch_first=True)(x.swapaxes(0, 1))
    assert_same_bits(np.ascontiguousarray(turned.swapaxes(0, 1)), y)
    for most in (1, 4, 23):
        stream, pieces, state, parts, first = model.stream(batch=3), [], None, [], 0
        while first < len(x):
            end = first + int(rng.integers(0, most + 1))
            pieces.append(stream.push(x[first:end]))
            part, state = model(x[first:end], state)
            parts.append(part)
            first = end
        assert_same_bits(np.concatenate(pieces), y)
        assert_same_bits(np.concatenate(parts), y)
        for a, b in zip(bounds.flatten(_plain(stream.state)), bounds.flatten(_plain(final)),
                        strict=True):  # fmt: skip
            assert_same_bits(a, b)


def _plain(state: Any) -> Any:
    return [*state.values()] if isinstance(state, dict) else state


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_rows_of_other_lengths_are_those_rows_alone(seed: int, streams: bool) -> None:
    """Padding behind the last step begins where a row ends; what stands there is not read."""
    rng, layer = draw(seed, streams=streams)
    model = rn.Model(ModelSpec((layer,)))
    x = rng.standard_normal((14, 4, layer.input_size)).astype("f4")
    lengths = [14, 6, 1, 0]
    y, _ = model(strategies.poison_padding(x, lengths), lengths=lengths)
    for row, length in enumerate(lengths):
        alone, _ = model(np.ascontiguousarray(x[:length, row : row + 1]))
        assert_same_bits(np.ascontiguousarray(y[: len(alone), row : row + 1]), alone)
        assert not y[len(alone) :, row].any()


def test_large_steps_are_made_in_tiles() -> None:
    """Rows of one step are more than what is copied at once; and those of many are."""
    rng = np.random.default_rng(303)
    for positions, channels, groups, time in ((500, 16, 1, 5), (500, 16, 4, 5), (40, 8, 1, 200)):
        weight = rng.standard_normal((8, channels // groups, 3, 5)).astype("f4") / 16
        layer = rn.Conv2d(weight, positions=positions, groups=groups, padding=("causal", "same"))
        model = rn.Model([layer])
        x = rng.standard_normal((time, 2, layer.input_size)).astype("f4")
        y, _ = model(x, num_threads=1)
        want, _ = rn.reference.run(model.spec, x)
        size, _ = rn.reference.run(ModelSpec((wide(layer),)), np.abs(x))
        taps = weight[0].size
        assert np.all(np.abs(y - want) <= taps * 2.0**-24 / (1 - taps * 2.0**-24) * size)
        for threads in (2, 3):
            assert_same_bits(model(x, num_threads=threads)[0], y)


def test_it_stands_behind_a_last_state_and_before_layers_of_all_kinds() -> None:
    rng = np.random.default_rng(304)
    last = strategies.make_recurrent(rng, "gru", 3, 12, return_sequences=False)
    weight = rng.standard_normal((4, 2, 3)).astype("f4")
    layers = (last, rn.Conv1d(weight, np.ones(4, "f4"), positions=6, padding=1, groups=1))
    x = rng.standard_normal((5, 3, 3)).astype("f4")
    for lengths in (None, [5, 2, 0]):
        for dtype in DTYPES:
            check(ModelSpec(layers), x, None, lengths, dtype=dtype)
    with pytest.raises(rn.ShapeError, match="expected an input of steps, layer 0 gives its last"):
        ModelSpec((last, rn.Conv1d(np.ones((2, 12, 2)))))
    words = strategies.make_embedding(rng, 7, 4)
    over = rn.Conv1d(rng.standard_normal((5, 4, 3)).astype("f4"), padding="causal")
    model = rn.Model([words, over, strategies.make_recurrent(rng, "lstm", 5, 3)])
    indices = rng.integers(0, 7, (11, 2))
    y, _ = model(indices)
    stream = model.stream(batch=2)
    assert_same_bits(np.stack([stream.step(one).copy() for one in indices]), y)


def test_a_step_alone_has_no_state_and_causal_padding_keeps_the_pace() -> None:
    weight = np.ones((2, 3, 4), np.float32)
    within = rn.Conv1d(weight, positions=5)
    assert within.state_names == ()
    assert not within.needs_steps
    assert (within.input_size, within.positions_made, within.output_size) == (15, 2, 4)
    causal = rn.Conv1d(weight, padding="causal", dilation=2)
    assert causal.state_names == ("x",)
    assert causal.window.latency == 0
    assert rn.Model([causal]).stream().step(np.ones((1, 3), np.float32)).shape == (1, 2)
    both = rn.Conv1d(weight, padding="same")
    assert (both.before, both.after) == (1, 2)
    with pytest.raises(rn.UnsupportedError, match="2 steps of padding behind the last"):
        rn.Model([both]).stream()


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_padding_of_positions_is_that_of_numpy(mode: str) -> None:
    """A kernel of one position reads the padded positions themselves, to the bit."""
    rng = np.random.default_rng(305)
    names = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}
    for positions in (1, 2, 5):
        most = positions - 1 if mode == "reflect" else 7
        for left, right in ((0, most), (most, 0), (most, most // 2)):
            layer = rn.Conv1d(
                np.eye(3)[:, :, None], positions=positions, padding=(left, right), padding_mode=mode
            )
            x = rng.standard_normal((2, 3, positions, 3)).astype("f4")
            y, _ = rn.Model([layer])(x.reshape(2, 3, -1))
            want = np.pad(x, ((0, 0), (0, 0), (left, right), (0, 0)), mode=names[mode])
            assert_same_bits(y.reshape(want.shape), want)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_stored_weights(name: str) -> None:
    """Matrices are rounded, those of groups too; of a group for each channel there is none: its
    weights stay as they are, and may be past the type."""
    rng = np.random.default_rng(306)
    for groups in (1, 2, 6):
        weight = rng.standard_normal((12, 6 // groups, 3)).astype("f4")
        if groups == 6:
            weight[0, 0, 0] = 3e38 if name == "bfloat16" else 70000.0
        layer = rn.Conv1d(weight, np.ones(12, "f4"), groups=groups, positions=9, padding=1)
        model = rn.Model([layer], weight_dtype=name)
        kept = model.spec.layers[0].arrays["weight"]
        assert np.array_equal(kept, layer.weight) == (groups == 6)
        assert layer.takes_weight_dtype == (groups != 6)
        x = rng.standard_normal((4, 2, 54)).astype("f4")
        assert_same_bits(model(x)[0], rn.Model(model.spec)(x)[0])
    weight = np.full((2, 2, 1), 70000.0, np.float32)
    with pytest.raises(rn.UnsupportedError, match=r"0\.weight has 70000; float16 ends at 65504"):
        rn.Model([rn.Conv1d(weight)], weight_dtype="float16")


@pytest.mark.skipif("blas" not in matmuls(), reason="needs a BLAS")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_blas_multiplies_it_too(seed: int, dtype: str) -> None:
    """In any order: the bound of the sum."""
    rng, layer = draw(seed, streams=False, activations=("identity",))
    x = rng.standard_normal((9, 2, layer.input_size)).astype("f4")
    y, _ = rn.Model(ModelSpec((layer,)), dtype=dtype, matmul="blas")(x)
    want, _ = rn.reference.run(ModelSpec((layer,)), x)
    size, _ = rn.reference.run(ModelSpec((wide(layer),)), np.abs(x))
    taps, u = layer.weight.shape[1] + 1, float(np.finfo(dtype).eps) / 2
    assert np.all(np.abs(y - want) <= 2 * taps * u * size + taps * float(np.finfo(dtype).tiny))


@pytest.mark.parametrize("seed", range(20))
def test_files_and_copies_keep_it(seed: int, tmp_path: Path) -> None:
    rng, layer = draw(seed, streams=bool(seed % 2))
    model = rn.Model(ModelSpec((layer,)))
    x = rng.standard_normal((9, 2, layer.input_size)).astype("f4")
    y, _ = model(x)
    for suffix in ("safetensors", "npz"):
        model.save(tmp_path / f"m.{suffix}")
        assert_same_bits(rn.load(tmp_path / f"m.{suffix}")(x)[0], y)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), model.spec.layers[0]):
        assert isinstance(again, Conv)
        assert again.line == layer.line
        for name, array in layer.arrays.items():
            assert_same_bits(again.arrays[name], array)
    assert_same_bits(pickle.loads(pickle.dumps(model))(x)[0], y)


def test_the_command_tells_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.safetensors"
    weight = np.ones((4, 1, 3, 2), np.float32)
    rn.Model([rn.Conv2d(weight, np.ones(4), positions=6, groups=2, padding=("causal", 0))]).save(
        path
    )
    assert cli.main(["info", str(path)]) == 0
    told = capsys.readouterr().out
    for word in ("conv", "in_channels=2", "groups=2", "kernel_time=3", "positions=6", "28"):
        assert word in told


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_kernel_of_one_row_may_see_nothing_but_padding_above_the_only_one(dtype: str) -> None:
    layer = Conv(np.ones((2, 3)), np.array([0.5, -1.0]), in_channels=3, top=1, stride_height=3)
    y, _ = rn.Model(layer, dtype=dtype)(np.full((4, 2, 3), 7.0, dtype))
    np.testing.assert_array_equal(y, np.broadcast_to([0.5, -1.0], (4, 2, 2)))


def test_what_cannot_be_one_is_refused_by_name() -> None:
    ones = np.ones
    for call, error, message in (
        (lambda: Conv(ones((2, 3)), in_channels=0), rn.OptionError, "in_channels: expected 1 to"),
        (lambda: Conv(ones((2, 3)), in_channels=2.5), rn.OptionError, "expected an integer"),
        (lambda: Conv(ones((2, 3)), in_channels=3, groups=2), rn.OptionError,
         "groups: expected a divisor of in_channels=3, got 2"),
        (lambda: Conv(ones((2, 4)), in_channels=3), rn.ShapeError,
         r"out_channels, kernel_time \* kernel_size \* in_channels / groups = 3\), got \(2, 4\)"),
        (lambda: Conv(ones((0, 3)), in_channels=3), rn.ShapeError, r"got \(0, 3\)"),
        (lambda: Conv(ones((3, 2)), in_channels=4, groups=2), rn.ShapeError,
         "rows for each of groups=2, got 3"),
        (lambda: Conv(ones((2, 3)), ones(3), in_channels=3), rn.ShapeError,
         r"Conv bias: expected shape \(2,\), got \(3,\)"),
        (lambda: Conv(ones((2, 2)), kernel_time=2, dilation_time=2**20), rn.OptionError,
         r"\(kernel_time - 1\) \* dilation_time \+ 1: expected 1 to 1048576, got 1048577"),
        (lambda: Conv(ones((2, 1)), stride_time=2**20 + 1), rn.OptionError,
         "stride_time: expected 1 to 1048576"),
        (lambda: Conv(ones((2, 3)), kernel_time=3, before=3), rn.OptionError,
         "before: expected 0 to 2, what its steps reach over, got 3"),
        (lambda: Conv(ones((2, 3)), kernel_time=3, after=3), rn.OptionError,
         "after: expected 0 to 2"),
        (lambda: Conv(ones((2, 3)), kernel_size=3), rn.ShapeError,
         "a kernel over 3 positions, but there are 1, padding included"),
        (lambda: Conv(ones((2, 1)), positions=3, left=3, padding_mode="reflect"), rn.OptionError,
         "left and right below positions=3, got 3 and 0"),
        (lambda: Conv(ones((2, 1)), padding_mode="circular"), rn.OptionError,
         "padding_mode: expected one of zeros, reflect, replicate"),
        (lambda: Conv(ones((2, 1)), activation="gelu"), rn.OptionError, "activation: expected one"),
        (lambda: Conv(ones((2, 5)), in_channels=5, positions=2**24), rn.ShapeError,
         r"positions \* in_channels: expected at most 67108864"),
        (lambda: Conv(ones((5, 1)), positions=2**24), rn.ShapeError, "positions made"),
        (lambda: Conv(ones((1, 5)), kernel_size=5, positions=2**24), rn.ShapeError, "columns of"),
        (lambda: Conv(ones((1, 4)), in_channels=4, left=2**24, stride=2**24), rn.ShapeError,
         "their padding"),
        (lambda: Conv(ones((1, 1)), height=2**13, positions=2**14), rn.ShapeError,
         r"height \* positions \* in_channels"),
        (lambda: Conv(ones((2, 3)), kernel_height=3, height=2), rn.ShapeError,
         "a kernel over 3 rows, but there are 2, padding included"),
        (lambda: Conv(ones((2, 1)), height=3, bottom=3, padding_mode="reflect"), rn.OptionError,
         "top and bottom below height=3, got 0 and 3"),
        (lambda: rn.Conv2d(ones((2, 3, 1, 1)), positions=(2, 3, 4)), rn.OptionError,
         "Conv2d positions: expected one of both"),
        (lambda: rn.Conv2d(ones((2, 3, 2, 1)), positions=3, padding=1, padding_mode="reflect"),
         rn.OptionError, r"'zeros' over time, where it pads \(1, 1\); rn.Pad\(features, 1, 1, 're"),
        (lambda: rn.Conv3d(ones((2, 3, 2, 1, 1)), positions=(2, 2), padding=(1, 0, 0),
                           padding_mode="replicate"), rn.OptionError, "Conv3d padding_mode='rep"),
        (lambda: rn.Conv3d(ones((2, 3, 1, 1)), positions=(2, 2)), rn.ShapeError,
         "Conv3d weight: expected shape"),
        (lambda: rn.Conv3d(ones((2, 3, 1, 1, 1)), positions=(2, 2), stride=(1, 2)), rn.OptionError,
         "Conv3d stride: expected one of all"),
        (lambda: rn.Conv1d(ones((2, 3))), rn.ShapeError, r"\(out, in / groups, kernel\), got"),
        (lambda: rn.Conv1d(ones((0, 3, 2))), rn.ShapeError, r"got \(0, 6\)"),
        (lambda: rn.Conv1d(ones((2, 3, 2)), padding=np.array([1, 0])), rn.OptionError,
         "expected an integer"),
        (lambda: rn.Conv1d(ones((2, 3, 0))), rn.OptionError, "kernel_time: expected 1"),
        (lambda: rn.Conv1d(ones((2, 3, 2)), padding="full"), rn.OptionError, "'causal' or 'same'"),
        (lambda: rn.Conv1d(ones((2, 3, 2)), padding=(1, 0, 0)), rn.OptionError, "before, after"),
        (lambda: rn.Conv1d(ones((2, 3, 2)), dilation="2"), rn.OptionError,
         "Conv1d dilation: expected an integer"),
        (lambda: rn.Conv1d(ones((2, 3, 2)), groups=0), rn.OptionError, "Conv1d groups: expected 1"),
        (lambda: rn.Conv1d(ones((2, 3, 2)), stride=True), rn.OptionError,
         "stride_time: expected an integer"),
        (lambda: rn.Conv1d(ones((2, 3, 2)), padding="causal", padding_mode="reflect"),
         rn.OptionError, r"where it pads \(1, 0\); rn.Pad\(features, 1, 0, 'reflect'\) before it"),
        (lambda: rn.Conv1d(ones((2, 3, 2)), padding=ones(2), padding_mode="reflect"),
         rn.OptionError, "Conv1d padding: expected an integer"),
        (lambda: rn.Conv2d(ones((2, 3, 2)), positions=2), rn.ShapeError, "kernel over positions"),
        (lambda: rn.Conv2d(ones((2, 3, 1, 1)), positions=2, stride=(1, 2, 3)), rn.OptionError,
         r"Conv2d stride: expected one of both, or \(over time, over positions\)"),
        (lambda: rn.Conv2d(ones((2, 3, 1, 1)), positions=2, dilation=0), rn.OptionError,
         "Conv2d dilation: expected 1"),
        (lambda: rn.train.Network(ModelSpec((rn.Conv1d(ones((2, 3, 2))),))), rn.UnsupportedError,
         "layer 0 is a"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            call()
    same = rn.Conv2d(ones((2, 3, 3, 3)), positions=np.int64(4), padding="same", stride=(2, 1))
    assert (same.before, same.after, same.left, same.right) == (1, 1, 1, 1)
    assert rn.Conv2d(ones((2, 3, 3, 3)), positions=4, padding=np.int64(1)).left == 1


def test_a_line_without_groups_is_refused() -> None:
    layer = rn.Conv1d(np.ones((2, 3, 2), np.float32))
    with pytest.raises(rn.RnnError, match="groups: expected 1 to"):
        Conv.from_line({**layer.line, "groups": 0}, layer.arrays)


def test_a_line_of_no_picture_says_nothing_of_one(tmp_path: Path) -> None:
    """Files of version 1 are what they were; a picture is version 2."""
    weight = np.ones((2, 1, 3, 3), np.float32)
    for layer, version in (
        (rn.Conv2d(weight, positions=5), "1"),
        (rn.Conv2d(weight, positions=(4, 5), padding=(1, 0), stride=(2, 1)), "2"),
        (rn.Conv2d(weight, positions=(3, 5)), "2"),
    ):
        strings = metadata.to_metadata(ModelSpec((layer,)))
        assert strings["rnn_native.version"] == version
        line = strings["rnn_native.layer.0"]
        assert ("height=" in line) == (version == "2")
        assert ("top=1 bottom=1" in line) == (layer.top == 1)
        assert "dilation_height" not in line
        rn.Model([layer]).save(tmp_path / "m.safetensors")
        again = rn.load(tmp_path / "m.safetensors").spec.layers[0]
        assert again.line == layer.line


def test_sizes_at_their_limits_run() -> None:
    """Positions of padding alone; the longest window; a stride past everything."""
    padded = Conv(np.ones((1, 1)), left=2**24 - 1, stride=2**24, padding_mode="replicate")
    assert rn.Model([padded])(np.full((1, 1, 1), 3.0, np.float32))[0].tolist() == [[[3.0]]]
    longest = rn.Conv1d(np.array([[[2.0, 3.0]]]), dilation=2**20 - 1, padding="causal")
    y, state = rn.Model([longest])(np.ones((3, 1, 1), np.float32))
    assert y.tolist() == [[[3.0]]] * 3
    assert math.prod(bounds.flatten(_plain(state))[0].shape) == 2**20 - 1


def test_an_onnx_file_gives_its_numbers(tmp_path: Path) -> None:
    """Beside onnxruntime, whose float32 adds in another order: 2e-5 of numbers of about 1, behind
    a recurrent layer or its last state alone; of positions in every mode of padding."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "m.onnx"
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng([308, seed])
        width, last = int(rng.integers(1, 13)), seed % 5 == 0
        layers = [strategies.make_recurrent(rng, "gru", 3, width, return_sequences=not last)]
        conv = strategies.make_conv(rng, width, time=not last, streams=False)
        layers += [conv, strategies.make_strided(rng, conv.output_size)]
        spec = ModelSpec(tuple(layers))
        formats.write(spec, path)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        seen |= {node.op_type for node in onnx.load(path).graph.node}
        x = rng.standard_normal((12, 2, 3)).astype("f4")
        want, _ = rn.reference.run(spec, x)
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (theirs,) = session.run(["y"], {"x": x})
        assert theirs.shape == want.shape
        np.testing.assert_allclose(theirs, want, rtol=0, atol=2e-5)
    assert seen >= {"Conv", "Pad", "Gather", "Slice", "Reshape", "Transpose"}
