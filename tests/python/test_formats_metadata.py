"""Layers as lines of text: what is written is fixed, what is read is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import make_embedding, make_linear, make_recurrent, make_spec, specs

from rnn_native.errors import FormatError, RnnError, UnsupportedError
from rnn_native.formats import metadata as md
from rnn_native.spec import Embedding, ModelSpec, Recurrent

RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "gru", 8, 6, num_embeddings=5, out_features=3, activation="softmax")

NOTHING: Mapping[str, str | None] = MappingProxyType({})


def read(changes: Mapping[str, str | None] = NOTHING, **tensors: Any) -> ModelSpec:
    """SPEC with some of its strings replaced, or left out where None, and further tensors."""
    strings = {**md.to_metadata(SPEC), **changes}
    kept = {key: value for key, value in strings.items() if value is not None}
    return md.from_metadata(kept, {**md.to_arrays(SPEC), **tensors})


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        (make_embedding(RNG, 30, 256), "embedding num_embeddings=30 embedding_dim=256"),
        (
            make_recurrent(RNG, "gru", 5, 7),
            "recurrent cell=gru input_size=5 hidden_size=7 num_layers=1 direction=forward "
            "bias=true reset_after=true",
        ),
        (
            make_recurrent(RNG, "rnn", 5, 7, nonlinearity="relu", direction="reverse"),
            "recurrent cell=rnn input_size=5 hidden_size=7 num_layers=1 direction=reverse "
            "bias=true nonlinearity=relu",
        ),
        (
            make_recurrent(
                RNG, "lstm", 5, 7, num_layers=2, direction="bidirectional", bias=False,
                proj_size=3, peephole=True,
            ),
            "recurrent cell=lstm input_size=5 hidden_size=7 num_layers=2 direction=bidirectional "
            "bias=false proj_size=3 peephole=true",
        ),
        (
            make_recurrent(RNG, "gru", 5, 7, gate_recurrent=True),
            "recurrent cell=gru input_size=5 hidden_size=7 num_layers=1 direction=forward "
            "bias=true gate_recurrent=true",
        ),
        (
            make_recurrent(RNG, "lstm", 5, 7, gate_recurrent=True, bias=False),
            "recurrent cell=lstm input_size=5 hidden_size=7 num_layers=1 direction=forward "
            "bias=false gate_recurrent=true",
        ),
        (
            make_recurrent(RNG, "rnn", 5, 7, nonlinearity="sigmoid", output_layer=3),
            "recurrent cell=rnn input_size=5 hidden_size=7 num_layers=1 direction=forward "
            "bias=true nonlinearity=sigmoid output_layer=3 output_nonlinearity=sigmoid",
        ),
        (
            make_linear(RNG, 256, 74, activation="softmax"),
            "linear in_features=256 out_features=74 bias=true activation=softmax",
        ),
        (
            make_linear(RNG, 1, 2, bias=False),
            "linear in_features=1 out_features=2 bias=false activation=identity",
        ),
    ],
)  # fmt: skip
def test_each_kind_of_layer_has_its_line(layer: Any, line: str) -> None:
    assert md.describe(layer) == line


def test_names_of_strings_and_arrays_are_fixed() -> None:
    strings = md.to_metadata(SPEC)
    assert list(strings) == [
        "rnn_native.version",
        "rnn_native.layers",
        *(f"rnn_native.layer.{i}" for i in range(3)),
    ]
    assert (strings["rnn_native.version"], strings["rnn_native.layers"]) == ("1", "3")
    assert set(md.to_arrays(SPEC)) == {
        "0.weight",
        *(f"1.{kind}_l0" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
        "2.weight",
        "2.bias",
    }


@given(specs(scales=True, convs=True))
def test_every_model_comes_back_with_its_options_and_bits(spec: ModelSpec) -> None:
    again = md.from_metadata(md.to_metadata(spec), md.to_arrays(spec))
    assert md.to_metadata(again) == md.to_metadata(spec)
    for layer, other in zip(spec.layers, again.layers, strict=True):
        assert type(layer) is type(other)
        for option in getattr(layer, "__dataclass_fields__", {}):
            if option not in ("weights", "initial_state", *layer.arrays):
                assert getattr(layer, option) == getattr(other, option)
        assert list(layer.arrays) == list(other.arrays)
        for name, array in layer.arrays.items():
            assert array.dtype == other.arrays[name].dtype
            assert array.tobytes() == other.arrays[name].tobytes()


@given(specs(max_recurrents=1))
def test_keys_may_come_in_any_order(spec: ModelSpec) -> None:
    for layer in spec.layers:
        kind, *pairs = md.describe(layer).split(" ")
        assert md.parse("", " ".join([kind, *reversed(pairs)])) == md.parse("", md.describe(layer))


GRU = (
    "recurrent cell=gru input_size=8 hidden_size=6 num_layers=1 direction=forward bias=true "
    "reset_after=true"
)


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "gru hidden_size=6",
        "recurrent",
        GRU.replace("cell=gru ", ""),
        GRU.replace("gru", "lstm"),
        GRU.replace("gru", "GRU"),
        GRU.replace(" bias=true", ""),
        GRU.replace(" reset_after=true", ""),
        GRU + " reset_after=true",
        GRU + " proj_size=0",
        GRU + " nonlinearity=tanh",
        GRU + " gate_recurrent=true",
        GRU + " output_layer=2 output_nonlinearity=tanh",
        GRU.replace("reset_after=true", "gate_recurrent=true"),
        GRU.replace("reset_after=true", "gate_recurrent=false"),
        GRU.replace("cell=gru", "cell=rnn").replace("reset_after", "gate_recurrent"),
        GRU + " ",
        GRU + "\n",
        " " + GRU,
        GRU.replace(" bias", "  bias"),
        GRU.replace(" bias", "\tbias"),
        GRU.replace("bias=true", "bias=True"),
        GRU.replace("bias=true", "bias=1"),
        GRU.replace("bias=true", "bias=false"),
        GRU.replace("bias=true", "bias="),
        GRU.replace("bias=true", "bias"),
        GRU.replace("forward", "backward"),
        GRU.replace("hidden_size=6", "hidden_size=06"),
        GRU.replace("hidden_size=6", "hidden_size=+6"),
        GRU.replace("hidden_size=6", "hidden_size=-6"),
        GRU.replace("hidden_size=6", "hidden_size=6.0"),
        GRU.replace("hidden_size=6", "hidden_size=\N{ARABIC-INDIC DIGIT SIX}"),
        GRU.replace("hidden_size=6", "hidden_size=0"),
        GRU.replace("hidden_size=6", "hidden_size=7"),
        GRU.replace("hidden_size=6", "hidden_size=" + "9" * 5000),
        GRU.replace("input_size=8", "input_size=9"),
        GRU.replace("num_layers=1", "num_layers=0"),
        GRU.replace("num_layers=1", "num_layers=2"),
        GRU.replace("num_layers=1", "num_layers=2147483647"),
        GRU.replace("num_layers=1", "num_layers=2147483648"),
    ],
)
def test_a_line_that_is_not_exactly_right_is_refused(line: str) -> None:
    with pytest.raises(FormatError, match=r"layer 1"):
        read({"rnn_native.layer.1": line})


def test_more_layers_than_tensors_are_refused_before_their_names_are_made() -> None:
    with pytest.raises(FormatError, match="num_layers=1000000, but only 4 tensors"):
        read({"rnn_native.layer.1": GRU.replace("num_layers=1", "num_layers=1000000")})


@pytest.mark.parametrize(
    ("index", "line"),
    [
        (0, "embedding num_embeddings=5"),
        (0, "embedding num_embeddings=5 embedding_dim=7"),
        (0, "embedding num_embeddings=5 embedding_dim=8 bias=false"),
        (0, "linear in_features=8 out_features=5 bias=true activation=identity"),
        (0, "linear in_features=8 out_features=5 bias=false activation=identity"),
        (2, "linear in_features=6 out_features=3 bias=false activation=identity"),
        (2, "linear in_features=6 out_features=3 bias=true activation=gelu"),
        (2, "linear in_features=3 out_features=6 bias=true activation=identity"),
        (2, "linear out_features=3 bias=true activation=identity"),
        (2, "embedding num_embeddings=3 embedding_dim=6"),
    ],
)
def test_a_line_that_contradicts_the_tensors_is_refused(index: int, line: str) -> None:
    with pytest.raises(FormatError, match=rf"layer {index}|ModelSpec|Embedding"):
        read({f"rnn_native.layer.{index}": line})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("output_layer", "0"),
        ("output_layer", "2"),
        ("output_layer", "true"),
        ("output_nonlinearity", "gelu"),
        ("nonlinearity", "softmax"),
        ("output_layer", None),
        ("output_nonlinearity", None),
    ],
)
def test_an_output_layer_that_is_not_there_is_refused(option: str, value: str | None) -> None:
    spec = ModelSpec((make_recurrent(RNG, "rnn", 5, 7, output_layer=3),))
    strings = md.to_metadata(spec)
    pairs = strings["rnn_native.layer.0"].split(" ")
    changed = f"{option}={value}" if value else ""
    kept = [changed if pair.startswith(f"{option}=") else pair for pair in pairs]
    strings["rnn_native.layer.0"] = " ".join(pair for pair in kept if pair)
    with pytest.raises(FormatError, match="layer 0"):
        md.from_metadata(strings, md.to_arrays(spec))


@pytest.mark.parametrize(
    "changes",
    [
        {"rnn_native.version": None},
        {"rnn_native.layers": None},
        {"rnn_native.layers": "0"},
        {"rnn_native.layers": "2"},
        {"rnn_native.layers": "4"},
        {"rnn_native.layers": "03"},
        {"rnn_native.layers": "2000000000"},
        {"rnn_native.layers": "three"},
        {"rnn_native.layer.1": None},
        {"rnn_native.layer.2": None, "rnn_native.layer.3": GRU},
        {"rnn_native.layer.3": GRU},
        {"rnn_native.layer.01": GRU},
        {"rnn_native.author": "somebody"},
    ],
)
def test_strings_missing_or_too_many_are_refused(changes: Mapping[str, str | None]) -> None:
    with pytest.raises(FormatError, match="metadata"):
        read(changes)


@pytest.mark.parametrize("version", ["3", "1.0", "", "01", "02"])
def test_another_version_is_refused_by_number(version: str) -> None:
    with pytest.raises(UnsupportedError, match=f"'{version}'; this release reads '1'"):
        read({"rnn_native.version": version})


def test_strings_of_others_are_no_concern() -> None:
    assert md.to_metadata(read({"format": "pt", "author": "somebody"})) == md.to_metadata(SPEC)


@pytest.mark.parametrize(
    "name", ["weight", "3.weight", "00.weight", "1.", ".weight", "-1.weight", "1.weight_ih_l1"]
)
def test_a_tensor_of_no_layer_is_refused_by_name(name: str) -> None:
    with pytest.raises(FormatError, match=re.escape(name.removeprefix("1.") or name)):
        read(**{name: np.zeros(3, np.float32)})


@pytest.mark.parametrize("name", list(md.to_arrays(SPEC)))
def test_every_tensor_is_needed_in_its_shape(name: str) -> None:
    arrays = md.to_arrays(SPEC)
    strings = md.to_metadata(SPEC)
    own = name.partition(".")[2]
    with pytest.raises(FormatError, match=own):
        md.from_metadata(strings, {**arrays, name: arrays[name][:-1]})
    with pytest.raises(FormatError, match=own):
        md.from_metadata(strings, {**arrays, name: arrays[name].astype(np.int32)})
    del arrays[name]
    with pytest.raises(FormatError, match=own):
        md.from_metadata(strings, arrays)


def test_layers_that_do_not_fit_each_other_are_refused() -> None:
    embedding = Embedding(np.zeros((4, 2), np.float32))
    gru = make_recurrent(RNG, "gru", 3, 4)
    assert isinstance(gru, Recurrent)
    strings = {
        "rnn_native.version": "1",
        "rnn_native.layers": "2",
        "rnn_native.layer.0": md.describe(embedding),
        "rnn_native.layer.1": md.describe(gru),
    }
    arrays = {"0.weight": embedding.weight, **{f"1.{k}": v for k, v in gru.arrays.items()}}
    with pytest.raises(FormatError, match="expected an input of 3 features, layer 0 gives 2"):
        md.from_metadata(strings, arrays)


@given(specs(max_recurrents=1, max_size=2))
def test_no_character_changed_in_a_line_makes_another_error(spec: ModelSpec) -> None:
    strings, arrays = md.to_metadata(spec), md.to_arrays(spec)
    key = "rnn_native.layer.0"
    for position in range(len(strings[key])):
        for character in "=0 \0":
            line = strings[key][:position] + character + strings[key][position + 1 :]
            try:
                again = md.from_metadata({**strings, key: line}, arrays)
            except RnnError:
                continue
            assert line == strings[key] or md.to_metadata(again)[key] == line
