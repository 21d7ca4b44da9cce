"""An initial state that belongs to the model: a call that states none begins with it.

``strategies.recurrents`` draws one for any layer, so that the tests of every other property, such
as streaming, files and exported C, have it as well; here is what it is, and what refuses it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import DTYPES, arrays_of, assert_same_bits, assert_same_state, matmuls
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    VARIANT_IDS,
    VARIANTS,
    Case,
    cases,
    first_state,
    make_recurrent,
    make_spec,
    random_input,
    specs,
)

import rnn_native as rn
from rnn_native import formats, reference, train
from rnn_native.cli import main
from rnn_native.formats import metadata, safetensors
from rnn_native.spec import CELLS, ModelSpec, Recurrent
from rnn_native.spec.layers.initial_state import array_name

variants = pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
RNG = np.random.default_rng(71)


def without(spec: ModelSpec) -> ModelSpec:
    """The same model, begun with zeros."""
    every = (
        replace(layer, initial_state=None) if isinstance(layer, Recurrent) else layer
        for layer in spec.layers
    )
    return ModelSpec(tuple(every))


def example(**options: Any) -> Recurrent:
    options = {"num_layers": 2, "direction": "bidirectional", **options}
    return make_recurrent(RNG, "lstm", 3, 4, initial_state=True, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@given(case=cases(), matmul=st.sampled_from(matmuls()), threads=st.sampled_from([1, 2]))
def test_no_state_is_the_initial_state_given(
    dtype: str, case: Case, matmul: str, threads: int
) -> None:
    """Bit for bit, of any model and lengths, in the core and in the reference."""
    state = first_state(case.spec, case.batch, dtype=dtype)
    models = (rn.Model(s, dtype=dtype, matmul=matmul) for s in (case.spec, without(case.spec)))
    own, plain = models
    y, final = own(case.x, None, case.lengths, threads)
    expected, expected_final = plain(case.x, state, case.lengths, threads)
    assert_same_bits(y, expected)
    assert_same_state(final, expected_final)
    y, final = reference.run(case.spec, case.x, None, case.lengths)
    wide = first_state(case.spec, case.batch, dtype=np.float64)
    expected, expected_final = reference.run(without(case.spec), case.x, wide, case.lengths)
    np.testing.assert_array_equal(y, expected)
    assert_same_state(final, expected_final)


@variants
def test_a_state_that_is_given_takes_its_place(cell: str, options: dict[str, Any]) -> None:
    spec = make_spec(RNG, cell, 3, 9, num_layers=2, initial_state=True, **options)
    x, zeros = random_input(spec, 5, 3, RNG), first_state(without(spec), 3)
    y, final = rn.Model(spec)(x, zeros)
    expected, expected_final = rn.Model(without(spec))(x)
    assert_same_bits(y, expected)
    assert_same_state(final, expected_final)
    assert not np.array_equal(rn.Model(spec)(x)[0], y)


@variants
def test_a_stream_begins_with_it_and_returns_to_it(cell: str, options: dict[str, Any]) -> None:
    spec = make_spec(RNG, cell, 3, 9, num_layers=2, initial_state=True, **options)
    x = random_input(spec, 4, 2, RNG)
    stream = rn.Model(spec).stream(batch=2)
    for _ in range(2):
        assert_same_state(stream.state, first_state(spec, 2))
        y = np.stack([stream.step(x_t).copy() for x_t in x])
        assert_same_bits(y, rn.Model(spec)(x)[0])
        stream.reset()


@pytest.mark.parametrize("name", CELLS)
def test_each_state_of_a_cell_has_one_of_its_own(name: str) -> None:
    """What is not there is zero, whichever it is, and each one counts."""
    cell = CELLS[name]
    plain = make_recurrent(RNG, cell.kind, 3, 4, gate_recurrent=cell.gate_recurrent)
    x = RNG.standard_normal((1, 1, 3)).astype(np.float32)
    for index, state in enumerate(cell.state_names):
        layer = replace(plain, initial_state={state: np.full((1, 4), 0.5, np.float32)})
        first = [array.any() for array in layer.first_state(2, layer.input_size)]
        assert first == [own == index for own in range(len(cell.state_names))]
        if cell.gate_recurrent and cell.kind == "lstm" and state == "h":
            continue  # this cell does not read h
        own, zeros = (arrays_of(rn.Model(ModelSpec((one,)))(x)) for one in (layer, plain))
        assert any(not np.array_equal(a, b) for a, b in zip(own, zeros, strict=True))


def test_forms_that_it_may_have() -> None:
    layer = example()
    h, c = layer.initial_state["h"], layer.initial_state["c"]
    every: list[Any] = [
        {"h": h, "c": c}, {"c": c, "h": h}, (h, c), [h, c], (h[:, None], c[:, None]),
        (h.astype(">f4"), np.asfortranarray(c)),
    ]  # fmt: skip
    for given_state in every:
        again = replace(layer, initial_state=given_state)
        for name in "hc":
            assert_same_bits(again.initial_state[name], layer.initial_state[name])
            assert not again.initial_state[name].flags.writeable
    gru = make_recurrent(RNG, "gru", 3, 4)
    row = np.arange(4.0, dtype=np.float32)[None]
    for given_state in (row, [row], {"h": row}, row[:, None]):
        assert_same_bits(replace(gru, initial_state=given_state).arrays["h_0"], row)
    only_c = replace(layer, initial_state={"c": c})
    assert_same_bits(only_c.arrays["h_0"], np.zeros_like(h))


def test_zeros_are_no_initial_state() -> None:
    layer = replace(example(), initial_state=(np.zeros((4, 4)), np.zeros((4, 4))))
    assert layer.initial_state is None
    assert "initial" not in metadata.describe(layer)


@pytest.mark.parametrize(
    ("initial", "error", "message"),
    [
        ({"q": np.ones((4, 4))}, rn.OptionError, "expected h, c of a mapping.*got 'q'"),
        ({}, rn.OptionError, "expected h, c of a mapping.*got an empty one"),
        ((np.ones((4, 4)),), rn.OptionError, "a tuple in this order; got 1 arrays"),
        (np.ones((4, 4)), rn.OptionError, "a tuple in this order; got ndarray"),
        ({"h": np.ones((3, 4))}, rn.ShapeError, r"initial_state h: expected shape \(4, 4\)"),
        ({"c": np.ones((4, 2, 4))}, rn.ShapeError, r"initial_state c: .* got \(4, 2, 4\)"),
        ({"c": np.ones((4, 4), int)}, rn.DTypeError, "initial_state c: expected float32"),
    ],
)
def test_what_is_none_is_refused(initial: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        replace(example(), initial_state=initial)


# Files


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize("dtype", DTYPES)
@given(st.data())
def test_a_file_keeps_every_bit(
    suffix: str, dtype: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    spec = data.draw(specs(dtype=dtype))
    path = tmp_path_factory.mktemp("initial") / f"model{suffix}"
    model = rn.Model(spec, dtype=dtype)
    model.save(path)
    for again in (rn.load(path).spec, model.spec, formats.read(path)):
        assert safetensors.dumps(again) == safetensors.dumps(spec)


def test_a_chain_is_version_2_where_it_has_one_and_else_version_1() -> None:
    layer = example()
    strings = metadata.to_metadata(ModelSpec((layer,)))
    assert strings["rnn_native.version"] == "2"
    assert strings["rnn_native.layer.0"].endswith(" initial_state=true")
    assert list(metadata.to_arrays(ModelSpec((layer,))))[-2:] == ["0.h_0", "0.c_0"]
    plain = metadata.to_metadata(without(ModelSpec((layer,))))
    assert plain["rnn_native.version"] == "1"
    assert "initial" not in plain["rnn_native.layer.0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("0.c_0"), "initial_state=true, but no tensors c_0"),
        (lambda a: a.update({"0.c_0": np.ones((4, 3), "f4")}), r"c: expected shape \(4, 4\)"),
        (lambda a: a.update({"0.z_0": np.ones((4, 4), "f4")}), "got 'z'"),
    ],
)
def test_a_file_with_other_arrays_is_refused(change: Any, message: str) -> None:
    spec = ModelSpec((example(),))
    arrays = metadata.to_arrays(spec)
    change(arrays)
    with pytest.raises(rn.FormatError, match=message):
        metadata.from_metadata(metadata.to_metadata(spec), arrays)


def test_arrays_that_no_line_names_are_refused() -> None:
    spec = ModelSpec((example(),))
    with pytest.raises(rn.FormatError, match="unexpected h_0, c_0"):
        metadata.from_metadata(metadata.to_metadata(without(spec)), metadata.to_arrays(spec))


def test_a_graph_has_it_too(tmp_path: Path) -> None:
    layer = make_recurrent(RNG, "gru", 3, 4, initial_state=True)
    spec = ModelSpec(
        nodes={"a": (layer, "x"), "b": (layer, "x"), "sum": (rn.Add(), ("a", "b"))},
        inputs="x",
        outputs="sum",
    )
    model = rn.Model(spec)
    model.save(tmp_path / "model.safetensors")
    x = RNG.standard_normal((5, 2, 3)).astype(np.float32)
    y, state = rn.load(tmp_path / "model.safetensors")(x)
    expected, expected_state = reference.run(spec, x)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6)  # of 5 steps of sums of 7 terms
    assert set(state) == set(expected_state) == {"a", "b"}
    again = rn.load(tmp_path / "model.safetensors").spec.nodes["a"].layer
    assert_same_bits(again.arrays["h_0"], layer.arrays["h_0"])


def test_float16_weights_leave_it_as_it_is() -> None:
    spec = ModelSpec((example(),))
    model = rn.Model(spec, weight_dtype="float16")
    assert_same_bits(model.spec.recurrents[0].arrays["c_0"], spec.recurrents[0].arrays["c_0"])


# What shows it, and what refuses it


def test_it_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layer = example()
    assert repr(layer).endswith("initial_state=('h', 'c')>")
    assert "initial" not in repr(replace(layer, initial_state=None))
    model = rn.Model(ModelSpec((layer,)))
    assert repr(model).startswith("Model(lstm with an initial state; [time, batch, 3]")
    model.save(tmp_path / "model.safetensors")
    assert main(["info", str(tmp_path / "model.safetensors")]) == 0
    assert " initial_state=true " in capsys.readouterr().out
    assert main(["info", "--json", str(tmp_path / "model.safetensors")]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["layers"][0]["initial_state"] is True
    assert facts["layers"][0]["parameters"] == sum(a.size for a in layer.arrays.values())


def test_training_refuses_it_by_name() -> None:
    with pytest.raises(rn.UnsupportedError, match="initial_state=True cannot be trained"):
        train.Network(ModelSpec((example(),)))


def test_pytorch_has_no_modules_for_it(tmp_path: Path) -> None:
    model = rn.Model(ModelSpec((example(),)))
    for save in (lambda: model.save(tmp_path / "model.pt"), model.state_dict):
        with pytest.raises(rn.UnsupportedError, match="layer 0: PyTorch has no module for initial"):
            save()
    assert list(tmp_path.iterdir()) == []


def test_keras_has_no_weights_for_it() -> None:
    with pytest.raises(rn.UnsupportedError, match="layer 0: initial_state: Keras's layers have"):
        rn.keras_weights(ModelSpec((example(),)))


def test_pytorch_is_not_measured_in_its_place(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from rnn_native.benchmark.runtimes import pytorch
    from rnn_native.benchmark.worker import Task

    formats.write(ModelSpec((example(),)), tmp_path / "model.safetensors")
    x = np.zeros((2, 1, 3), np.float32)
    with pytest.raises(rn.UnsupportedError, match="no LSTM with an initial state"):
        pytorch.prepare(Task(str(tmp_path / "model.safetensors"), x, None, 1))


def test_it_is_documented_under_the_name_that_files_have() -> None:
    text = (Path(__file__).parents[2] / "docs" / "file-format.md").read_text(encoding="utf-8")
    for cell in CELLS.values():
        for state in cell.state_names:
            assert re.search(rf"`{array_name(state)}`", text)
