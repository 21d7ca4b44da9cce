"""What a model shows of its cells: the reference's gates, and the bits of the call itself."""

from __future__ import annotations

from typing import Any

import bounds
import numpy as np
import pytest
import strategies
from agreement import DTYPES, arrays_of, assert_same_bits, map_state, matmuls
from hypothesis import given
from strategies import TRAINED_VARIANT_IDS, TRAINED_VARIANTS, VARIANT_IDS, VARIANTS, Case

import rnn_native as rn
from rnn_native.spec import DIRECTIONS, ModelSpec, Recurrent

variants = pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
IN_A_CELL = {"rnn": "h", "gru": "rznh", "lstm": "ifgoch"}


def names_of(spec: ModelSpec) -> list[tuple[str, Recurrent]]:
    """The names that there have to be, and whose they are."""
    names = []
    for index, layer in enumerate(spec.layers):
        if not isinstance(layer, Recurrent):
            continue
        prefix = f"{index}." if len(spec.layers) > 1 else ""
        for level in range(layer.num_layers):
            for suffix in {"forward": [""], "reverse": ["_reverse"],
                           "bidirectional": ["", "_reverse"]}[layer.direction]:  # fmt: skip
                for name in IN_A_CELL[layer.cell]:
                    names.append((f"{prefix}{name}_l{level}{suffix}", layer))
        if layer.output_layer:
            names.append((f"{prefix}o", layer))
    return names


def width(name: str, layer: Recurrent) -> int:
    own = name.rpartition(".")[2]
    if own == "o":
        return layer.output_layer
    return layer.state_size if own.startswith("h") else layer.hidden_size


def check_trace(model: rn.Model, case: Case, dtype: str) -> None:
    """float32 within the bound of bounds.py, float64 within 1e-12 of the largest magnitude."""
    traced = model.trace(case.x, case.state, case.lengths)
    x = case.x if case.spec.takes_indices else case.x.astype(dtype)
    start = map_state(lambda a: a.astype(dtype), case.state)
    want = rn.reference.trace(case.spec, x, start, case.lengths)
    allowed = bounds.trace(case.spec, x, start, case.lengths)
    assert set(traced) == set(want) == set(allowed) == {name for name, _ in names_of(case.spec)}
    for name, layer in names_of(case.spec):
        got = traced[name]
        assert got.dtype == np.dtype(dtype)
        assert got.shape == want[name].shape == (case.time, case.batch, width(name, layer))
        scale = max(1.0, float(np.abs(want[name]).max()))
        near = {"rtol": 0, "atol": 1e-12 * scale, "err_msg": name}
        np.testing.assert_allclose(allowed[name].value, want[name], **near)
        if dtype == "float32":
            assert bounds.excess(got, allowed[name]) <= 1, name
        else:
            np.testing.assert_allclose(got, want[name], **near)
        for row, length in enumerate(case.lengths or []):
            assert not got[length:, row].any()


@dtypes
@variants
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("matmul", matmuls())
def test_every_gate_equals_the_references(
    cell: str, options: dict[str, Any], direction: str, matmul: str, dtype: str
) -> None:
    rng = np.random.default_rng(7)
    for hidden, batch, lengths in ((5, 3, [4, 0, 2]), (19, 4, None)):
        spec = strategies.make_spec(
            rng, cell, 4, hidden, num_layers=2, direction=direction, num_recurrents=2,
            out_features=3, **options,
        )  # fmt: skip
        x = strategies.random_input(spec, 4, batch, rng, dtype=dtype)
        state = strategies.random_state(spec, batch, rng, dtype=dtype)
        model = rn.Model(spec, dtype=dtype, matmul=matmul)
        check_trace(model, Case(spec, x, state, lengths), dtype)


@given(strategies.cases())
def test_the_reference_shows_what_it_calculates(case: Case) -> None:
    """Its h, c and so on at every step are the state of a run up to there."""
    traced = rn.reference.trace(case.spec, case.x, case.state, case.lengths)
    assert [*traced] == [name for name, _ in names_of(case.spec)]
    forward = [
        layer.direction == "forward" for layer in case.spec.layers if isinstance(layer, Recurrent)
    ]
    if not all(forward) or case.lengths is not None:
        return
    for t in range(case.time):
        _, state = rn.reference.run(case.spec, case.x[: t + 1], case.state)
        states = iter(arrays_of(state))
        for index, layer in enumerate(case.spec.layers):
            if not isinstance(layer, Recurrent):
                continue
            prefix = f"{index}." if len(case.spec.layers) > 1 else ""
            for name in layer.state_names:
                array = next(states)
                for level in range(layer.num_layers):
                    shown = traced[f"{prefix}{name}_l{level}"][t]
                    np.testing.assert_allclose(shown, array[level], rtol=0, atol=1e-13)


@dtypes
@given(case=strategies.cases())
def test_it_is_the_call_itself_bit_for_bit(dtype: str, case: Case) -> None:
    """The last layer's h (or o) of every step is y; states that are shown end in the final ones."""
    model = rn.Model(case.spec, dtype=dtype, matmul="packed")
    y, final = model(case.x, case.state, case.lengths)
    traced = model.trace(case.x, case.state, case.lengths)
    last = case.spec.layers[-1]
    if isinstance(last, Recurrent):
        prefix = f"{len(case.spec.layers) - 1}." if len(case.spec.layers) > 1 else ""
        top = [f"{prefix}h_l{last.num_layers - 1}{suffix}" for suffix in last.suffixes]
        shown = [f"{prefix}o"] if last.output_layer else top
    if isinstance(last, Recurrent) and last.return_sequences:
        assert_same_bits(np.concatenate([traced[name] for name in shown], axis=-1), y)
    lengths = [case.time] * case.batch if case.lengths is None else case.lengths
    states = iter(arrays_of(final))
    for index, layer in enumerate(case.spec.layers):
        if not isinstance(layer, Recurrent):
            continue
        prefix = f"{index}." if len(case.spec.layers) > 1 else ""
        for name in layer.state_names:
            array = next(states)
            for place in range(layer.num_layers * layer.num_directions):
                level, direction = divmod(place, layer.num_directions)
                suffix = layer.suffixes[direction]
                shown = traced[f"{prefix}{name}_l{level}{suffix}"]
                for row, length in enumerate(lengths):
                    if length:
                        end = 0 if suffix else length - 1
                        assert_same_bits(shown[end, row], array[place, row])


@dtypes
@variants
def test_a_long_trace_is_the_call_too(cell: str, options: dict[str, Any], dtype: str) -> None:
    """More steps than a chunk of time, on one thread whatever the model would take."""
    rng = np.random.default_rng(8)
    spec = strategies.make_spec(rng, cell, 6, 40, direction="bidirectional", gain=0.3, **options)
    x = strategies.random_input(spec, 300, 3, rng, dtype=dtype)
    model = rn.Model(spec, dtype=dtype, matmul="packed", num_threads=2)
    y, _ = model(x)
    traced = model.trace(x)
    top = ["o"] if options.get("output_layer") else ["h_l0", "h_l0_reverse"]
    assert_same_bits(np.concatenate([traced[name] for name in top], axis=-1), y)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("gate_recurrent", [False, True])
def test_the_gates_explain_the_states(cell: str, gate_recurrent: bool) -> None:
    """In the model's own numbers: the last equations of a cell, within their few roundings."""
    rng = np.random.default_rng(9)
    spec = strategies.make_spec(rng, cell, 6, 11, gate_recurrent=gate_recurrent)
    x = strategies.random_input(spec, 5, 2, rng)
    v = {name[0]: a.astype(np.float64) for name, a in rn.Model(spec).trace(x).items()}
    before = {name: np.concatenate([np.zeros_like(a[:1]), a[:-1]]) for name, a in v.items()}
    if cell == "lstm":
        pairs = [(v["c"], v["f"] * before["c"] + v["i"] * v["g"])]
        pairs.append((v["h"], v["o"] * np.tanh(v["c"])))
    elif gate_recurrent:
        pairs = [(v["h"], (1 - v["z"]) * before["h"] + v["z"] * v["n"])]
    else:
        pairs = [(v["h"], (1 - v["z"]) * v["n"] + v["z"] * before["h"])]
    for got, want in pairs:  # activations within 4 ULPs each, and products and sums of them
        np.testing.assert_allclose(got, want, rtol=0, atol=32 * bounds.U32)


def test_names_of_one_layer_have_no_number() -> None:
    spec = strategies.make_spec(np.random.default_rng(0), "lstm", 3, 4, direction="bidirectional")
    x = np.zeros((2, 1, 3), np.float32)
    ends = ("_l0", "_l0_reverse")
    assert set(rn.Model(spec).trace(x)) == {name + end for end in ends for name in "ifgoch"}
    two = ModelSpec((*spec.layers, strategies.make_linear(np.random.default_rng(0), 8, 2)))
    assert set(rn.Model(two).trace(x)) == {f"0.{name}{end}" for end in ends for name in "ifgoch"}


def test_a_model_without_cells_shows_nothing() -> None:
    spec = ModelSpec((strategies.make_linear(np.random.default_rng(0), 3, 2),))
    assert rn.Model(spec).trace(np.zeros((2, 1, 3), np.float32)) == {}


@pytest.mark.parametrize(("cell", "options"), TRAINED_VARIANTS, ids=TRAINED_VARIANT_IDS)
def test_batch_first_and_modules(cell: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(10)
    spec = strategies.make_spec(rng, cell, 3, 5, num_layers=2, **options)
    x = strategies.random_input(spec, 4, 3, rng)
    state = strategies.random_state(spec, 3, rng)
    want = rn.Model(spec).trace(x, state, [4, 1, 0])
    turned = rn.Model(spec, batch_first=True).trace(np.swapaxes(x, 0, 1), state, [4, 1, 0])
    own = {{"output_layer": "output_size"}.get(name, name): v for name, v in options.items()}
    module = {"rnn": rn.RNN, "gru": rn.GRU, "lstm": rn.LSTM}[cell](3, 5, 2, **own)
    module.load_state_dict(dict(spec.recurrents[0].arrays))
    from_module = module.trace(x, state, lengths=[4, 1, 0])
    assert [*turned] == [*from_module] == [*want]
    for name, array in want.items():
        assert_same_bits(np.ascontiguousarray(np.swapaxes(turned[name], 0, 1)), array)
        assert_same_bits(from_module[name], array)
    alone = module.trace(x[:, 0], map_state(lambda a: a[:, 0], state))
    for name, array in want.items():
        assert_same_bits(np.ascontiguousarray(alone[name]), array[:, 0])


def test_bad_arguments_are_refused_as_in_a_call() -> None:
    spec = strategies.make_spec(np.random.default_rng(0), "gru", 3, 4)
    model, module = rn.Model(spec), rn.GRU(3, 4)
    x = np.zeros((2, 1, 3), np.float32)
    for trace in (model.trace, module.trace):
        with pytest.raises(rn.ShapeError, match=r"x: expected .*, got"):
            trace(x[..., :2])
        with pytest.raises(rn.ShapeError, match=r"state.*expected .*, got"):
            trace(x, np.zeros((1, 2, 4), np.float32))
        with pytest.raises(rn.ShapeError, match=r"lengths\[0\]: expected 0 to 2, got 3"):
            trace(x, lengths=[3])
    with pytest.raises(rn.ShapeError, match="unbatched"):
        module.trace(x[:, 0], lengths=[2])
