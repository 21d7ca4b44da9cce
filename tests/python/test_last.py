"""Last, a Reduce: of anything with steps, the one at which each row ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import ModelSpec, Recurrent

RNG = np.random.default_rng(11)


def gru(**options: Any) -> Recurrent:
    return strategies.make_recurrent(RNG, "gru", 5, 9, **options)


def random(time: int, batch: int) -> Any:
    return RNG.standard_normal((time, batch, 5), dtype="f4")


def at_ends(y: Any, lengths: Any) -> Any:
    return y[np.asarray(lengths) - 1, np.arange(y.shape[1])]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_it_is_what_stands_before_it_at_the_last_valid_step(direction: str, dtype: str) -> None:
    """To the bit, whatever the threads and the chunks; in the reverse direction too, whose last
    state is another."""
    layer = gru(direction=direction, num_layers=2)
    whole, model = rn.Model(layer, dtype=dtype), rn.Model([layer, rn.Last()], dtype=dtype)
    for time, lengths in ((150, [150, 1, 97, 33, 96]), (3, [3, 2, 1, 3, 1]), (40, [40] * 5)):
        x = random(time, 5)
        y, h_n = whole(x, lengths=lengths)
        for threads in (1, 3):
            got, state = model(x, lengths=lengths, num_threads=threads)
            assert_same_bits(got, at_ends(y, lengths))
            assert_same_bits(state["0"], h_n)
            assert_same_bits(state["1"], got[None])
        last = np.concatenate(list(h_n[-layer.num_directions :]), axis=-1)
        assert np.array_equal(got, last) == (direction == "forward")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_without_steps_gives_the_last_step_of_the_calls_before(dtype: str) -> None:
    model, x = (
        rn.Model([gru(), rn.Last(), strategies.make_linear(RNG, 9, 2)], dtype=dtype),
        random(9, 3),
    )
    ends = [9, 4, 0]
    y, state = model(x, lengths=ends)
    pieces = None
    for first, last in ((0, 4), (4, 4), (4, 9)):
        lengths = np.clip(np.subtract(ends, first), 0, last - first)
        got, pieces = model(x[first:last], pieces, lengths)
    assert_same_bits(got, y)
    assert_same_bits(pieces["1"], state["1"])
    np.testing.assert_array_equal(state["1"][0, 2], 0)


def test_it_agrees_with_the_reference_from_any_state() -> None:
    spec = ModelSpec((gru(direction="bidirectional"), rn.Last(), rn.Merge("sum", 9)))
    model, x = rn.Model(spec, dtype="float64"), random(6, 4)
    state = {"0": RNG.standard_normal((2, 4, 9)), "1": RNG.standard_normal((1, 4, 18))}
    for lengths in (None, [0, 6, 2, 0]):
        got, ends = model(x, state, lengths)
        want, finals = rn.reference.run(spec, x, state, lengths)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-14)
        for name in "01":
            np.testing.assert_allclose(ends[name], finals[name], rtol=0, atol=1e-14)


def test_a_stream_gives_each_step_as_the_last_one_so_far() -> None:
    layer, x = gru(), random(7, 2)
    model, y = rn.Model([layer, rn.Last()]), rn.Model(layer)(x)[0]
    stream = model.stream(batch=2)
    for t, x_t in enumerate(x):
        assert_same_bits(stream.step(x_t), y[t])
        assert_same_bits(stream.state["1"][0], y[t])
    stream.reset()
    assert not stream.state["1"].any()
    assert_same_bits(stream.push(x), y)


def test_files_keep_it(tmp_path: Path) -> None:
    model, x = rn.Model([gru(direction="bidirectional"), rn.Last()]), random(5, 2)
    y, _ = model(x)
    for name in ("m.safetensors", "m.npz"):
        model.save(tmp_path / name)
        again = rn.load(tmp_path / name)
        assert_same_bits(again(x)[0], y)
    spec = ModelSpec(nodes={"end": (rn.Last(), "x"), "all": (rn.Elementwise("tanh"), "x")},
                     inputs={"x": 5}, outputs=["end", "all"])  # fmt: skip
    formats.write(spec, tmp_path / "g.safetensors")
    ys, _ = rn.load(tmp_path / "g.safetensors")(x, lengths=[2, 5])
    assert_same_bits(ys["end"], np.stack([x[1, 0], x[4, 1]]))


def test_where_it_cannot_be() -> None:
    with pytest.raises(rn.UnsupportedError, match="layer 0: a Reduce cannot be first"):
        rn.Model([rn.Last(), gru()])
    alone = r".*layer 1 makes one of all steps \(Reduce last\)"
    with pytest.raises(rn.ShapeError, match=r"layer 2 \(Recurrent\)" + alone):
        rn.Model([strategies.make_linear(RNG, 5, 5), rn.Last(), gru()])
    with pytest.raises(rn.ShapeError, match=r"layer 2 \(Reduce\)" + alone):
        rn.Model([gru(), rn.Last(), rn.Last()])
    with pytest.raises(rn.UnsupportedError, match="Reduce"):
        rn.train.Network(ModelSpec((gru(), rn.Last())))
