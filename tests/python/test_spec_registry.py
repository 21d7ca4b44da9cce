"""The registries are the only lists: each class states all that others ask about it.

Cells and layers are drawn from ``CELLS`` and ``LAYERS``, so a new one is tested when it is entered.
"""

from __future__ import annotations

import ast
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.formats.metadata import describe, parse
from rnn_native.spec import CELLS, LAYERS, Layer, Recurrent, recurrent_shapes
from rnn_native.spec.layers.recurrent_options import keys_of

WIDTH, HIDDEN, TIME, BATCH = 3, 4, 5, 2


def recurrent(name: str, **options: Any) -> Recurrent:
    cell = CELLS[name]
    options |= {"cell": cell.kind, "gate_recurrent": cell.gate_recurrent}
    options |= {"input_size": WIDTH, "hidden_size": HIDDEN}
    rng = np.random.default_rng(0)
    weights = {n: rng.standard_normal(shape) for n, shape in recurrent_shapes(**options)}
    return Recurrent(weights=weights, **options)


LAYERS_OF_EACH: dict[str, list[Layer]] = {
    "embedding": [rn.Embedding(np.ones((5, 3)))],
    "linear": [rn.Linear(np.ones((2, 3)), np.ones(2), "tanh"), rn.Linear(np.ones((2, 3)))],
    "merge": [rn.Merge("ave", 2)],
    "pool": [rn.AvgPool(3, 2, (1, 2), count_include_pad=False), rn.MaxPool(2)],
    "elementwise": [rn.Elementwise("relu"), rn.Elementwise("hard_sigmoid", 0.25, -0.5)],
    "conv": [
        rn.Conv1d(np.ones((4, 3, 2)), np.ones(4), stride=2, padding="causal", activation="tanh"),
        rn.Conv1d(
            np.ones((4, 1, 2)), groups=2, positions=3, padding=(1, 2), padding_mode="reflect"
        ),
        rn.Conv2d(np.ones((2, 3, 2, 3)), positions=5, padding=((1, 1), 1), dilation=(1, 2)),
        rn.Conv2d(np.ones((2, 3, 3, 2)), positions=(4, 5), stride=(2, 1), padding=((0, 1), 0)),
        rn.Conv3d(np.ones((2, 1, 2, 3, 2)), positions=(3, 2), groups=2, padding=(1, 1, 0)),
    ],
    "pool_within": [
        rn.PoolWithin("average", 5, 3, 3, 2, 1, 2, False),
        rn.PoolWithin("max", 4, 2, 2),
    ],
    "strided": [rn.Slice(7, 1, 6, 2), rn.Transpose(2, 3), rn.Strided(9, (2, 1, 2), (3, 0, 1), 2)],
    "upsample": [rn.Upsample(3), rn.Upsample(3, "parts", 2)],
    "pad": [rn.Pad(3, 2), rn.Pad(3, 1, 2, "reflect"), rn.Pad(3, 0, 4, "circular")],
    "scale": [rn.Scale(np.ones(3), np.full(3, 0.5))],
    "prelu": [rn.PReLU(np.full(3, 0.25))],
    "norm": [
        rn.LayerNorm(3, np.ones(3), None, 3, 0.1),
        rn.LayerNorm(3, None, np.ones(3)),
        rn.RMSNorm(3),
    ],
    "instance_norm": [
        rn.InstanceNorm(6, np.ones(3), None, 0.1, 2, 1),
        rn.InstanceNorm(3, None, np.ones(3)),
    ],
    "reduce": [rn.Reduce(mode) for mode in ("mean", "sum", "max", "first", "last")],
    "softmax": [rn.Softmax(), rn.LogSoftmax(3)],
    "softmax_over_time": [rn.SoftmaxOverTime()],
    "attention": [
        rn.Attention(),
        rn.Attention(3, 0.5, True),
        rn.AdditiveAttention(np.ones(3)),
    ],
    "attention_pool": [rn.AttentionPool(), rn.AttentionPool(3)],
    "expand": [rn.Expand()],
    "combine": [rn.Add(), rn.Mul(), rn.Sub(), rn.Div(), rn.Max(), rn.Min(), rn.Concat()],
    "recurrent": [
        *(recurrent(name) for name in CELLS),
        *(recurrent(name, positions=5, along="positions") for name in CELLS),
        recurrent("gru", positions=2, direction="bidirectional"),
        recurrent("lstm", along="positions", return_sequences=False),
    ],
}


def test_every_kind_of_layer_is_tested_here() -> None:
    assert set(LAYERS_OF_EACH) == set(LAYERS)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_line_and_the_arrays_are_the_layer(kind: str) -> None:
    for layer in LAYERS_OF_EACH[kind]:
        assert type(layer) is LAYERS[kind]
        made, values = parse("here", describe(layer))
        assert made == kind
        assert values == layer.line
        again = LAYERS[made].from_line(values, layer.arrays)
        assert describe(again) == describe(layer)
        assert all(np.array_equal(again.arrays[n], array) for n, array in layer.arrays.items())
        assert layer.make(layer.arrays, layer.options).line == layer.line


@pytest.mark.parametrize("kind", LAYERS)
def test_every_matrix_has_a_place_of_its_own_in_the_core(kind: str) -> None:
    for layer in LAYERS_OF_EACH[kind]:
        places = layer.packed()
        assert set(places) == {n for n, array in layer.arrays.items() if array.ndim == 2}
        assert len(set(places.values())) == len(places)
        assert all(place.node < layer.num_nodes for place in places.values())


@pytest.mark.parametrize("name", CELLS)
def test_a_step_gives_what_the_cell_says_it_shows_and_carries(name: str) -> None:
    layer = recurrent(name)
    ran = layer.run(
        (np.ones((TIME, BATCH, WIDTH)),),
        tuple(np.zeros((layer.state_rows, BATCH, size)) for size in layer.state_sizes),
        np.ones((TIME, BATCH), np.bool_),
    )
    assert set(ran.trace) == {f"{n}_l0" for n in CELLS[name].trace_names}
    assert set(CELLS[name].state_names) <= set(CELLS[name].trace_names)
    assert [part.shape[-1] for part in ran.state] == list(layer.state_sizes)
    shown = [n for cell in layer.traced("") for part in cell for n in part]
    assert set(shown) == set(ran.trace)


@pytest.mark.parametrize("name", CELLS)
def test_gates_are_the_blocks_of_rows_of_weight_ih(name: str) -> None:
    assert len(recurrent(name).arrays["weight_ih_l0"]) == len(CELLS[name].gates) * HIDDEN


@pytest.mark.parametrize("name", CELLS)
def test_keys_and_the_constructor_have_the_same_defaults(name: str) -> None:
    defaults = {f.name: f.default for f in fields(Recurrent)}
    for key in keys_of(CELLS[name]):
        if defaults[key.name] is not MISSING:
            assert key.default == defaults[key.name], key.name


def test_what_a_cell_lacks_is_refused_and_its_owners_are_named() -> None:
    used = {"reset_after": False, "peephole": True, "nonlinearity": "relu", "proj_size": 2}
    for name, cell in CELLS.items():
        own = {key.name for key in cell.keys}
        for option, value in used.items():
            if option in own:
                recurrent(name, **{option: value})
                continue
            with pytest.raises(rn.UnsupportedError, match=option):
                recurrent(name, **{option: value})


def test_no_function_tells_kinds_of_layers_apart() -> None:
    """One kind may be looked for; what differs from kind to kind is a layer's own."""
    kinds = {kind.__name__ for kind in LAYERS.values()}
    for path in Path(rn.__file__).parent.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            asked = {
                name.id
                for call in ast.walk(function)
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "isinstance"
                for name in ast.walk(call.args[1])
                if isinstance(name, ast.Name)
            }
            assert len(asked & kinds) < 2, f"{path.name}: {function.name}: {asked & kinds}"


@pytest.mark.parametrize("kind", [k for k, layer in LAYERS.items() if layer.arity == (1, 1)])
def test_a_format_writes_a_layer_or_refuses_it_by_name(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    for layer in LAYERS_OF_EACH[kind]:
        alone = layer.can_be_first and layer.features_taken is not None
        first = [] if alone else [rn.Linear(np.ones((layer.features_taken or 3, 2)))]
        model = rn.Model([*first, layer])
        writes = [partial(model.save, tmp_path / name) for name in ("model.onnx", "model.pt")]
        for write in [*writes, partial(rn.keras_weights, model)]:
            refused = ""
            try:
                write()
            except rn.UnsupportedError as error:
                refused = str(error)
            named = [f"no {type(layer).__name__} there", *(f"{name}=" for name in layer.options)]
            assert not refused or any(name in refused for name in named)
