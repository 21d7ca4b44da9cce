"""``return_sequences=False``: y is the top layer's h after each row's last step, and what stands
behind it, without an axis of time. The property tests over ``strategies.specs`` have such models
too; here is what they cannot say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, AnyArray, assert_same_bits, assert_same_state, check, matmuls
from strategies import VARIANTS

import rnn_native as rn
from rnn_native.spec import DIRECTIONS, Merge, ModelSpec, Recurrent

WITHOUT_OUTPUT_LAYER = [v for v in VARIANTS if not v[1].get("output_layer")]
variants = pytest.mark.parametrize(
    ("cell", "options"),
    WITHOUT_OUTPUT_LAYER,
    ids=["-".join([c, *(f"{k}={v}" for k, v in o.items())]) for c, o in WITHOUT_OUTPUT_LAYER],
)
directions = pytest.mark.parametrize("direction", DIRECTIONS)


def top_h(layer: Recurrent, state: Any) -> AnyArray:
    """h of the top layer's directions side by side, [batch, features]."""
    h = state[0] if len(layer.state_names) > 1 else state
    return np.concatenate(list(h[-layer.num_directions :]), axis=-1)


@variants
@directions
@pytest.mark.parametrize("dtype", DTYPES)
def test_y_is_the_final_state_of_the_top_layer(
    cell: str, options: dict[str, Any], direction: str, dtype: str
) -> None:
    """Bit for bit, in a row without steps the initial one; and all else is as with sequences."""
    rng = np.random.default_rng(71)
    for hidden, layers in ((3, 1), (17, 2)):
        layer = strategies.make_recurrent(
            rng, cell, 5, hidden, num_layers=layers, direction=direction, **options
        )
        last = ModelSpec((replace(layer, return_sequences=False),))
        model = rn.Model(last, dtype=dtype, matmul="packed")
        whole = rn.Model(ModelSpec((layer,)), dtype=dtype, matmul="packed")
        x = strategies.random_input(last, 9, 4, rng, dtype=dtype)
        state = strategies.random_state(last, 4, rng, dtype=dtype)
        for lengths in (None, [9, 0, 1, 6]):
            for start in (None, state):
                y, final = model(x, start, lengths)
                assert y.shape == (4, layer.output_size)
                assert_same_bits(y, top_h(layer, final))
                assert_same_state(final, whole(x, start, lengths)[1])
        y, final = model(x[:0], state)
        assert_same_bits(y, top_h(layer, state))
        assert_same_state(final, state)


@variants
@directions
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_head_behind_it_agrees_with_the_reference(
    cell: str, options: dict[str, Any], direction: str, dtype: str
) -> None:
    rng = np.random.default_rng(72)
    layer = strategies.make_recurrent(
        rng, cell, 4, 22, direction=direction, return_sequences=False, **options
    )
    half = Merge("mul", layer.output_size // 2)
    wide = strategies.make_linear(rng, half.size, 19, activation="tanh")
    spec = ModelSpec((layer, half, wide, strategies.make_linear(rng, 19, 3, activation="softmax")))
    for batch, time in ((1, 5), (3, 4), (17, 3)):
        x = strategies.random_input(spec, time, batch, rng)
        state = strategies.random_state(spec, batch, rng)
        lengths = rng.integers(0, time + 1, batch)
        for matmul in matmuls():
            check(spec, x, state, lengths, dtype=dtype, matmul=matmul, batch_first=batch == 3)
            check(spec, x[:0], state, dtype=dtype, matmul=matmul)


def test_time_has_no_axis_whichever_comes_first() -> None:
    rng = np.random.default_rng(73)
    spec = strategies.make_spec(rng, "gru", 3, 6, out_features=2, return_sequences=False)
    x = strategies.random_input(spec, 4, 5, rng)
    y, final = rn.Model(spec, matmul="packed")(x, lengths=[4, 3, 2, 1, 0])
    first, first_final = rn.Model(spec, batch_first=True, matmul="packed")(
        np.swapaxes(x, 0, 1), lengths=[4, 3, 2, 1, 0]
    )
    assert y.shape == (5, 2)
    assert_same_bits(first, y)
    assert_same_state(first_final, final)
    assert rn.Model(spec)(x[:, :0])[0].shape == (0, 2)
    assert rn.Model(spec)(x[:0, :0])[0].shape == (0, 2)
    assert not spec.return_sequences
    assert replace(spec, layers=spec.layers[1:]).return_sequences


@variants
@pytest.mark.parametrize(
    ("direction", "hidden", "time", "batch"),
    [
        ("bidirectional", 263, 9, 1),  # a team: units, or a direction each
        ("forward", 263, 9, 2),
        ("reverse", 50, 40, 33),  # lanes of rows
        ("forward", 44, 601, 1),  # a wavefront, and many chunks of time
        ("bidirectional", 21, 601, 2),
    ],
)
def test_any_number_of_threads_gives_the_same_bits(
    cell: str, options: dict[str, Any], direction: str, hidden: int, time: int, batch: int
) -> None:
    rng = np.random.default_rng(74)
    gain = strategies.fading(cell, options)
    layer = strategies.make_recurrent(
        rng, cell, 9, hidden, gain=gain, direction=direction, num_layers=2,
        return_sequences=False, **options,
    )  # fmt: skip
    spec = ModelSpec((layer, strategies.make_linear(rng, layer.output_size, 70)))
    x = strategies.random_input(spec, time, batch, rng)
    model = rn.Model(spec, matmul="packed")
    for lengths in (None, rng.integers(0, time + 1, batch)):
        y, final = model(x, lengths=lengths, num_threads=1)
        for threads in (2, 3):
            again, again_final = model(x, lengths=lengths, num_threads=threads)
            assert_same_bits(again, y)
            assert_same_state(again_final, final)
        if batch == 1:
            continue
        alone, _ = model(x[:, 1:], lengths=None if lengths is None else lengths[1:])
        assert_same_bits(alone, y[1:])


@variants
def test_a_stream_gives_after_each_step_what_a_call_so_far_would(
    cell: str, options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(75)
    spec = strategies.make_spec(
        rng, cell, 5, 14, num_layers=2, out_features=7, return_sequences=False, **options
    )
    x = strategies.random_input(spec, 6, 3, rng)
    model = rn.Model(spec, matmul="packed")
    stream = model.stream(batch=3)
    for t in range(6):
        y, state = model(x[: t + 1])
        assert_same_bits(stream.step(x[t]), y)
        assert_same_state(stream.state, state)


def test_what_cannot_be_is_refused_by_name() -> None:
    rng = np.random.default_rng(76)
    last = strategies.make_recurrent(rng, "gru", 3, 4, return_sequences=False)
    for again in (False, True):
        follower = strategies.make_recurrent(rng, "gru", 4, 4, return_sequences=again)
        with pytest.raises(rn.ShapeError, match=r"layer 1 \(Recurrent\).*layer 0 gives its last"):
            ModelSpec((last, follower))
    linear = strategies.make_linear(rng, 4, 4)
    with pytest.raises(rn.ShapeError, match=r"layer 2 .*layer 0 gives its last state alone"):
        ModelSpec((last, linear, strategies.make_recurrent(rng, "lstm", 4, 2)))
    with pytest.raises(rn.UnsupportedError, match="return_sequences: only True with an output_la"):
        strategies.make_recurrent(rng, "rnn", 3, 4, output_layer=2, return_sequences=False)
    with pytest.raises(rn.OptionError, match="return_sequences: expected True or False, got 0"):
        strategies.make_recurrent(rng, "gru", 3, 4, return_sequences=0)
    with pytest.raises(rn.UnsupportedError, match=r"layer 0 .*: return_sequences=False cannot be"):
        rn.train.Network(ModelSpec((last,)))
    with pytest.raises(rn.UnsupportedError, match="return_sequences: only True with an output_la"):
        rn.RNN(3, 4, output_size=2, return_sequences=False)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [rn.RNN, rn.GRU, rn.LSTM])
def test_a_module_gives_its_last_state(kind: Any, bidirectional: bool, batch_first: bool) -> None:
    """y is h_n of the top layer, directions side by side: the module's other result."""
    sizes = {"num_layers": 2, "bidirectional": bidirectional, "batch_first": batch_first}
    module = kind(3, 4, **sizes, return_sequences=False)
    whole = kind(3, 4, **sizes)
    whole.load_state_dict(module.state_dict())
    again = eval(repr(module), vars(rn))
    again.load_state_dict(module.state_dict())
    assert repr(again) == repr(module)
    x = np.random.default_rng(0).standard_normal((6, 5, 3), dtype=np.float32)
    lengths = [x.shape[1 if batch_first else 0], 2, 0, 1, 3, 4][: len(x) if batch_first else 5]
    for options in ({}, {"lengths": lengths}):
        y, state = module(x, **options)
        _, want = whole(x, **options)
        h = (state[0] if kind is rn.LSTM else state)[-2 if bidirectional else -1 :]
        assert y.tobytes() == np.concatenate(list(h), axis=-1).tobytes()
        assert_same_state(state, want)
        assert_same_bits(again(x, **options)[0], y)
    alone, state = module(x[0] if batch_first else x[:, 0])
    assert alone.shape == (8 if bidirectional else 4,)
    assert_same_bits(alone, module(x)[0][0])
    assert_same_bits(rn.Model(module, batch_first)(x)[0], module(x)[0])
