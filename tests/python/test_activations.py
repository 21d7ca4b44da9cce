"""Activations of cells with their constants, clip and coupled gates: what is taken, what is
refused, that each has an effect, and the functions themselves in the core."""

from __future__ import annotations

import pickle
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, AnyArray, check

import rnn_native as rn
from rnn_native.activations import CONSTANTS
from rnn_native.cells import NONLINEARITIES
from rnn_native.formats import metadata
from rnn_native.spec import STANDARD, Activation, ModelSpec, Recurrent

CELLS = ("rnn", "gru", "lstm")
TANH, SIGMOID, RELU = Activation("tanh"), Activation("sigmoid"), Activation("relu")
ELU, SOFTSIGN = Activation("elu", 0.5), Activation("softsign")


def some(name: str) -> Activation:
    """That activation, with constants where it takes them."""
    return Activation(name, **constants_of(name))


def constants_of(name: str, sign: float = 1.0) -> dict[str, float]:
    numbers = (-0.25, 0.5) if name == "clip" else (0.75 * sign, 0.5)
    return dict(zip(CONSTANTS[name], numbers, strict=False))


def layer(cell: str = "lstm", **options: Any) -> Recurrent:
    return strategies.make_recurrent(np.random.default_rng(1), cell, 5, 7, **options)


def output(*layers: Recurrent) -> AnyArray:
    """Of inputs that are large enough to meet every bound and bend."""
    x = np.random.default_rng(2).standard_normal((6, 4, 5)).astype(np.float32)
    return rn.Model(ModelSpec(layers))(2 * x)[0]


def assert_all_differ(outputs: list[AnyArray]) -> None:
    """By more than any rounding: these are numbers of order 1."""
    for a, b in combinations(outputs, 2):
        assert float(np.max(np.abs(a - b))) > 1e-3


# What an Activation is


@pytest.mark.parametrize(
    ("given", "alpha", "beta"),
    [
        (Activation("affine"), 1.0, 0.0),
        (Activation("affine", beta=2), 1.0, 2.0),
        (Activation("leaky_relu"), 0.01, None),
        (Activation("thresholded_relu"), 1.0, None),
        (Activation("hard_sigmoid"), 0.2, 0.5),
        (Activation("hard_sigmoid", np.float32(0.25)), 0.25, 0.5),
        (Activation("elu"), 1.0, None),
        (Activation("scaled_tanh", 2, np.float64(3)), 2.0, 3.0),
        (Activation("softplus"), None, None),
    ],
    ids=str,
)
def test_constants_are_those_given_or_the_operators(
    given: Activation, alpha: float | None, beta: float | None
) -> None:
    assert (given.alpha, given.beta) == (alpha, beta)
    assert all(type(v) is float for v in given.constants)
    assert given == Activation(given.name, alpha, beta)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("swish",), "name: expected one of identity, .*; got 'swish'"),
        (("Tanh",), "name: .*got 'Tanh'"),
        (("tanh", 1.0), "tanh alpha: expected none, tanh takes none; got 1.0"),
        (("leaky_relu", 0.1, 0.2), "leaky_relu beta: expected none"),
        (("scaled_tanh",), "scaled_tanh alpha: expected a finite number, got None"),
        (("scaled_tanh", 1.0), "scaled_tanh beta: expected a finite number, got None"),
        (("elu", float("nan")), "elu alpha: expected a finite number, got nan"),
        (("elu", float("inf")), "elu alpha: .*got inf"),
        (("elu", 10**400), "elu alpha: expected a finite number"),
        (("elu", True), "elu alpha: .*got True"),
        (("elu", "1"), "elu alpha: .*got '1'"),
    ],
)
def test_an_activation_that_is_not_right_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(rn.OptionError, match=f"Activation {message}"):
        Activation(*arguments)


# What a Recurrent makes of them


@pytest.mark.parametrize("direction", rn.spec.DIRECTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_standard_ones_are_none(cell: str, direction: str) -> None:
    plain = layer(cell, direction=direction)
    for times in (1, plain.num_directions):
        stated = layer(cell, direction=direction, activations=STANDARD[cell] * times)
        assert stated.options == plain.options
        assert stated.activations is None
        assert metadata.describe(stated) == metadata.describe(plain)


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_one_of_an_rnn_is_its_nonlinearity(name: str) -> None:
    stated = layer("rnn", direction="bidirectional", activations=[Activation(name)])
    assert stated.options == layer("rnn", direction="bidirectional", nonlinearity=name).options
    assert stated.activations_of(0) == stated.activations_of(1) == (Activation(name),)


@pytest.mark.parametrize("cell", CELLS)
def test_all_directions_are_stored(cell: str) -> None:
    count = len(STANDARD[cell])
    one = (ELU, SOFTSIGN, RELU)[:count]
    both = layer(cell, direction="bidirectional", activations=list(one))
    assert both.activations == one * 2
    two = layer(cell, direction="bidirectional", activations=one + STANDARD[cell])
    assert two.activations == one + STANDARD[cell]
    assert (two.activations_of(0), two.activations_of(1)) == (one, STANDARD[cell])
    again = pickle.loads(pickle.dumps(two))
    assert again.options == two.options


@pytest.mark.parametrize(
    ("cell", "options", "error", "message"),
    [
        ("lstm", {"activations": (TANH,)}, rn.OptionError, r"expected 3, or 3 for each .*; got 1"),
        ("gru", {"activations": (TANH,) * 4}, rn.OptionError, r"expected 2, .*\(1\), .*; got 4"),
        ("rnn", {"activations": ()}, rn.OptionError, r"expected a tuple of Activations, got \(\)"),
        ("rnn", {"activations": ("tanh",)}, rn.OptionError, r"of Activations, got \('tanh',\)"),
        ("rnn", {"activations": "tanh"}, rn.OptionError, "of Activations, got 'tanh'"),
        ("rnn", {"activations": TANH}, rn.OptionError, r"of Activations, got Activation\(name"),
        (
            "rnn",
            {"activations": (ELU,), "nonlinearity": "relu"},
            rn.OptionError,
            "expected none beside nonlinearity='relu'",
        ),
        (
            "rnn",
            {"activations": (ELU,), "output_layer": 2},
            rn.UnsupportedError,
            "an 'rnn' with an output_layer has no such option",
        ),
        (
            "rnn",
            {"clip": 1.0, "output_layer": 2},
            rn.UnsupportedError,
            "an 'rnn' with an output_layer",
        ),
        (
            "gru",
            {"activations": (TANH, TANH), "gate_recurrent": True},
            rn.UnsupportedError,
            "a gate_recurrent 'gru' has no such option",
        ),
        ("lstm", {"clip": 1.0, "gate_recurrent": True}, rn.UnsupportedError, "a gate_recurrent"),
        (
            "lstm",
            {"input_forget": True, "gate_recurrent": True},
            rn.UnsupportedError,
            "a gate_recurrent",
        ),
        ("gru", {"input_forget": True}, rn.UnsupportedError, "only the cell 'lstm' has it"),
        ("gru", {"cell_clip": 1.0}, rn.UnsupportedError, "only the cell 'lstm' has it"),
        ("lstm", {"cell_clip": 0}, rn.OptionError, "expected a number above 0, or None; got 0"),
        ("lstm", {"input_forget": 1}, rn.OptionError, "expected True or False, got 1"),
        ("lstm", {"clip": 0}, rn.OptionError, "expected a number above 0, or None; got 0"),
        ("lstm", {"clip": -1.0}, rn.OptionError, "expected a number above 0"),
        ("lstm", {"clip": float("inf")}, rn.OptionError, "expected a finite number, got inf"),
        ("lstm", {"clip": float("nan")}, rn.OptionError, "expected a finite number, got nan"),
        ("lstm", {"clip": True}, rn.OptionError, "expected a finite number, got True"),
        ("lstm", {"clip": "1"}, rn.OptionError, "expected a finite number, got '1'"),
    ],
)
def test_options_that_are_not_right_are_refused(
    cell: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    (name, *_) = options
    with pytest.raises(error, match=f"Recurrent {name}: .*{message}"):
        layer(cell, **options)


def test_a_constant_past_float32_needs_float64() -> None:
    large = layer("rnn", activations=(Activation("affine", 1e39, 0.0),))
    with pytest.raises(rn.UnsupportedError, match=r"affine with the constant 1e\+39: float32 ends"):
        rn.Model(ModelSpec((large,)))
    alone = [layer("rnn"), rn.Elementwise("elu", 1e39)]
    with pytest.raises(rn.UnsupportedError, match="layer 1, elementwise: elu with the constant"):
        rn.Model(alone)
    y, _ = rn.Model(ModelSpec((large,)), dtype="float64")(np.zeros((1, 1, 5)))
    expected = rn.reference.run(ModelSpec((large,)), np.zeros((1, 1, 5)))[0]
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"activations": (ELU, TANH, TANH)},
        {"clip": 1.0},
        {"input_forget": True},
        {"cell_clip": 1.0},
    ],
)
def test_training_refuses_them_by_name(options: dict[str, Any]) -> None:
    spec = strategies.make_spec(np.random.default_rng(3), "lstm", 3, 4, **options)
    (name,) = options
    with pytest.raises(rn.UnsupportedError, match=rf"layer 0 \(lstm\): {name}=.* be trained"):
        rn.train.Network(spec)


# Effects


@pytest.mark.parametrize(
    ("cell", "which"), [(c, i) for c in CELLS for i in range(len(STANDARD[c]))]
)
def test_each_activation_counts_where_it_is(cell: str, which: int) -> None:
    def with_one(name: str) -> Recurrent:
        chosen = list(STANDARD[cell])
        chosen[which] = some(name)
        return layer(cell, activations=tuple(chosen), clip=2.0)

    # gelu_tanh is off from gelu by less than 1e-3: their values alone are told apart, in float64
    names = [name for name in strategies.ANYWHERE if name != "gelu_tanh"]
    assert_all_differ([output(with_one(name)) for name in names])


@pytest.mark.parametrize("name", [name for name in strategies.ANYWHERE if CONSTANTS[name]])
def test_each_constant_counts(name: str) -> None:
    """Bounded, so that gates that are not do not hide what differs."""
    constants = dict.fromkeys(CONSTANTS[name], 0.5)
    changed = {"alpha": 0.25, "beta": 0.75}
    sets = [constants, *({**constants, one: changed[one]} for one in constants)]
    for which in range(3):
        chosen = [[*STANDARD["lstm"]] for _ in sets]
        for activations, values in zip(chosen, sets, strict=True):
            activations[which] = Activation(name, **values)
        assert_all_differ([output(layer(activations=tuple(c), clip=2.0)) for c in chosen])


@pytest.mark.parametrize("cell", CELLS)
def test_each_direction_has_its_own(cell: str) -> None:
    one, other = STANDARD[cell], (ELU, SOFTSIGN, RELU)[: len(STANDARD[cell])]
    ys = {
        (a, b): output(layer(cell, direction="bidirectional", activations=a + b))
        for a in (one, other)
        for b in (one, other)
    }
    assert_all_differ(list(ys.values()))
    np.testing.assert_allclose(ys[one, one][..., :7], ys[one, other][..., :7], atol=1e-6)
    np.testing.assert_allclose(ys[other, other][..., 7:], ys[one, other][..., 7:], atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_clip_counts(cell: str) -> None:
    ys = [output(layer(cell, clip=clip)) for clip in (None, 0.25, 0.5)]
    assert_all_differ(ys)
    far = output(layer(cell, clip=1e30))  # the general path, and no bound that anything meets
    np.testing.assert_allclose(far, ys[0], rtol=0, atol=1e-6)


def test_clip_bounds_what_h_is_made_of() -> None:
    """f and o are 1 with inputs of 50, so that c stays 60, and only the input of h is bounded."""
    w = {"weight_ih_l0": np.zeros((4, 1)), "weight_hh_l0": np.zeros((4, 1))}
    w |= {"bias_ih_l0": np.array([-50.0, 50, 0, 50]), "bias_hh_l0": np.zeros(4)}
    activations = (SIGMOID, TANH, Activation("identity"))
    spec = ModelSpec((Recurrent("lstm", 1, 1, w, clip=50.0, activations=activations),))
    state = np.zeros((1, 1, 1)), np.full((1, 1, 1), 60.0)
    for run in (rn.Model(spec, dtype="float64"), lambda *a: rn.reference.run(spec, *a)):
        y, (_, c) = run(np.zeros((1, 1, 1)), state)
        np.testing.assert_allclose([y.item(), c.item()], [50.0, 60.0], rtol=1e-12)


def test_input_forget_counts() -> None:
    plain, coupled = layer(), layer(input_forget=True)
    assert_all_differ([output(plain), output(coupled)])
    inside = rn.Model(ModelSpec((coupled,))).trace(np.ones((3, 2, 5), np.float32))
    np.testing.assert_array_equal(inside["f_l0"], 1 - inside["i_l0"])
    weights = {name: a.copy() for name, a in coupled.arrays.items()}
    for a in weights.values():
        a[7:14] = np.nan  # f's rows have no effect, whatever is in them
    without = Recurrent(weights=weights, **coupled.options)
    np.testing.assert_array_equal(output(without), output(coupled))


def test_cell_clip_bounds_what_h_is_made_of_and_what_goes_on() -> None:
    """i, f, o and g are 1 with inputs of 50, so that c grows by 1 a step, up to the bound."""
    w = {"weight_ih_l0": np.zeros((4, 1)), "weight_hh_l0": np.zeros((4, 1))}
    w |= {"bias_ih_l0": np.full(4, 50.0), "bias_hh_l0": np.zeros(4)}
    activations = (SIGMOID, TANH, Activation("identity"))
    for state, expected in ((0.0, [1, 2, 2.5, 2.5]), (-60.0, [-2.5, -1.5, -0.5, 0.5])):
        spec = ModelSpec((Recurrent("lstm", 1, 1, w, cell_clip=2.5, activations=activations),))
        begin = np.zeros((1, 1, 1)), np.full((1, 1, 1), state)
        x = np.zeros((4, 1, 1))
        model = rn.Model(spec, dtype="float64")
        for y, (_, c) in (model(x, begin), rn.reference.run(spec, x, begin)):
            np.testing.assert_allclose(y[:, 0, 0], expected, rtol=1e-12)
            np.testing.assert_allclose(c.item(), expected[-1], rtol=1e-12)


def test_a_cell_clip_that_nothing_meets_changes_nothing() -> None:
    far = output(layer(cell_clip=1e30))  # the general path
    np.testing.assert_allclose(far, output(layer()), rtol=0, atol=1e-6)


# The functions themselves


def copies(activation: Activation, values: AnyArray, **options: Any) -> tuple[ModelSpec, AnyArray]:
    """A network whose outputs are that function of the values, and its inputs: as many units as
    there are values, so that each is met in every place of a vector."""
    count = len(values)
    w = {"weight_ih_l0": np.eye(count), "weight_hh_l0": np.zeros((count, count))}
    one = Recurrent("rnn", count, count, w, bias=False, activations=(activation,), **options)
    turned = np.stack([np.roll(values, shift) for shift in range(0, count, 5)])
    return ModelSpec((one,)), turned[None]


GRID = np.concatenate([s * np.logspace(-6, 2, 24) for s in (-1.0, 1.0)] + [np.zeros(3)])


def grid(name: str) -> AnyArray:
    """Numbers that are in the function's domain, and whose results are numbers of float32."""
    if name in ("log", "sqrt", "reciprocal", "pow"):
        return GRID[GRID > 0]
    return GRID[np.abs(GRID) < 88] if name == "exp" else GRID


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip", [None, 1.5])
@pytest.mark.parametrize("name", CONSTANTS)
def test_values_of_each_activation(name: str, clip: float | None, dtype: str) -> None:
    for sign in (1.0, -1.0):
        spec, x = copies(Activation(name, **constants_of(name, sign)), grid(name), clip=clip)
        check(spec, x.astype(np.float32), dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CONSTANTS)
def test_what_is_not_finite(name: str, dtype: str) -> None:
    spec, x = copies(some(name), np.array([np.nan, np.inf, -np.inf, 0.0, 1e30, -1e30, 1.0]))
    # each value alone: an identity matrix multiplies the others by 0, and 0 * inf is no number
    w = {"weight_ih_l0": np.ones((1, 1)), "weight_hh_l0": np.zeros((1, 1))}
    alone = Recurrent("rnn", 1, 1, w, bias=False, activations=spec.recurrents[0].activations)
    rows = x[0, 0].reshape(1, -1, 1).astype(dtype)
    got, _ = rn.Model(ModelSpec((alone,)), dtype=dtype)(rows)
    want, _ = rn.reference.run(ModelSpec((alone,)), rows)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    assert np.isnan(got[0, 0, 0])
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    np.testing.assert_allclose(got[finite], want[finite], rtol=1e-6)


# Files


def test_a_line_without_them_is_what_it_was() -> None:
    sizes = "input_size=5 hidden_size=7 num_layers=1 direction=forward bias=true"
    for cell, own in (
        ("rnn", "nonlinearity=tanh"),
        ("gru", "reset_after=true"),
        ("lstm", "proj_size=0 peephole=false"),
    ):
        assert metadata.describe(layer(cell)) == f"recurrent cell={cell} {sizes} {own}"


def test_the_longest_line_fits(tmp_path: Any) -> None:
    """Every number that has a text of full length, in the file and in the core."""
    number = -(2.0**-1021) * (1 - 2.0**-50)
    longest = Activation("scaled_tanh", number, number)
    one = layer(
        direction="bidirectional", activations=(longest,) * 3, input_forget=True, clip=number + 1
    )
    line = metadata.describe(one)
    widest = line.replace("=5", "=16777216").replace("=7", "=16777216").replace("=1 ", "=16777216 ")
    assert len(widest) + len("16777215") + len("0.123456789abcd-1022") < 768
    path = tmp_path / "long.safetensors"
    rn.Model(ModelSpec((one,))).save(path)
    (again,) = rn.load(path).spec.layers
    assert isinstance(again, Recurrent)
    assert again.options == one.options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("activations=tanh,tanh", "expected 3, or 3 for each direction"),
        ("activations=tanh,tanh,swish", "expected one of identity, .*; got 'swish'"),
        ("activations=tanh,tanh,elu", "expected 1 numbers after elu, got 0"),
        ("activations=tanh,tanh,elu:1", "expected a finite number like .*, got '1'"),
        ("activations=tanh,tanh,elu:inf", "got 'inf'"),
        ("activations=tanh,tanh,elu:0x1.80p+0", "got '0x1.80p"),
        ("activations=tanh,tanh,elu:-0x0p+0", "got '-0x0p"),
        ("activations=tanh,tanh,elu:0x1p+1024", "got '0x1p"),
        ("clip=0x0p+0", "expected a number above 0"),
        ("clip=-0x1p+0", "expected a number above 0"),
        ("clip=1.0", "expected a finite number like"),
        ("input_forget=false", "expected true, or no such key; got 'false'"),
        ("nonlinearity=tanh", "expected the keys"),
    ],
)
def test_texts_that_are_not_right_are_refused(text: str, message: str) -> None:
    plain = layer()
    strings = metadata.to_metadata(ModelSpec((plain,)))
    strings["rnn_native.layer.0"] += f" {text}"
    with pytest.raises(rn.FormatError, match=f"layer 0.*{message}"):
        metadata.from_metadata(strings, metadata.to_arrays(ModelSpec((plain,))))
