"""The article's cells are the article's: its equations line by line, and no other cell's.

``article_*`` below are a transcription for themselves, in the order and with the letters of
section 3, of which the weights are cut out here by hand. Tolerance: float64 within 1e-12 of the
largest magnitude, of which sums of some 30 terms and 12 steps leave four decimals of room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import AnyArray, assert_same_bits, check
from strategies import random_input, random_state

import rnn_native as rn
from rnn_native.spec import ModelSpec, Recurrent

T, B, I, H, O = 12, 3, 5, 7, 4  # noqa: E741


def sigma(a: AnyArray) -> AnyArray:
    return 1 / (1 + np.exp(-a))


def rows(w: AnyArray, gate: int) -> AnyArray:
    return w[gate * H : (gate + 1) * H]


def article_rnn(w: dict[str, AnyArray], x: AnyArray, h: AnyArray) -> tuple[AnyArray, list[Any]]:
    W_xh, W_hh, b_h = w["weight_ih_l0"], w["weight_hh_l0"], w["bias_ih_l0"] + w["bias_hh_l0"]
    W_ho, W_xo, b_o = w["weight_ho"], w["weight_xo"], w["bias_o"]
    outputs = []
    for x_t in x:
        h = sigma(W_hh @ h + W_xh @ x_t + b_h)
        o = sigma(W_ho @ h + W_xo @ x_t + b_o)
        outputs.append(o)
    return np.array(outputs), [h]


def article_gru(
    w: dict[str, AnyArray], x: AnyArray, h: AnyArray, z: AnyArray
) -> tuple[AnyArray, list[Any]]:
    W_xr, W_xz, W_xh = (rows(w["weight_ih_l0"], gate) for gate in range(3))
    b_r, b_z, b_h = (rows(w["bias_ih_l0"], gate) for gate in range(3))
    W_rr, W_zz = (rows(w["weight_gh_l0"], gate) for gate in range(2))
    W_hh = w["weight_hh_l0"]
    outputs = []
    for x_t in x:
        z_before = z
        z = sigma(W_zz @ z_before + W_xz @ x_t + b_z)
        r = sigma(W_rr @ z_before + W_xr @ x_t + b_r)
        candidate = np.tanh(W_hh @ (r * h) + W_xh @ x_t + b_h)
        h = (1 - z) * h + z * candidate
        outputs.append(h)
    return np.array(outputs), [h, z]


def article_lstm(
    w: dict[str, AnyArray], x: AnyArray, h: AnyArray, C: AnyArray, i: AnyArray, f: AnyArray
) -> tuple[AnyArray, list[Any]]:
    W_xi, W_xf, W_xg, W_xo = (rows(w["weight_ih_l0"], gate) for gate in range(4))
    W_ii, W_if, W_ig, W_io = (rows(w["weight_gh_l0"], gate) for gate in range(4))
    W_ci, W_cf, W_cg, W_co = (rows(w["weight_ch_l0"], gate) for gate in range(4))
    b_i, b_f, b_g, b_o = (rows(w["bias_ih_l0"], gate) for gate in range(4))
    outputs = []
    for x_t in x:
        i_before, f_before, C_before = i, f, C
        i = sigma(W_ii @ i_before + W_xi @ x_t + W_ci @ C_before + b_i)
        f = sigma(W_if @ f_before + W_xf @ x_t + W_cf @ C_before + b_f)
        o = sigma(W_io @ i_before + W_xo @ x_t + W_co @ C_before + b_o)
        g = np.tanh(W_ig @ i_before + W_xg @ x_t + W_cg @ C_before + b_g)
        C = f * C_before + i * g
        h = o * np.tanh(C)
        outputs.append(h)
    return np.array(outputs), [h, C, i, f]


CELLS: dict[str, tuple[dict[str, Any], Callable[..., tuple[AnyArray, list[Any]]]]] = {
    "rnn": ({"nonlinearity": "sigmoid", "output_layer": O}, article_rnn),
    "gru": ({"gate_recurrent": True}, article_gru),
    "lstm": ({"gate_recurrent": True}, article_lstm),
}
cells = pytest.mark.parametrize("cell", CELLS)


def make(cell: str, seed: int = 0, **more: Any) -> tuple[ModelSpec, AnyArray, list[AnyArray]]:
    """A float64 model, x, and the arrays of a random state."""
    rng = np.random.default_rng(seed)
    options = CELLS[cell][0]
    spec = strategies.make_spec(rng, cell, I, H, dtype=np.float64, **options, **more)
    x = random_input(spec, T, B, rng, dtype=np.float64)
    state = random_state(spec, B, rng, dtype=np.float64)
    return spec, x, list(state) if isinstance(state, tuple) else [state]


def structured(arrays: list[AnyArray]) -> Any:
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


def assert_equal(got: AnyArray, want: AnyArray) -> None:
    scale = max(1.0, float(np.abs(want).max()))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * scale)


@cells
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("run", ["reference", "packed", "blas", "stream"])
def test_the_equations_line_by_line(cell: str, given: bool, run: str) -> None:
    spec, x, arrays = make(cell)
    if not given:
        arrays = [np.zeros_like(a) for a in arrays]
    state = structured(arrays) if given else None
    if run == "reference":
        y, final = rn.reference.run(spec, x, state)
    elif run == "stream":
        stream = rn.Model(spec, dtype="float64").stream(batch=B)
        stream.state = structured(arrays)
        y, final = np.stack([stream.step(x_t).copy() for x_t in x]), stream.state
    else:
        if run == "blas" and rn.show_config(mode="dicts")["blas"] is None:
            pytest.skip("no BLAS in this process")
        y, final = rn.Model(spec, dtype="float64", matmul=run)(x, state)
    weights = dict(spec.recurrents[0].arrays)
    for b in range(B):
        want, want_final = CELLS[cell][1](weights, x[:, b], *(a[0, b] for a in arrays))
        assert_equal(y[:, b], want)
        for got, expected in zip(final if len(arrays) > 1 else [final], want_final, strict=True):
            assert_equal(got[0, b], expected)


def test_the_modules_are_called_as_the_article_calls_them() -> None:
    """Names, shapes and what is returned."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((T, B, I)).astype(np.float32)
    rnn = rn.RNN(I, H, nonlinearity="sigmoid", output_size=O, output_nonlinearity="sigmoid")
    gru = rn.GRU(I, H, gate_recurrent=True)
    lstm = rn.LSTM(I, H, gate_recurrent=True)
    assert {name: a.shape for name, a in rnn.state_dict().items()} == {
        "weight_ih_l0": (H, I), "weight_hh_l0": (H, H), "bias_ih_l0": (H,), "bias_hh_l0": (H,),
        "weight_ho": (O, H), "weight_xo": (O, I), "bias_o": (O,),
    }  # fmt: skip
    assert {name: a.shape for name, a in gru.state_dict().items()} == {
        "weight_ih_l0": (3 * H, I), "weight_gh_l0": (2 * H, H), "weight_hh_l0": (H, H),
        "bias_ih_l0": (3 * H,),
    }  # fmt: skip
    assert {name: a.shape for name, a in lstm.state_dict().items()} == {
        "weight_ih_l0": (4 * H, I), "weight_gh_l0": (4 * H, H), "weight_ch_l0": (4 * H, H),
        "bias_ih_l0": (4 * H,),
    }  # fmt: skip
    o, h_n = rnn(x)
    assert (o.shape, h_n.shape) == ((T, B, O), (1, B, H))
    y, (h, z) = gru(x)
    assert y.shape == (T, B, H)
    assert h.shape == z.shape == (1, B, H)
    y, (h, c, i, f) = lstm(x)
    assert y.shape == (T, B, H)
    assert h.shape == c.shape == i.shape == f.shape == (1, B, H)
    assert_same_bits(h[0], y[-1])
    for module, state in ((rnn, h_n), (lstm, (h, c, i, f))):  # what it returned, it takes
        assert module(x, state)[0].shape[:2] == (T, B)
    assert "output_size=4" in repr(rnn)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("first", [True, False])
def test_an_output_layer_sees_the_input_of_its_own_layer(
    direction: str, num_layers: int, first: bool
) -> None:
    """Wherever in the model it is, in whatever chunks of time, next to another of its kind."""
    rng = np.random.default_rng(2)
    stack: dict[str, Any] = {"num_layers": num_layers, "direction": direction}
    sizes = [(H, stack), (9, {})] if first else [(9, {}), (H, stack)]
    layers = [strategies.make_linear(rng, I, O)] + [
        strategies.make_recurrent(rng, "rnn", O, hidden, gain=0.5, output_layer=O, **options)
        for hidden, options in sizes
    ]
    spec = ModelSpec(tuple(layers[first:]))
    for time in (3, 150):
        x = random_input(spec, time, B, rng)
        check(spec, x, lengths=[time, time - 2, 1], matmul="packed", num_threads=2)


# Other cells' equations on the same weights are far away


def standard_gru(w: dict[str, AnyArray]) -> Recurrent:
    """The standard GRU on a gate-recurrent one's weights: its gates recur on h."""
    weights = {
        "weight_ih_l0": w["weight_ih_l0"],
        "weight_hh_l0": np.concatenate([w["weight_gh_l0"], w["weight_hh_l0"]]),
        "bias_ih_l0": w["bias_ih_l0"],
        "bias_hh_l0": np.zeros_like(w["bias_ih_l0"]),
    }
    return Recurrent("gru", I, H, weights, reset_after=False)


def test_the_article_gru_is_not_the_standard_one() -> None:
    """Neither with z and 1 - z exchanged: its gates recur on z."""
    spec, x, _ = make("gru")
    w = dict(spec.recurrents[0].arrays)
    y, _ = rn.reference.run(spec, x)
    turned = {name: np.array(a) for name, a in w.items()}
    for name in ("weight_ih_l0", "bias_ih_l0", "weight_gh_l0"):
        turned[name][H : 2 * H] *= -1  # sigmoid(-a) = 1 - sigmoid(a)
    for weights in (w, turned):
        other, _ = rn.reference.run(ModelSpec((standard_gru(weights),)), x)
        assert np.abs(other - y).max() > 0.05


def test_the_article_gru_with_dead_recurrent_gates_is_the_standard_one_turned() -> None:
    """Where nothing recurs on z, only the mixing tells the two apart: z for 1 - z."""
    spec, x, _ = make("gru")
    w = {name: np.array(a) for name, a in spec.recurrents[0].arrays.items()}
    w["weight_gh_l0"][...] = 0
    y, _ = rn.reference.run(ModelSpec((Recurrent("gru", I, H, w, gate_recurrent=True),)), x)
    turned = {name: np.array(a) for name, a in w.items()}
    for name in ("weight_ih_l0", "bias_ih_l0"):
        turned[name][H : 2 * H] *= -1
    other, _ = rn.reference.run(ModelSpec((standard_gru(turned),)), x)
    assert_equal(y, other)
    plain, _ = rn.reference.run(ModelSpec((standard_gru(w),)), x)
    assert np.abs(plain - y).max() > 0.05


def test_the_article_lstm_is_not_a_peephole_lstm() -> None:
    """Gates on gates are not gates on h, even where the peepholes are diagonal; o sees c_{t-1}."""
    spec, x, _ = make("lstm")
    w = {name: np.array(a) for name, a in spec.recurrents[0].arrays.items()}
    diagonals = {}
    for gate, name in enumerate("ifgo"):
        block = rows(w["weight_ch_l0"], gate)
        block[...] = 0 if name == "g" else np.diag(np.diag(block))
        diagonals[f"weight_c{name}_l0"] = np.diag(block).copy()
    del diagonals["weight_cg_l0"]

    def both(recurrent: AnyArray) -> tuple[AnyArray, AnyArray]:
        ours = {**w, "weight_gh_l0": recurrent}
        theirs = {
            "weight_ih_l0": w["weight_ih_l0"], "weight_hh_l0": recurrent,
            "bias_ih_l0": w["bias_ih_l0"], "bias_hh_l0": np.zeros(4 * H), **diagonals,
        }  # fmt: skip
        specs = (
            Recurrent("lstm", I, H, ours, gate_recurrent=True),
            Recurrent("lstm", I, H, theirs, peephole=True),
        )
        y, other = (rn.reference.run(ModelSpec((layer,)), x)[0] for layer in specs)
        return y, other

    y, other = both(w["weight_gh_l0"])
    assert np.abs(other - y).max() > 0.05
    y, other = both(np.zeros((4 * H, H)))  # only the output gate's peephole differs
    assert np.abs(other - y).max() > 0.01


def test_h_is_no_part_of_the_recurrence_of_the_article_lstm() -> None:
    spec, x, arrays = make("lstm")
    for model in (lambda *a: rn.reference.run(spec, *a), rn.Model(spec, dtype="float64")):
        y, final = model(x, tuple(arrays))
        again, final_again = model(x, (arrays[0] + 0.5, *arrays[1:]))
        assert_same_bits(again, y)
        for a, b in zip(final, final_again, strict=True):
            assert_same_bits(a, b)


# What is refused


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (rn.GRU, {"gate_recurrent": True, "reset_after": False}, "reset_after: a gate_recurrent"),
        (rn.LSTM, {"gate_recurrent": True, "proj_size": 2}, "proj_size: a gate_recurrent 'lstm'"),
        (rn.LSTM, {"gate_recurrent": True, "peephole": True}, "peephole: a gate_recurrent 'lstm'"),
        (rn.RNN, {"gate_recurrent": True}, "gate_recurrent: only the cell 'gru' or 'lstm'"),
        (rn.RNN, {"output_nonlinearity": "tanh"}, "output_nonlinearity: there is no output_layer"),
        (rn.GRU, {"output_layer": 2}, "output_layer: only the cell 'rnn' has it"),
        (rn.LSTM, {"output_nonlinearity": "tanh"}, "output_nonlinearity: only the cell 'rnn'"),
    ],
)
def test_options_that_a_cell_does_not_have(
    kind: Callable[..., Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(rn.UnsupportedError, match=message):
        kind(2, 3, **options)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (rn.RNN, {"output_size": 0}, "output_size: expected 1 to .*, got 0"),
        (rn.RNN, {"output_size": True}, "output_size: expected an integer, got True"),
        (rn.RNN, {"output_size": 2.0}, "output_size: expected an integer, got 2.0"),
        (rn.RNN, {"output_size": 2, "output_nonlinearity": "gelu"}, "expected .*softmax.*gelu"),
        (rn.GRU, {"gate_recurrent": 1}, "gate_recurrent: expected True or False, got 1"),
        (rn.LSTM, {"gate_recurrent": "yes"}, "gate_recurrent: expected True or False, got 'yes'"),
    ],
)
def test_values_that_an_option_cannot_have(
    kind: Callable[..., Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(rn.OptionError, match=message):
        kind(2, 3, **options)


def test_an_output_size_of_a_module_without_output_layer() -> None:
    for kind in (rn.GRU, rn.LSTM):
        with pytest.raises(rn.OptionError, match="unexpected option output_size"):
            kind(2, 3, output_size=2)


@pytest.mark.parametrize(("cell", "count"), [("gru", 2), ("lstm", 4)])
def test_a_state_has_all_its_arrays_in_their_shapes(cell: str, count: int) -> None:
    spec, x, arrays = make(cell)
    model = rn.Model(spec, dtype="float64")
    assert len(arrays) == count
    for state in (arrays[0], arrays[:-1], [*arrays, arrays[0]], ()):
        with pytest.raises(rn.ShapeError, match=f"expected a tuple of {count} arrays, got"):
            model(x, state)
    for k in range(count):
        wrong = [a[..., :-1] if j == k else a for j, a in enumerate(arrays)]
        with pytest.raises(rn.ShapeError, match=rf"array {k}: expected .*{H}\), got .*{H - 1}\)"):
            model(x, wrong)
