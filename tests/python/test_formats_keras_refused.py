"""What of Keras is refused: what is not supported, by its name, and contradictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_files as kf
import pytest

from rnn_native import formats
from rnn_native.errors import FormatError, UnsupportedError
from rnn_native.spec import ModelSpec

SIZE, UNITS = 3, 4


def read(folder: Path, layers: list[Any], weights: Any, version: str = "2.2.4") -> ModelSpec:
    path = kf.write_h5(folder / "model.h5", kf.sequential(*layers), weights, version)
    return formats.read(path)


LSTM = kf.lstm(SIZE, UNITS)
OWN = {"class_name": "function", "config": "my>f"}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (kf.layer("Conv3D", "x"), r"layer 'x' \(Conv3D\): this layer is not supported"),
        (kf.layer("Lambda", "x"), r"'x' \(Lambda\): this layer"),
        (kf.layer("ConvLSTM2D", "x"), r"'x' \(ConvLSTM2D\): this layer"),
        (kf.layer("mine>LSTM", "x"), r"'x' \(mine>LSTM\): this layer"),
        (kf.layer("Conv3D", "x"), r"\(Conv3D\): this layer"),
        (kf.recurrent("LSTM", "x", UNITS, time_major=True), "time_major=True"),
        (kf.recurrent("LSTM", "x", UNITS, activation="crelu"), "activation=.crelu. is not"),
        (
            kf.recurrent("LSTM", "x", UNITS, recurrent_activation="softmax"),
            "recurrent_activation='softmax' is not supported; expected one of linear, sigmoid",
        ),
        (
            kf.recurrent("LSTM", "x", UNITS, activation=OWN),
            "activation='my>f'",
        ),
        (kf.layer("Dense", "x", units=2, activation="crelu"), "activation=.crelu. is not"),
        (kf.layer("Activation", "x", activation="crelu"), "activation=.crelu. is not"),
        (kf.layer("TimeDistributed", "x", layer=kf.layer("Conv3D", "y")), "of a Conv3D"),
        (
            kf.layer("Bidirectional", "x", layer=kf.recurrent("LSTM", "y", 4), merge_mode=None),
            "merge_mode=None is not supported",
        ),
        (
            kf.layer("Bidirectional", "x", layer=kf.layer("ConvLSTM2D", "y")),
            "a Bidirectional of this layer",
        ),
        (
            kf.layer("RNN", "x", cell=kf.layer("PeepholeLSTMCell", "y", units=2)),
            r"\(PeepholeLSTMCell\): expected one of the cells",
        ),
        (
            kf.layer(
                "Bidirectional", "x", layer=kf.layer("RNN", "r", cell=kf.layer(
                    "StackedRNNCells", "s", cells=[kf.layer("LSTMCell", c, units=2, activation=
                    "tanh", recurrent_activation="sigmoid") for c in "ab"],
                )),
            ),
            "several stacked cells",
        ),
        (kf.layer("ReLU", "x", max_value=6, threshold=1), "max_value=6.0, .*threshold=1.0: one of"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(layer: Any, message: str, tmp_path: Path) -> None:
    layers = [kf.recurrent("LSTM", "rnn", UNITS), layer]
    with pytest.raises(UnsupportedError, match=message):
        read(tmp_path, layers, {"rnn": LSTM, "x": kf.lstm(UNITS, UNITS)})


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([kf.layer("Embedding", "x", input_dim=7, output_dim=3)], "an Embedding can only be first"),
        ([kf.layer("Masking", "x", mask_value=0.0)], "only the first layer of a model can mask"),
    ],
)
def test_what_has_to_be_first(layers: list[Any], message: str, tmp_path: Path) -> None:
    first = kf.recurrent("LSTM", "rnn", UNITS)
    with pytest.raises(UnsupportedError, match=message):
        read(tmp_path, [first, *layers], {"rnn": LSTM, "x": kf.embedding(7, 3)})


def test_keras_does_not_turn_a_mask_round(tmp_path: Path) -> None:
    layers = [
        kf.layer("Masking", "mask", mask_value=0.0),
        kf.recurrent("LSTM", "a", UNITS, go_backwards=True),
        kf.recurrent("LSTM", "b", UNITS),
    ]
    weights = {"mask": {}, "a": LSTM, "b": kf.lstm(UNITS, UNITS)}
    with pytest.raises(UnsupportedError, match=r"'b' \(LSTM\): after go_backwards=True"):
        read(tmp_path, layers, weights)


@pytest.mark.parametrize(
    ("layer", "weights", "message"),
    [
        (kf.recurrent("LSTM", "x", 5), LSTM, r"kernel: expected \(features, 20\), got \(3, 16\)"),
        (kf.recurrent("GRU", "x", UNITS), LSTM, r"kernel: expected \(features, 12\)"),
        (kf.recurrent("LSTM", "x", UNITS, use_bias=False), LSTM, "expected the arrays kernel, rec"),
        (kf.recurrent("LSTM", "x", UNITS), {}, "the file has none"),
        (kf.recurrent("LSTM", "x", UNITS), kf.dense(3, 16), "the file has x/kernel:0, x/bias:0"),
        (kf.recurrent("LSTM", "x", "4"), LSTM, "units: expected int, got '4'"),
        (kf.recurrent("LSTM", "x", True), LSTM, "units: expected int, got True"),
        (kf.layer("LSTM", "x", activation="tanh"), LSTM, "no recurrent_activation"),
        (kf.layer("Dense", "x", units=2), kf.dense(3, 5), r"kernel: expected \(features, 2\)"),
        (
            kf.layer("Embedding", "x", input_dim=7, output_dim=3),
            kf.embedding(8, 3),
            r"embeddings: expected \(7, 3\), got \(8, 3\)",
        ),
        (
            kf.recurrent("GRU", "x", UNITS, reset_after=True),
            kf.lstm(3, 4, gates=3),
            r"bias: expected \(2, 12\), got \(12,\)",
        ),
        (
            kf.recurrent("LSTM", "x", UNITS),
            dict(reversed(LSTM.items())),
            "expected the arrays kernel, recurrent_kernel, bias",
        ),
        (kf.layer("Bidirectional", "x", layer="LSTM"), LSTM, "layer: expected an object"),
    ],
)
def test_files_that_contradict_themselves(
    layer: Any, weights: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=rf"'x' \(.*{message}"):
        read(tmp_path, [layer], {"x": weights})


def test_layers_that_do_not_fit_each_other(tmp_path: Path) -> None:
    layers = [kf.recurrent("LSTM", "a", UNITS), kf.recurrent("LSTM", "b", UNITS)]
    with pytest.raises(FormatError, match="expected an input of 3 features"):
        read(tmp_path, layers, {"a": LSTM, "b": LSTM})


def test_an_output_that_keras_makes_zero_where_a_row_ends_early(tmp_path: Path) -> None:
    layers = [
        kf.layer("Masking", "mask", mask_value=0.0),
        kf.recurrent("LSTM", "x", UNITS, return_sequences=False, zero_output_for_mask=True),
    ]
    with pytest.raises(UnsupportedError, match=r"'x' \(LSTM\): zero_output_for_mask=True"):
        read(tmp_path, layers, {"mask": {}, "x": LSTM})
    assert read(tmp_path, layers[1:], {"x": LSTM}).recurrents


def test_a_mask_is_lost_behind_a_model_inside_of_keras_3(tmp_path: Path) -> None:
    inner = kf.sequential(
        kf.layer("Masking", "mask", mask_value=0.0), kf.recurrent("LSTM", "a", UNITS), name="inner"
    )
    layers = [inner, kf.recurrent("LSTM", "b", UNITS)]
    weights = {
        "inner": {f"a/{name}": array for name, array in LSTM.items()},
        "b": kf.lstm(UNITS, UNITS),
    }
    assert read(tmp_path, layers, weights).mask_value == 0
    with pytest.raises(UnsupportedError, match="behind the model 'inner', which does not pass"):
        read(tmp_path, layers, weights, "3.4.1")
