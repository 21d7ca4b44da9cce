"""``rn.quantize``: the model that it gives, and that its report says what a user would measure."""

from __future__ import annotations

import doctest
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import assert_same_bits
from numpy.typing import NDArray
from strategies import make_linear, make_recurrent, make_spec

import rnn_native as rn
from rnn_native import _core, quantizing
from rnn_native.quantizing import Difference, Quantized, differences
from rnn_native.spec import ModelSpec
from rnn_native.weight_types import WEIGHT_DTYPES

RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "gru", 6, 16, num_recurrents=2, out_features=3)
X = RNG.standard_normal((40, 5, 6)).astype(np.float32)
HALVES = ("float16", "bfloat16")
each_type = pytest.mark.parametrize("name", WEIGHT_DTYPES)


def difference(signal: Any, other: Any) -> Difference:
    """As a user would calculate it."""
    off = np.asarray(other, np.float64) - signal
    return Difference(
        float(np.abs(off).max()),
        float(np.sqrt(np.mean(off**2))),
        float(np.sqrt(np.mean(np.asarray(signal, np.float64) ** 2))),
    )


def assert_is(got: Difference | None, want: Difference) -> None:
    assert got is not None
    for name in ("largest", "rms", "signal"):
        assert getattr(got, name) == pytest.approx(getattr(want, name), rel=1e-9)


def graph() -> ModelSpec:
    """Of features, indices and an input without time, with two outputs and a stride."""
    rng = np.random.default_rng(3)
    nodes = {
        "conv": (rn.Conv1d(rng.standard_normal((8, 4, 3)) / 4, stride=2), "mel"),
        "encoder": (make_recurrent(rng, "lstm", 8, 12, direction="bidirectional"), "conv"),
        "who": (strategies.make_embedding(rng, 5, 6), "speaker"),
        "wide": (make_linear(rng, 6, 24), "who"),
        "both": (rn.Concat(), ("encoder.last", "wide")),
        "label": (make_linear(rng, 48, 3), "both"),
        "frame": (make_linear(rng, 24, 2), "encoder"),
    }
    return ModelSpec(
        nodes=nodes, inputs={"mel": 4, "speaker": rn.Static()}, outputs=("label", "frame")
    )


def graph_input(time: int = 31, rows: int = 3) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(4)
    mel = rng.standard_normal((time, rows, 4)).astype(np.float32)
    return {"mel": mel, "speaker": rng.integers(0, 5, rows)}


# The model


@each_type
def test_the_model_is_that_of_the_weight_dtype(name: str) -> None:
    model = rn.Model(SPEC, batch_first=True, num_threads=1)
    x = np.swapaxes(X, 0, 1)
    made = rn.quantize(model, name, x, keep=["1"], rounding="nearest")
    assert (made.model.weight_dtype, made.kept, made.model.keep) == (name, ("1",), ("1",))
    assert (made.model.batch_first, made.model.num_threads) == (True, 1)
    want = rn.Model(SPEC, batch_first=True, weight_dtype=name, keep=("1",))
    assert_same_bits(made.model(x)[0], want(x)[0])
    assert made.memory == (model.memory, want.memory)
    assert model.weight_dtype is None  # it is as it was


def test_whatever_a_model_is_made_of_is_taken() -> None:
    lstm = rn.LSTM(6, 4, batch_first=True)
    x = np.swapaxes(X, 0, 1)
    for model in (lstm, lstm.model):
        assert rn.quantize(model, "float16", x).model.batch_first
    assert not rn.quantize(lstm.spec, "float16", X).model.batch_first
    assert rn.quantize([lstm, rn.Last()], "float16", x, batch_first=True).outputs["y"].sqnr > 60
    wide = rn.Model(lstm, dtype="float64")
    assert rn.quantize(wide, "float16", X).model.dtype == np.float32


def test_what_a_spec_keeps_stays_kept_unless_it_is_said() -> None:
    kept = SPEC.having(keep=["0", "2"])
    assert rn.quantize(kept, "float16", X).kept == ("0", "2")
    assert rn.quantize(kept, "float16", X, keep=()).kept == ()
    assert rn.quantize(rn.Model(kept), "float16").kept == ("0", "2")


# What the report says


@each_type
def test_each_layer_alone_and_all_together_are_what_models_give(name: str) -> None:
    names = list(SPEC.nodes)
    made = rn.quantize(SPEC, name, X, keep=["2"], rounding="nearest")
    assert [layer.name for layer in made.layers] == names
    for index, layer in enumerate(made.layers):
        first = ModelSpec(SPEC.layers[: index + 1])
        others = [other for other in names[:index] if other != layer.name]
        before, _ = rn.Model(first)(X)
        after, _ = rn.Model(first, weight_dtype=name, keep=others)(X)
        assert_is(layer.own, difference(before, after))
        result = [other for other in names[: index + 1] if other == "2"]
        after, _ = rn.Model(first, weight_dtype=name, keep=result)(X)
        assert_is(layer.result, difference(before, after))
        others = [other for other in names if other != layer.name]
        after, _ = rn.Model(SPEC, weight_dtype=name, keep=others)(X)
        want = difference(rn.Model(SPEC)(X)[0], after)
        assert layer.alone is not None
        assert list(layer.alone) == ["y"]
        assert_is(layer.alone["y"], want)
        assert layer.effect == layer.alone["y"].relative
        assert layer.kept == (layer.name == "2")
    assert_is(made.outputs["y"], difference(rn.Model(SPEC)(X)[0], made.model(X)[0]))
    assert made.sqnr == made.outputs["y"].sqnr
    assert made.outputs["y"].sqnr == -20 * math.log10(made.outputs["y"].relative)


@each_type
def test_weights_are_compared_as_they_are_stored(name: str) -> None:
    made = rn.quantize(SPEC, name)
    stored = rn.reference.stored(SPEC, name)
    for layer, before, after in zip(made.layers, SPEC.layers, stored.layers, strict=True):
        pairs = [(before.arrays[n].ravel(), after.arrays[n].ravel()) for n in before.packed()]
        signal, other = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
        assert_is(layer.weights, difference(signal, other))
        assert layer.parameters == signal.size
        assert (layer.own, layer.alone, layer.result) == (None, None, None)
        assert layer.effect == layer.weights.relative
    assert (made.outputs, made.drift, made.sqnr) == ({}, {}, None)


@each_type
def test_drift_is_that_of_traces(name: str) -> None:
    spec = make_spec(np.random.default_rng(1), "lstm", 6, 8, direction="bidirectional")
    made = rn.quantize(spec, name, X)
    before, after = rn.Model(spec).trace(X), made.model.trace(X)
    assert set(made.drift) == {"h_l0", "c_l0", "h_l0_reverse", "c_l0_reverse"}
    for state, drift in made.drift.items():
        assert drift.first == tuple(range(0, 40, 2))
        for first, relative in zip(drift.first, drift.relative, strict=True):
            steps = slice(first, first + 2)
            want = difference(before[state][steps], after[state][steps])
            assert relative == pytest.approx(want.relative, rel=1e-9)
        assert drift.growth == drift.relative[-1] / drift.relative[0]


@pytest.mark.parametrize("name", HALVES)
def test_what_a_type_has_already_differs_in_nothing(name: str) -> None:
    made = rn.quantize(rn.reference.stored(SPEC, name), name, X)
    assert made.sqnr == math.inf
    for layer in made.layers:
        for one in (layer.weights, layer.own, layer.result):
            assert one is not None
            assert (one.largest, one.rms, one.relative, one.sqnr) == (0, 0, 0, math.inf)
            assert one.signal > 0.01
    for drift in made.drift.values():
        assert not any(drift.relative)
        assert drift.growth == 1


def test_the_float32_model_is_what_is_compared_with() -> None:
    """Rounding to float16 is about 2^-12 of a weight, to bfloat16 eight times that."""
    fine, coarse = (rn.quantize(SPEC, name, X) for name in HALVES)
    for a, b in zip(fine.layers, coarse.layers, strict=True):
        assert 2**-14 < a.weights.relative < 2**-11
        assert 6 < b.weights.relative / a.weights.relative < 10
        assert 3 < b.effect / a.effect < 20


# Inputs


@pytest.mark.parametrize("name", HALVES)
def test_inputs_of_a_list_add_up(name: str) -> None:
    parts = [X[:25], X[25:, :2], X[:1, :1]]
    made = rn.quantize(SPEC, name, parts)
    pairs = [[model(x)[0].ravel() for x in parts] for model in (rn.Model(SPEC), made.model)]
    signal, other = map(np.concatenate, pairs)
    assert_is(made.outputs["y"], difference(signal, other))
    assert made.drift["0.h_l0"].first == tuple(range(0, 25, 2))
    again = rn.quantize(SPEC, name, tuple(parts[::-1]))
    assert_is(again.outputs["y"], made.outputs["y"])


def test_padding_counts_nowhere() -> None:
    lengths = [40, 13, 1, 0, 7]
    poisoned = strategies.poison_padding(X, lengths)
    made = rn.quantize(SPEC, "bfloat16", poisoned, lengths=lengths)
    rows = [(rn.Model(SPEC)(X[:n, i : i + 1])[0], made.model(X[:n, i : i + 1])[0])
            for i, n in enumerate(lengths) if n]  # fmt: skip
    signal, other = (np.concatenate([y.ravel() for y in ys]) for ys in zip(*rows, strict=True))
    assert_is(made.outputs["y"], difference(signal, other))
    listed = rn.quantize(SPEC, "bfloat16", [poisoned, X[:3]], lengths=[lengths, None])
    apart = rn.quantize(SPEC, "bfloat16", [X[:n, i : i + 1] for i, n in enumerate(lengths) if n]
                        + [X[:3]])  # fmt: skip
    assert_is(listed.outputs["y"], apart.outputs["y"])
    assert listed.layers[0].own is not None
    assert_is(apart.layers[0].own, listed.layers[0].own)
    masked = ModelSpec(SPEC.layers, -5.0)
    data = X.copy()
    data[13:, 1:] = -5.0
    told = rn.quantize(masked, "bfloat16", data)
    want = rn.quantize(SPEC, "bfloat16", X, lengths=[40, 13, 13, 13, 13])
    assert_is(told.outputs["y"], want.outputs["y"])


@each_type
def test_graphs_of_several_inputs_and_outputs(name: str) -> None:
    spec, x = graph(), graph_input()
    made = rn.quantize(
        spec, name, [x, graph_input(12, 2)], lengths=[[31, 9, 4], None], rounding="nearest"
    )
    assert {"conv", "encoder", "wide", "label", "frame"} <= {each.name for each in made.layers}
    assert list(made.outputs) == ["label", "frame"]
    assert set(made.drift) == {f"encoder.{s}_l0{d}" for s in "hc" for d in ("", "_reverse")}
    for layer in made.layers:
        assert layer.alone is not None
        assert all(0 <= one.relative < 0.2 for one in layer.alone.values())
        assert layer.own is not None
        assert 0 < layer.own.relative < 0.2
        # what lies past a node does not hear of it
        assert (layer.alone["frame"].rms == 0) == (layer.name in ("who", "wide", "label"))
    alone = rn.quantize(spec, name, x, rounding="nearest")
    ys = [model(x)[0] for model in (rn.Model(spec), alone.model)]
    for output, one in alone.outputs.items():
        assert_is(one, difference(ys[0][output], ys[1][output]))
    first = ModelSpec(nodes={"conv": spec.nodes["conv"]}, inputs={"mel": 4}, outputs="conv")
    conv = [model(x["mel"])[0] for model in (rn.Model(first), rn.Model(first, weight_dtype=name))]
    assert_is(alone.layers[0].own, difference(*conv))


def test_indices_and_layers_without_matrices() -> None:
    rng = np.random.default_rng(0)
    spec = make_spec(rng, "gru", 4, 5, num_embeddings=9, out_features=2)
    spec = ModelSpec((*spec.layers, rn.Elementwise("tanh"), rn.Last()))
    words = rng.integers(0, 9, (12, 3))
    made = rn.quantize(spec, "float16", words)
    assert {"1", "2"} <= {layer.name for layer in made.layers} <= {"0", "1", "2"}
    assert_is(made.outputs["y"], difference(rn.Model(spec)(words)[0], made.model(words)[0]))


def test_one_input_may_be_called_by_its_name() -> None:
    assert_is(
        rn.quantize(SPEC, "float16", {"x": X}).outputs["y"],
        rn.quantize(SPEC, "float16", X).outputs["y"],
    )


def test_a_cell_without_time_has_no_drift() -> None:
    rng = np.random.default_rng(0)
    nodes = {
        "a": (make_recurrent(rng, "gru", 6, 8), "x"),
        "b": (make_recurrent(rng, "rnn", 2, 3, positions=4, along="positions"), "a.last"),
    }
    made = rn.quantize(ModelSpec(nodes=nodes, inputs=("x",), outputs=("a", "b")), "float16", X)
    assert made.drift == {}
    assert made.outputs["b"].rms > 0


# Which layers are kept


@each_type
@pytest.mark.parametrize("count", [0, 1, 2, 3, np.int64(2)])
def test_the_worst_layers_are_kept(name: str, count: int) -> None:
    spec = make_spec(np.random.default_rng(0), "gru", 6, 12, num_recurrents=2, out_features=3)
    spec = ModelSpec((make_linear(RNG, 6, 6), *spec.layers))
    made = rn.quantize(spec, name, X, keep=count)
    assert len(made.kept) == count
    effects = {layer.name: layer.effect for layer in made.layers}
    kept = {effects[name] for name in made.kept}
    assert min(kept, default=1) > max(
        (effect for name, effect in effects.items() if name not in made.kept), default=0
    )
    assert [layer.kept for layer in made.layers] == [name in made.kept for name in effects]


@pytest.mark.parametrize("keep", [(), ("2",), 1])
def test_as_many_are_kept_as_it_takes(keep: Any) -> None:
    none = rn.quantize(SPEC, "bfloat16", X, keep=keep)
    assert none.sqnr is not None
    wanted = none.sqnr + 1
    made = rn.quantize(SPEC, "bfloat16", X, keep=keep, at_least=wanted)
    assert made.sqnr is not None
    assert made.sqnr >= wanted
    assert set(none.kept) < set(made.kept)
    last = min(
        (layer for layer in made.layers if layer.kept and layer.name not in none.kept),
        key=lambda layer: layer.effect,
    )
    fewer = [name for name in made.kept if name != last.name]
    without = rn.quantize(SPEC, "bfloat16", X, keep=fewer)
    assert without.sqnr is not None
    assert without.sqnr < wanted  # none is kept in vain
    assert rn.quantize(SPEC, "bfloat16", X, keep=keep, at_least=wanted - 1).kept == none.kept


def test_all_are_kept_where_nothing_less_is_enough() -> None:
    made = rn.quantize(SPEC, "bfloat16", X, at_least=1000.0)
    assert made.kept == ("0", "1", "2")
    assert made.sqnr == math.inf
    assert_same_bits(made.model(X)[0], rn.Model(SPEC)(X)[0])


@pytest.mark.skipif(not _core.has_bf16_dot(), reason="no products of bfloat16 here")
def test_products_in_bfloat16_are_measured_too() -> None:
    made = rn.quantize(SPEC, None, X, compute="bfloat16", keep=1)
    assert (made.model.compute, made.model.weight_dtype) == ("bfloat16", "bfloat16")
    assert len(made.kept) == 1
    assert_is(made.outputs["y"], difference(rn.Model(SPEC)(X)[0], made.model(X)[0]))
    stored = rn.quantize(SPEC, "bfloat16", X, keep=made.kept)
    for layer, other in zip(made.layers, stored.layers, strict=True):
        assert layer.weights == other.weights
        assert layer.effect > other.effect  # both sides are rounded
    assert made.as_dict()["compute"] == "bfloat16"
    with pytest.raises(rn.UnsupportedError, match="compute='bfloat16': expected weight_dtype"):
        rn.quantize(SPEC, "int8", X, compute="bfloat16")


# Errors


@pytest.mark.parametrize("name", WEIGHT_DTYPES)
@pytest.mark.parametrize("measured", [True, False])
def test_a_named_layer_may_have_weights_that_the_type_has_not(name: str, measured: bool) -> None:
    """It keeps them, and is compared in the result alone."""
    largest = {"float16": 1e5, "bfloat16": np.finfo(np.float32).max, "int8": np.inf}
    weight = np.ones((6, 6), np.float32)
    weight[0, 0] = largest[name]
    layers = [rn.Linear(weight, activation="relu"), rn.Linear(np.ones((2, 6)))]
    x = -np.ones((4, 1, 6), np.float32) if measured else None
    made = rn.quantize(layers, name, x, keep=["0"])
    assert made.kept == ("0",)
    assert_same_bits(made.model.spec.layers[0].arrays["weight"], weight)
    first, second = made.layers
    assert (first.weights, first.own, first.alone, first.kept) == (None, None, None, True)
    assert second.weights is not None
    assert (first.result is not None) == measured
    assert first.as_dict()["weights"] is None
    assert str(made).count("  -") == (3 if measured else 1)


def test_what_multiplies_nothing_is_rounded_to_the_nearest() -> None:
    table = rn.Embedding(np.random.default_rng(3).standard_normal((5, 4)))
    indices = np.zeros((3, 1), np.int32)
    assert rn.quantize([table], "int8", indices).rounding == "nearest"
    with pytest.raises(rn.OptionError, match="expected a layer that multiplies"):
        rn.quantize([table], "int8", indices, rounding="gptq")


ERRORS: list[tuple[dict[str, Any], Any, str]] = [
    ({"weight_dtype": None}, rn.OptionError, "weight_dtype: expected one of float16, bfloat16"),
    ({"weight_dtype": "int4"}, rn.OptionError, "weight_dtype: expected .* got 'int4'"),
    ({"compute": "int8"}, rn.OptionError, "compute: expected None .* got 'int8'"),
    ({"keep": "0"}, rn.OptionError, "keep: expected names of nodes, got '0'"),
    ({"keep": ["3"]}, rn.OptionError, "keep: '3' is no node"),
    ({"keep": 4}, rn.OptionError, "keep: expected 0 to 3, .* got 4"),
    ({"keep": -1}, rn.OptionError, "keep: expected 0 to 3, .* got -1"),
    ({"keep": True}, rn.OptionError, "keep: expected names of layers or a number .*, got True"),
    ({"keep": 1, "calibration": None}, rn.OptionError, "keep=1: only with calibration data"),
    ({"at_least": 40.0, "calibration": None}, rn.OptionError, "at_least: only with calibration"),
    ({"lengths": [4], "calibration": None}, rn.OptionError, "lengths: only with calibration"),
    ({"state": [1], "calibration": None}, rn.OptionError, "state: only with calibration"),
    ({"at_least": "40"}, rn.OptionError, "at_least: expected a number of dB, got '40'"),
    ({"at_least": np.nan}, rn.OptionError, "at_least: expected a number of dB, got nan"),
    ({"calibration": []}, rn.OptionError, "calibration: expected an array, a dict"),
    ({"calibration": X[:0]}, rn.OptionError, r"calibration: expected some steps .* \(0, 5, 6\)"),
    ({"calibration": [X, X[:, :0]]}, rn.OptionError, r"calibration\[1\]: expected some steps"),
    ({"calibration": X[0, 0]}, rn.OptionError, r"calibration: expected some steps .* \(6,\)"),
    ({"calibration": [X, X[..., :5]]}, rn.ShapeError, r"calibration\[1\]: x: "),
    ({"calibration": X > 0}, rn.DTypeError, "calibration: x: "),
    ({"calibration": {"y": X}}, rn.OptionError, "expected a dict of 'x', got 'y'"),
    ({"lengths": [41, 0, 0, 0, 0]}, rn.ShapeError, "calibration: lengths"),
    ({"calibration": [X, X], "lengths": [40] * 5}, rn.OptionError, "lengths: expected a list of 2"),
    ({"calibration": [X, X], "lengths": np.full(2, 3)}, rn.OptionError, "expected a list of 2"),
    ({"calibration": [X, X], "state": X}, rn.OptionError, "state: expected a list of 2"),
    ({"state": np.zeros((1, 5, 16))}, rn.ShapeError, "state: expected a tuple of 2 arrays, got nd"),
    ({"state": (np.zeros((1, 4, 16)),) * 2}, rn.ShapeError, "calibration: state"),
    ({"rounding": "up"}, rn.OptionError, "rounding: expected None or nearest or gptq; got 'up'"),
    ({"rounding": "gptq"}, rn.OptionError, "rounding='gptq': expected weight_dtype 'int8', got"),
    (
        {"rounding": "gptq", "weight_dtype": "int8", "calibration": None},
        rn.OptionError,
        "only with",
    ),
    ({"calibration": X * np.nan}, rn.OptionError, "calibration: the float32 model .* not finite"),
]


@pytest.mark.parametrize(("options", "error", "message"), ERRORS, ids=lambda value: str(value)[:40])
def test_wrong_arguments_are_named(options: dict[str, Any], error: Any, message: str) -> None:
    given = {"weight_dtype": "float16", "calibration": X} | options
    with pytest.raises(error, match=message):
        rn.quantize(SPEC, **given)


def test_what_cannot_be_reduced_is_named() -> None:
    nodes = {"a": (rn.Elementwise("tanh"), "x"), "b": (rn.Reduce("mean"), "a")}
    plain = ModelSpec(nodes=nodes, inputs={"x": 6}, outputs="b")
    with pytest.raises(rn.UnsupportedError, match="a layer with matrices, got elementwise, reduce"):
        rn.quantize(plain, "float16", X)
    huge = ModelSpec((rn.Linear(np.full((2, 6), 1e6)),))
    with pytest.raises(rn.UnsupportedError, match=r"0\.weight has 1000000; float16 ends at 65504"):
        rn.quantize(huge, "float16", X)
    assert rn.quantize(ModelSpec((*SPEC.layers[:1],)), "float16", X).kept == ()
    with pytest.raises(rn.OptionError, match="spec: expected a ModelSpec"):
        rn.quantize("model.onnx", "float16")  # type: ignore[arg-type]


# What is shown


@pytest.mark.parametrize("calibration", [X, None], ids=["measured", "weights"])
def test_the_report_is_plain_values_and_a_table(calibration: Any) -> None:
    made = rn.quantize(SPEC, "bfloat16", calibration, keep=["1"])
    plain = json.loads(json.dumps(made.as_dict(), allow_nan=False))
    assert plain["weight_dtype"] == "bfloat16"
    assert plain["kept"] == ["1"]
    assert plain["memory"] == {"before": made.memory[0], "after": made.memory[1]}
    for told, layer in zip(plain["layers"], made.layers, strict=True):
        assert (told["name"], told["kind"], told["kept"]) == (layer.name, layer.kind, layer.kept)
        assert told["weights"]["sqnr"] == layer.weights.sqnr
        assert (told["own"] is None) == (calibration is None)
    assert list(plain["outputs"]) == list(made.outputs)
    lines = str(made).splitlines()
    for layer in made.layers:
        (line,) = [line for line in lines if line.split()[:2] == [layer.name, layer.kind]]
        assert f"{layer.weights.sqnr:.1f}" in line
        assert line.endswith("float32") == layer.kept
        if calibration is not None:
            assert f" {layer.own.sqnr:.1f}" in line  # type: ignore[union-attr]
    if calibration is not None:
        assert any(line.split()[:2] == ["y", f"{made.sqnr:.1f}"] for line in lines)
        assert any(line.startswith("1.h_l0 ") for line in lines)


def test_what_is_infinite_is_shown_as_such() -> None:
    made = rn.quantize(rn.reference.stored(SPEC, "float16"), "float16", X)
    assert json.dumps(made.as_dict(), allow_nan=False)
    assert made.as_dict()["outputs"]["y"]["sqnr"] is None
    assert [line.split()[:2] for line in str(made).splitlines()].count(["y", "="]) == 1
    nothing = Difference(0.5, 0.25, 0.0)
    assert (nothing.relative, nothing.sqnr) == (math.inf, -math.inf)
    broken = replace(nothing, rms=math.inf, signal=1.0)
    assert broken.sqnr == -math.inf
    assert broken.as_dict()["rms"] is None


def test_a_reduced_model_that_is_no_number_is_infinitely_far() -> None:
    """Where rounding makes what is not finite of what was, nothing is passed over."""
    sums = differences.Sums()
    sums.add(np.ones(3, np.float32), np.array([1.0, np.nan, np.inf], np.float32))
    one = sums.difference()
    assert (one.largest, one.rms, one.relative) == (math.inf,) * 3
    steps = differences.StepSums(2)
    steps.add(np.ones((2, 1, 1), np.float32), np.array([1.0, np.nan]).reshape(2, 1, 1))
    assert steps.drift(2).relative == (0.0, math.inf)


def test_examples_are_true() -> None:
    for module in (quantizing, differences):
        done = doctest.testmod(module)
        assert done.attempted
        assert not done.failed
    assert Quantized.__module__.startswith("rnn_native.quantizing")
