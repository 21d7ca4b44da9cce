"""Pad: its steps against NumPy's pad, to the bit; however it is cut; with rows of other lengths;
and behind it convolutions that have as many steps as its input."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import ModelSpec
from rnn_native.spec.layers.pad import PAD_MODES

NUMPY = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
SIDES = [(0, 0), (3, 0), (0, 2), (2, 5), (40, 23)]
STREAMS = [("zeros", 3), ("replicate", 1), ("replicate", 3)]


def padded(x: NDArray[Any], before: int, after: int, mode: str) -> NDArray[Any]:
    """Of x [time, batch, features], by NumPy."""
    if not len(x):
        return x
    return np.pad(x, ((before, after), (0, 0), (0, 0)), mode=NUMPY[mode])  # type: ignore[call-overload,no-any-return]


def made(before: int, after: int, mode: str, dtype: str = "float32") -> rn.Model:
    return rn.Model(ModelSpec((rn.Pad(3, before, after, mode),)), dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", PAD_MODES)
def test_its_steps_are_those_of_numpy(mode: str, dtype: str) -> None:
    rng = np.random.default_rng(471)
    for before, after in SIDES:
        model = made(before, after, mode, dtype)
        for time, batch in ((0, 2), (1, 1), (2, 3), (13, 2), (700, 1)):
            x = rng.standard_normal((time, batch, 3)).astype(dtype)
            want = padded(x, before, after, mode)
            for threads in (1, 3):
                y, _ = model(x, num_threads=threads)
                assert len(y) == model.output_steps(time)
                assert_same_bits(y, want)
            np.testing.assert_array_equal(rn.reference.run(model.spec, x)[0], want)


@pytest.mark.parametrize("mode", PAD_MODES)
def test_rows_of_other_lengths_are_padded_at_their_own_ends(mode: str) -> None:
    x = np.random.default_rng(472).standard_normal((12, 5, 3)).astype("f4")
    lengths = [12, 7, 2, 1, 0]
    for before, after in SIDES:
        model = made(before, after, mode)
        y, _ = model(x, lengths=lengths)
        want, _ = rn.reference.run(model.spec, x, lengths=lengths)
        np.testing.assert_array_equal(y, want)
        for row, length in enumerate(lengths):
            alone = padded(x[:length, row : row + 1], before, after, mode)
            assert_same_bits(np.ascontiguousarray(y[: len(alone), row : row + 1]), alone)
            assert not y[len(alone) :, row].any()


@pytest.mark.parametrize(("mode", "before"), STREAMS)
def test_streams_and_pieces_have_the_bits_of_the_whole(mode: str, before: int) -> None:
    """In front of a convolution that has as many steps as the input, and adds to it."""
    rng = np.random.default_rng(473)
    weight = rng.standard_normal((3, 3, before + 1)).astype("f4")
    nodes: dict[str, Any] = {
        "pad": (rn.Pad(3, before, 0, mode), "x"),
        "conv": (rn.Conv1d(weight, activation="tanh"), "pad"),
        "sum": (rn.Add(), ("x", "conv")),
    }
    spec = ModelSpec(nodes=nodes, inputs={"x": 3}, outputs={"sum": "sum", "pad": "pad"})
    model = rn.Model(spec)
    x = rng.standard_normal((17, 2, 3)).astype("f4")
    y, end = model(x)
    assert_same_bits(y["pad"], padded(x, before, 0, mode))
    want, own = rn.reference.run(spec, x)
    np.testing.assert_allclose(y["sum"], want["sum"], atol=1e-5)
    for most in (1, 3, 17):
        stream, pieces, parts, state, first = model.stream(batch=2), [], [], None, 0
        assert stream.rate == {"sum": Fraction(1), "pad": Fraction(1)}
        assert stream.latency == {"sum": 0, "pad": 0}
        while first < len(x):
            last = first + int(rng.integers(0, most + 1))
            pieces.append(stream.push(x[first:last]))
            part, state = model(x[first:last], state)
            parts.append(part)
            first = last
        for name, whole in y.items():
            assert_same_bits(np.concatenate([piece[name] for piece in pieces]), whole)
            assert_same_bits(np.concatenate([part[name] for part in parts]), whole)
        assert state is not None
        assert not np.asarray(state["pad"]).any()
        assert not np.asarray(own["pad"]).any()
    assert end.keys() == own.keys()


@pytest.mark.parametrize("seed", range(40))
def test_padding_and_convolution_are_the_convolution_that_pads(seed: int) -> None:
    """With zeros, over steps and positions, of whatever padding, stride and dilation."""
    rng = np.random.default_rng(474 + seed)
    conv = strategies.make_conv(rng, int(rng.integers(1, 13)), time=True, streams=bool(seed % 2))
    options = {**conv.options, "before": 0, "after": 0}
    pad = rn.Pad(conv.input_size, conv.before, conv.after)
    pair = (pad, type(conv).make(conv.arrays, options))
    x = rng.standard_normal((11, 3, conv.input_size)).astype("f4")
    lengths = [11, 4, 1]
    want, _ = rn.Model(ModelSpec((conv,)))(x, lengths=lengths)
    y, _ = rn.Model(ModelSpec(pair))(x, lengths=lengths)
    assert_same_bits(y, want)


def test_what_pads_and_takes_away_as_many_steps_goes_together_with_its_input() -> None:
    def spec(*layers: Any) -> ModelSpec:
        nodes: dict[str, Any] = {}
        name = "x"
        for index, layer in enumerate(layers):
            nodes[f"{index}"] = (layer, name)
            name = f"{index}"
        nodes["sum"] = (rn.Add(), ("x", name))
        return ModelSpec(nodes=nodes, inputs={"x": 2}, outputs="sum")

    one, two = (rn.Conv1d(np.ones((2, 2, kernel))) for kernel in (2, 3))
    x = np.ones((4, 1, 2))
    for layers in (
        (rn.Pad(2, 1, 1, "reflect"), two),
        (rn.Pad(2, 0, 3, "circular"), one, two),
        (rn.Pad(2, 1, 0), rn.Pad(2, 1, 0, "replicate"), one, one),
        (rn.Pad(2, 2, 0), rn.Upsample(1), two, rn.Pad(2, 0, 1), one),
    ):
        y, _ = rn.Model(spec(*layers))(x)
        assert y.shape == x.shape
    for layers in (
        (two, rn.Pad(2, 1, 1)),  # of two steps it makes none, and of none
        (rn.Pad(2, 1, 0), two),
        (rn.Pad(2, 2, 0), rn.AvgPool(3, 2)),
        (rn.Pad(2, 1, 0), two, rn.Pad(2, 1, 0)),
    ):
        with pytest.raises(rn.ShapeError, match="steps"):
            spec(*layers)


def test_a_state_may_have_some_of_the_padding_still_to_come() -> None:
    model = made(3, 0, "replicate")
    x = np.random.default_rng(475).standard_normal((2, 2, 3)).astype("f4")
    for phase in range(4):
        y, state = model(x, {"0": np.full((1, 2, 1), phase, "f4")})
        assert_same_bits(y, padded(x, phase, 0, "replicate"))
        assert not np.asarray(state["0"]).any()
    with pytest.raises(rn.ShapeError, match="expected one number from 0 to 3 in all rows"):
        rn.reference.run(model.spec, x, {"0": np.full((1, 2, 1), 4.0)})
    for wrong in ([0, 1], [4, 4], [-1, -1], [0.5, 0.5]):
        with pytest.raises(rn.RnnError):
            model(x, {"0": np.asarray(wrong, "f4").reshape(1, 2, 1)})


def test_files_keep_it(tmp_path: Path) -> None:
    x = np.random.default_rng(476).standard_normal((9, 2, 3)).astype("f4")
    for index, (before, after) in enumerate(SIDES):
        for mode in PAD_MODES:
            model = made(before, after, mode)
            y, _ = model(x)
            for suffix in ("safetensors", "npz"):
                path = tmp_path / f"{index}{mode}.{suffix}"
                model.save(path)
                assert_same_bits(rn.load(path)(x)[0], y)


def test_what_cannot_be_one_is_refused_by_name() -> None:
    for call, error, message in (
        (lambda: rn.Pad(0, 1), rn.OptionError, "Pad features: expected 1 to"),
        (lambda: rn.Pad(2, -1), rn.OptionError, "Pad before: expected 0 to"),
        (lambda: rn.Pad(2, 0, 2**20 + 1), rn.OptionError, "Pad after: expected 0 to 1048576"),
        (lambda: rn.Pad(2, 1, mode="symmetric"), rn.OptionError,
         "Pad mode: expected one of zeros, reflect, replicate, circular; got 'symmetric'"),
        (lambda: rn.Model([rn.GRU(3, 5), rn.Pad(4, 1)]), rn.ShapeError,
         r"layer 1 \(Pad\): expected an input of 4 features, layer 0 gives 5"),
        (lambda: rn.Model([rn.GRU(3, 4, return_sequences=False), rn.Pad(4, 1)]), rn.ShapeError,
         "expected an input of steps"),
        (lambda: made(2, 0, "reflect").stream(batch=1), rn.UnsupportedError,
         "layer 0, padding that mirrors steps, needs whole sequences"),
        (lambda: made(1, 0, "circular").stream(batch=1), rn.UnsupportedError, "that goes around"),
        (lambda: made(0, 2, "replicate").stream(batch=1), rn.UnsupportedError,
         "layer 0 has 2 steps of padding behind the last one"),
        (lambda: rn.train.Network(ModelSpec((rn.GRU(3, 4).spec, rn.Pad(4, 2)))),
         rn.UnsupportedError, "layer 1 is a"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            call()
