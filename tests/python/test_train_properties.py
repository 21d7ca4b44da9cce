"""What training promises beside right gradients: the same bits for any number of threads, steps
cut into chunks, padding that is never read, dropout, and tapes that know their network."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from gradients import assert_gradient, flat, numeric, results, same_bits
from strategies import (
    TRAINED_VARIANT_IDS,
    TRAINED_VARIANTS,
    make_recurrent,
    make_spec,
    map_state,
    poison_padding,
    random_input,
    random_state,
)

import rnn_native as rn
from rnn_native.spec import ModelSpec

VARIANT = pytest.mark.parametrize(("cell", "options"), TRAINED_VARIANTS, ids=TRAINED_VARIANT_IDS)
TIME, BATCH = 40, 13


def problem(
    spec: ModelSpec, rng: np.random.Generator, time: int = TIME, batch: int = BATCH
) -> tuple[Any, Any, Any, Any]:
    """x, state, dy, dstate in float32."""
    x = random_input(spec, time, batch, rng)
    dy = rng.standard_normal((time, batch, spec.output_size)).astype(np.float32)
    return x, random_state(spec, batch, rng), dy, random_state(spec, batch, rng)


@VARIANT
def test_same_bits_for_any_number_of_threads(cell: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    spec = make_spec(
        rng, cell, 9, 19, num_layers=2, direction="bidirectional", out_features=3, **options
    )
    x, state, dy, dstate = problem(spec, rng)
    args = (x, state, rng.integers(0, TIME + 1, BATCH), 0.3, 7)
    one, *others = (
        results(rn.train.Network(spec, num_threads=n), args, dy, dstate) for n in (1, 2, 3, 8)
    )
    assert all(same_bits(one, other) for other in others)


def test_same_bits_of_an_embedding_for_any_number_of_threads() -> None:
    rng = np.random.default_rng(2)
    spec = make_spec(rng, "gru", 21, 8, num_embeddings=5, out_features=4, activation="softmax")
    x, state, dy, dstate = problem(spec, rng)
    one, *others = (
        results(rn.train.Network(spec, num_threads=n), (x, state), dy, dstate) for n in (1, 2, 5)
    )
    assert all(same_bits(one, other) for other in others)


@VARIANT
def test_two_chunks_with_carried_gradients_are_one_whole(
    cell: str, options: dict[str, Any]
) -> None:
    """Rounding aside, which in float64 is below 1e-12 of values of order 10."""
    rng = np.random.default_rng(3)
    spec = make_spec(rng, cell, 3, 5, num_layers=2, out_features=2, dtype=np.float64, **options)
    net = rn.train.Network(spec, "float64")
    x = random_input(spec, 7, 4, rng, dtype=np.float64)
    dy = rng.standard_normal((7, 4, 2))
    state = random_state(spec, 4, rng, dtype=np.float64)
    dstate = random_state(spec, 4, rng, dtype=np.float64)
    y, final, tape = net.forward(x, state)
    whole = net.backward(tape, dy, dstate)

    y_1, middle, tape_1 = net.forward(x[:4], state)
    y_2, end, tape_2 = net.forward(x[4:], middle)
    late = net.backward(tape_2, dy[4:], dstate)
    early = net.backward(tape_1, dy[:4], late.state)
    close = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(np.concatenate([y_1, y_2]), y, **close)
    assert whole.x is not None
    assert early.x is not None
    assert late.x is not None
    np.testing.assert_allclose(np.concatenate([early.x, late.x]), whole.x, **close)
    for a, b in zip(flat(spec, end), flat(spec, final), strict=True):
        np.testing.assert_allclose(a, b, **close)
    for a, b in zip(flat(spec, early.state), flat(spec, whole.state), strict=True):
        np.testing.assert_allclose(a, b, **close)
    for name, expected in whole.weights.items():
        np.testing.assert_allclose(early.weights[name] + late.weights[name], expected, **close)


@VARIANT
def test_padding_is_never_read(cell: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(4)
    spec = make_spec(rng, cell, 3, 5, num_layers=2, direction="bidirectional", **options)
    lengths = [3, 0, 5, 1]
    x, state, dy, dstate = problem(spec, rng, 5, 4)
    clean = results(rn.train.Network(spec), (x, state, lengths), dy, dstate)
    poisoned = results(
        rn.train.Network(spec),
        (poison_padding(x, lengths), state, lengths),
        poison_padding(dy, lengths),
        dstate,
    )
    assert same_bits(clean, poisoned)
    dx = clean[-1]
    assert all((dx[length:, row] == 0).all() for row, length in enumerate(lengths))


@VARIANT
@pytest.mark.parametrize(("time", "batch"), [(0, 3), (4, 0), (0, 0)])
def test_nothing_to_run(cell: str, options: dict[str, Any], time: int, batch: int) -> None:
    rng = np.random.default_rng(5)
    spec = make_spec(rng, cell, 3, 5, out_features=2, **options)
    x, state, dy, dstate = problem(spec, rng, time, batch)
    net = rn.train.Network(spec)
    y, final, tape = net.forward(x, state)
    grads = net.backward(tape, dy, dstate)
    assert y.shape == (time, batch, 2)
    assert grads.x is not None
    assert grads.x.shape == x.shape
    assert all((array == 0).all() for array in grads.weights.values())
    assert same_bits(flat(spec, final), flat(spec, state))
    assert same_bits(flat(spec, grads.state), flat(spec, dstate))


def test_all_rows_of_length_zero_pass_states_through() -> None:
    rng = np.random.default_rng(6)
    spec = make_spec(rng, "lstm", 3, 5)
    x, state, dy, dstate = problem(spec, rng, 4, 3)
    net = rn.train.Network(spec)
    y, final, tape = net.forward(np.full_like(x, np.nan), state, [0, 0, 0])
    grads = net.backward(tape, dy, dstate)
    assert (y == 0).all()
    assert (grads.x == 0).all()
    assert all((array == 0).all() for array in grads.weights.values())
    assert same_bits(flat(spec, final), flat(spec, state))
    assert same_bits(flat(spec, grads.state), flat(spec, dstate))


def test_no_dstate_is_zero() -> None:
    rng = np.random.default_rng(7)
    spec = make_spec(rng, "lstm", 3, 5)
    x, state, dy, dstate = problem(spec, rng, 4, 3)
    net = rn.train.Network(spec)
    zeros = map_state(np.zeros_like, dstate)
    assert same_bits(results(net, (x, state), dy, None), results(net, (x, state), dy, zeros))
    assert same_bits(
        results(net, (x, None), dy, None),
        results(net, (x, map_state(np.zeros_like, state)), dy, None),
    )


# Dropout


def test_dropout_lies_between_the_layers_only() -> None:
    rng = np.random.default_rng(8)
    x = random_input(make_spec(rng, "gru", 3, 5), 6, 4, rng)
    single = make_recurrent(rng, "gru", 3, 5), make_recurrent(rng, "rnn", 5, 2)
    with pytest.raises(rn.OptionError, match="dropout: expected 0 with one layer"):
        rn.train.Network(ModelSpec(single)).forward(x, dropout=0.5, seed=1)

    stack = make_recurrent(rng, "gru", 3, 3, num_layers=2)
    net = rn.train.Network(ModelSpec((stack, *single)))
    plain, dropped = net.forward(x)[0], net.forward(x, dropout=0.5, seed=1)[0]
    assert (plain != dropped).any()
    # Its second layer no longer looks at the first: nothing behind it may see a dropout.
    net.weights["0.weight_ih_l1"][...] = 0
    net.update()
    plain, dropped = net.forward(x)[0], net.forward(x, dropout=0.5, seed=1)[0]
    assert plain.any()
    assert np.array_equal(plain, dropped)


def test_dropout_scales_what_it_keeps() -> None:
    """Weights that pass x through: the second layer sees 0 or x / (1 - p), as often as p says."""
    units, p = 40, 0.25
    eye, zero = np.eye(units), np.zeros((units, units))
    weights = {f"weight_{kind}_l{k}": array
               for k in range(2) for kind, array in (("ih", eye), ("hh", zero))}  # fmt: skip
    layer = rn.Recurrent(
        "rnn", units, units, weights, num_layers=2, bias=False, nonlinearity="relu"
    )
    net = rn.train.Network(ModelSpec((layer,)), "float64")
    x = np.ones((25, 20, units))
    y, _, tape = net.forward(x, dropout=p, seed=3)
    kept = y != 0
    assert np.array_equal(y[kept], np.full(kept.sum(), 1 / (1 - p)))
    # 20000 draws: the share of zeros is p but for a few of its deviations of 0.003
    assert abs((~kept).mean() - p) < 0.015
    assert len({bits.tobytes() for bits in kept.reshape(-1, units)}) > 490  # no row like another
    grads = net.backward(tape, np.ones_like(y))
    assert np.array_equal(grads.x, y)  # the same mask, on the way back


def test_dropout_depends_on_its_seed_alone() -> None:
    rng = np.random.default_rng(9)
    spec = make_spec(rng, "lstm", 3, 5, num_layers=3)
    x = random_input(spec, 6, 4, rng)
    net = rn.train.Network(spec)
    first, again, other = (net.forward(x, dropout=0.4, seed=s)[0] for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_gradient_through_dropout() -> None:
    rng = np.random.default_rng(10)
    spec = make_spec(rng, "gru", 2, 3, num_layers=3, direction="bidirectional", dtype=np.float64)
    x, dy = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3, 6))
    net = rn.train.Network(spec, "float64")

    def loss() -> float:
        net.update()
        return float((net.forward(x, dropout=0.4, seed=5)[0] * dy).sum())

    _, _, tape = net.forward(x, dropout=0.4, seed=5)
    grads = net.backward(tape, dy)
    assert grads.x is not None
    assert_gradient("x", grads.x, numeric(x, loss))
    for name, weight in net.weights.items():
        assert_gradient(name, grads.weights[name], numeric(weight, loss))


# Tapes, updates, and the two doors


def test_a_tape_may_serve_again_and_outlives_changes_of_x() -> None:
    rng = np.random.default_rng(11)
    spec = make_spec(rng, "lstm", 3, 5)
    x, state, dy, dstate = problem(spec, rng, 4, 3)
    net = rn.train.Network(spec)
    _, _, tape = net.forward(x, state)
    first = net.backward(tape, dy, dstate)
    x += 1
    second = net.backward(tape, dy, dstate)
    assert same_bits(list(first.weights.values()), list(second.weights.values()))


def test_two_tapes_at_once() -> None:
    rng = np.random.default_rng(12)
    spec = make_spec(rng, "gru", 3, 5)
    x, _, dy, _ = problem(spec, rng, 4, 3)
    net = rn.train.Network(spec)
    alone = results(net, (x,), dy, None)
    kept = net.forward(x)[2]
    net.forward(x + 1)
    gc.collect()
    net.forward(x - 1)
    got = net.backward(kept, dy)
    assert got.x is not None
    assert np.array_equal(got.x, alone[-1])


def test_update_takes_the_weights_and_ends_old_tapes() -> None:
    rng = np.random.default_rng(13)
    spec = make_spec(rng, "lstm", 3, 5, out_features=2)
    x, _, dy, _ = problem(spec, rng, 4, 3)
    net = rn.train.Network(spec)
    before, _, tape = net.forward(x)
    for weight in net.weights.values():
        weight *= 0.5
    net.update()
    with pytest.raises(rn.OptionError, match="updated"):
        net.backward(tape, dy)
    after, _, _ = net.forward(x)
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after, rn.Model(net.spec)(x)[0], rtol=0, atol=1e-6)


def test_a_tape_of_another_network_is_refused() -> None:
    rng = np.random.default_rng(14)
    spec = make_spec(rng, "rnn", 3, 5)
    x, _, dy, _ = problem(spec, rng, 4, 3)
    tape = rn.train.Network(spec).forward(x)[2]
    with pytest.raises(rn.OptionError, match="another"):
        rn.train.Network(spec).backward(tape, dy)


@pytest.mark.parametrize("batch_first", [False, True])
def test_gradients_of_a_module_have_its_own_names(batch_first: bool) -> None:
    rng = np.random.default_rng(15)
    module = rn.GRU(3, 5, batch_first=batch_first)
    x = rng.standard_normal((4, 6, 3)).astype(np.float32)
    y, h, tape = rn.train.forward(module, x)
    expected_y, expected_h = module(x)
    np.testing.assert_allclose(y, expected_y, rtol=0, atol=1e-6)
    np.testing.assert_allclose(h, expected_h, rtol=0, atol=1e-6)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    grads = rn.train.backward(tape, dy)
    assert list(grads.weights) == list(module.state_dict())
    assert grads.x is not None
    assert grads.x.shape == x.shape
    _, _, of_model = rn.train.forward(module.model, x)
    assert list(rn.train.backward(of_model, dy).weights) == [
        f"0.{name}" for name in module.state_dict()
    ]
    net = rn.train.Network(module.model.spec)
    turn = (lambda a: np.swapaxes(a, 0, 1)) if batch_first else (lambda a: a)
    _, _, of_net = rn.train.forward(net, turn(x))
    plain = rn.train.backward(of_net, turn(dy))
    assert plain.x is not None
    assert np.array_equal(turn(plain.x), grads.x)


def test_wrong_arguments_are_named() -> None:
    rng = np.random.default_rng(16)
    spec = make_spec(rng, "lstm", 3, 5)
    net = rn.train.Network(spec)
    x = np.zeros((4, 2, 3), np.float32)
    _, _, tape = net.forward(x)
    good = np.zeros((4, 2, 5), np.float32)
    h = np.zeros((1, 2, 5), np.float32)
    for match, call in (
        (r"x: expected shape \(time, batch, 3\)", lambda: net.forward(x[..., :2])),
        (r"lengths\[1\]", lambda: net.forward(x, lengths=[4, 5])),
        (r"state array 1: expected shape", lambda: net.forward(x, (h, h[:, :1]))),
        (r"dy: expected shape \(4, 2, 5\)", lambda: net.backward(tape, good[:3])),
        (r"dstate array 0", lambda: net.backward(tape, good, (h[..., :4], h))),
    ):
        with pytest.raises(rn.ShapeError, match=match):
            call()
    for match, call in (
        ("seed", lambda: net.forward(x, dropout=0.5)),
        ("dropout", lambda: net.forward(x, dropout=1.0, seed=1)),
        ("dropout", lambda: net.forward(x, dropout=float("nan"), seed=1)),
        ("seed", lambda: net.forward(x, dropout=0.5, seed=-1)),
        ("model", lambda: rn.train.forward(spec, x)),  # type: ignore[arg-type]
        ("tape", lambda: rn.train.backward(good, good)),  # type: ignore[arg-type]
        ("spec", lambda: rn.train.Network(x)),  # type: ignore[arg-type]
    ):
        with pytest.raises(rn.OptionError, match=match):
            call()
    with pytest.raises(rn.DTypeError, match="dy"):
        net.backward(tape, np.zeros((4, 2, 5), np.int32))
    indices = make_spec(rng, "rnn", 3, 5, num_embeddings=4)
    with pytest.raises(rn.ShapeError, match=r"x\[1, 0\]: expected an index from 0 to 3, got 4"):
        rn.train.Network(indices).forward(np.array([[0], [4]]))
    # past a row's length any index passes
    rn.train.Network(indices).forward(np.array([[0], [4]]), lengths=[1])
