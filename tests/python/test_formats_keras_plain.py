"""Keras files of weights alone: what they are by names and shapes, and what has to be said."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import keras_equations as ke
import keras_files as kf
import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.spec import Embedding, Linear, ModelSpec, Recurrent

X = np.random.default_rng(1).normal(0, 1, (2, 5, 3))
LSTM, GRU, RNN = kf.lstm(3, 4), kf.lstm(3, 4, gates=3), kf.lstm(3, 4, gates=1)
CUDNN = kf.lstm(3, 4, bias=(32,))
BOTH = {
    f"{side}/{name}": array for side in ("forward_x", "backward_x") for name, array in LSTM.items()
}


def read(folder: Path, weights: Any, version: str = "2.3.0", **options: Any) -> ModelSpec:
    """Without the warnings of what was assumed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return formats.read(kf.write_h5(folder / "w.hdf5", None, weights, version), **options)


def assumed(folder: Path, weights: Any, version: str = "2.3.0", **options: Any) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        formats.read(kf.write_h5(folder / "w.hdf5", None, weights, version), **options)
    return " ".join(str(warning.message) for warning in caught)


def run(spec: ModelSpec) -> Any:
    return np.swapaxes(rn.reference.run(spec, np.swapaxes(X, 0, 1))[0], 0, 1)


def test_a_chain_by_names_and_shapes(tmp_path: Path) -> None:
    weights = {
        "table": kf.embedding(9, 3), "drop": {}, "both": BOTH,
        "gru": kf.lstm(8, 2, 1, 3, (2, 6)), "out": kf.dense(2, 5),
    }  # fmt: skip
    spec = read(tmp_path, weights)
    assert [type(layer) for layer in spec.layers] == [Embedding, Recurrent, Recurrent, Linear]
    both, gru = spec.recurrents
    assert (both.cell, both.direction, both.hidden_size) == ("lstm", "bidirectional", 4)
    assert (gru.cell, gru.reset_after) == ("gru", True)
    text = assumed(tmp_path, weights)
    assert "'both': activation tanh, recurrent_activation sigmoid, merge_mode concat" in text
    assert "'drop': it does nothing" in text
    assert "'out': activation linear" in text


@pytest.mark.parametrize("name", ["concatenate_1", "add", "global_max_pooling1d_2"])
def test_a_layer_that_joins_others_by_its_name_is_refused(name: str, tmp_path: Path) -> None:
    weights = {"table": kf.embedding(9, 3), "both": BOTH, name: {}, "out": kf.dense(8, 5)}
    with pytest.raises(UnsupportedError, match=f"layer '{name}': by its name it joins or pools"):
        read(tmp_path, weights)


@pytest.mark.parametrize(
    ("version", "gate"),
    [("2.1.5", ke.hard_sigmoid_2), ("2.3.0", ke.sigmoid), ("3.0.5", ke.sigmoid)],
)
def test_what_keras_does_where_nothing_is_said(version: str, gate: Any, tmp_path: Path) -> None:
    expected = ke.lstm(X, list(LSTM.values()), gate=gate)
    got = run(read(tmp_path, {"rnn": LSTM}, version))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_a_version_that_had_two_defaults_has_to_be_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'rnn': recurrent_activation= has to be given"):
        read(tmp_path, {"rnn": LSTM}, "2.2.4-tf")
    spec = read(tmp_path, {"rnn": LSTM}, "2.2.4-tf", recurrent_activation="sigmoid")
    np.testing.assert_allclose(run(spec), ke.lstm(X, list(LSTM.values())), rtol=0, atol=1e-12)


def test_options_say_what_shapes_do_not(tmp_path: Path) -> None:
    options = {"activation": "relu", "recurrent_activation": "linear", "cell": "lstm"}
    got = run(read(tmp_path, {"rnn": LSTM}, **options))
    expected = ke.lstm(X, list(LSTM.values()), lambda x: np.maximum(x, 0), lambda x: x)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    assert assumed(tmp_path, {"rnn": LSTM}, **options) == ""


@pytest.mark.parametrize("resets", [True, False])
def test_a_gru_without_biases_does_not_show_where_it_resets(resets: bool, tmp_path: Path) -> None:
    weights = kf.lstm(3, 4, gates=3, bias=())
    got = run(read(tmp_path, {"rnn": weights}, reset_after=resets))
    expected = ke.gru(X, list(weights.values()), reset_after=resets)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    assert "reset_after False" in assumed(tmp_path, {"rnn": weights})
    assert "reset_after True" in assumed(tmp_path, {"rnn": weights}, "3.1.0")


def test_the_layout_of_cudnn_says_its_activations(tmp_path: Path) -> None:
    got = run(read(tmp_path, {"rnn": CUDNN}, "2.1.5"))
    own = ke.from_cudnn(list(CUDNN.values()), 4)
    np.testing.assert_allclose(got, ke.lstm(X, own), rtol=0, atol=1e-12)
    assert assumed(tmp_path, {"rnn": CUDNN}) == ""
    with pytest.raises(OptionError, match="activation='relu': the bias of 'rnn' says tanh"):
        read(tmp_path, {"rnn": CUDNN}, activation="relu")


UNKNOWN = {"table": {"embeddings": np.zeros((2, 3), "f4")}, "odd": {"W": np.ones((3, 3), "f4")}}


def test_parts_are_taken_by_their_names(tmp_path: Path) -> None:
    weights = {"a": LSTM, "b": kf.lstm(4, 2), **UNKNOWN, "out": kf.dense(5, 2)}
    with pytest.raises(UnsupportedError, match=r"'table' \(Embedding\): an Embedding can only be"):
        read(tmp_path, weights)
    assert len(read(tmp_path, weights, node="b").layers) == 1
    assert len(read(tmp_path, weights, between=("a", "b")).layers) == 2
    assert "'a'" not in assumed(tmp_path, weights, node="b")
    with pytest.raises(UnsupportedError, match=r"'odd' \(unknown\): this layer is not supported"):
        read(tmp_path, weights, node="odd")
    with pytest.raises(UnsupportedError, match="'b' does not come before"):
        read(tmp_path, weights, between=("b", "a"))
    with pytest.raises(OptionError, match="no such layer"):
        read(tmp_path, weights, node="c")


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ({"x": LSTM}, {"cell": "gru"}, "cell='gru': the layers that are read are 'lstm'"),
        ({"x": LSTM}, {"cell": "elman"}, "cell: expected one of rnn, gru, lstm; got 'elman'"),
        ({"x": LSTM}, {"reset_after": True}, "reset_after=True: the layers that are read are 'ls"),
        ({"x": RNN}, {"recurrent_activation": "tanh"}, "recurrent_activation='tanh': the layers"),
        ({"x": kf.dense(3, 2)}, {"activation": "tanh"}, "are no recurrent ones"),
        ({"x": GRU}, {"reset_after": True}, "reset_after=True: the bias of 'x' says False"),
        ({"x": LSTM, "y": kf.lstm(4, 2, 0, 3)}, {"cell": "gru"}, "cell='gru'.* are 'gru', 'lstm'"),
    ],
)
def test_options_that_contradict_the_file(
    weights: Any, options: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        read(tmp_path, weights, **options)


@pytest.mark.parametrize(
    "odd",
    [
        {"kernel": np.zeros((3, 7), "f4"), "recurrent_kernel": np.zeros((2, 7), "f4")},
        {"kernel": np.zeros((3, 3, 1, 8), "f4"), "recurrent_kernel": np.zeros((3, 3, 2, 8), "f4")},
        {"kernel": np.zeros((5, 3, 2), "f4"), "bias": np.zeros(2, "f4")},
        LSTM | {"gamma": np.zeros(3, "f4")},
        {f"{cell}/{name}": array for cell in "abc" for name, array in LSTM.items()},
        {f"{side}/{name}": array for side, cell in (("a", LSTM), ("b", GRU)) for name, array in
         cell.items()},
    ],
)  # fmt: skip
def test_layers_that_are_none_of_ours(odd: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"'odd' \(unknown\)"):
        read(tmp_path, {"odd": odd})
    assert len(read(tmp_path, {"rnn": LSTM, "odd": odd}, node="rnn").layers) == 1


def test_the_json_beside_the_file_says_everything(tmp_path: Path) -> None:
    config = kf.sequential(kf.recurrent("LSTM", "a", 4, activation="softsign"))
    (tmp_path / "model.json").write_text(json.dumps(config))
    path = kf.write_h5(tmp_path / "w.h5", None, {"a": LSTM}, "2.3.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = formats.read(path, config=tmp_path / "model.json")
    expected = ke.lstm(X, list(LSTM.values()), lambda x: x / (1 + np.abs(x)))
    np.testing.assert_allclose(run(spec), expected, rtol=0, atol=1e-12)
    with pytest.raises(OptionError, match="cell: the model's own configuration"):
        formats.read(path, config=tmp_path / "model.json", cell="lstm")
    with pytest.raises(FileNotFoundError):
        formats.read(path, config=tmp_path / "none.json")
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(FormatError, match=r"config '.*model.json': no JSON"):
        formats.read(path, config=tmp_path / "model.json")


def numbered(folder: Path, groups: Any) -> Path:
    path = folder / "model.weights.h5"
    path.write_bytes(kf.numbered(groups))
    return path


def test_weights_of_keras_3_do_not_tell_their_order(tmp_path: Path) -> None:
    arrays = list(LSTM.values())
    groups = {
        "layers/lstm/cell": arrays,
        "layers/bidirectional/forward_layer/cell": arrays,
        "layers/bidirectional/backward_layer/cell": arrays,
        "layers/time_distributed/layer": list(kf.dense(3, 2).values()),
        "layers/rnn/cell/cells/lstm_cell": arrays,
    }
    path = numbered(tmp_path, groups)
    there = r"recurrent layers 'bidirectional', 'lstm', or of the others 'rnn', 'time_dist"
    with pytest.raises(UnsupportedError, match=there):
        formats.read(path)
    with pytest.raises(UnsupportedError, match="does not tell what the model does"):
        formats.read(path, between=("lstm", "rnn"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (both,) = formats.read(path, node="bidirectional").recurrents
        (dense,) = formats.read(path, node="time_distributed").layers
    assert both.direction == "bidirectional"
    assert isinstance(dense, Linear)
    with pytest.raises(UnsupportedError, match=r"'rnn' \(unknown\)"):
        formats.read(path, node="rnn")


OWN: dict[str, Any] = {
    "encoder/bi/forward_layer/cell": list(LSTM.values()),
    "encoder/bi/backward_layer/cell": list(LSTM.values()),
    "blocks/lstm": [],
    "blocks/lstm/cell": list(LSTM.values()),
    "blocks/lstm/cell/seed_generator": [np.zeros(2, "u4")],
    "layers/sequential/layers/gru/cell": list(kf.lstm(3, 4, gates=3, bias=(2, 12)).values()),
    "head": list(kf.dense(3, 2).values()),
    "dropout/seed_generator": [np.zeros(2, "u4")],
    "optimizer": [np.zeros(3, "f4")] * 5,
}


@pytest.mark.parametrize("whole", [False, True])
def test_weights_of_a_model_of_ones_own_class(whole: bool, tmp_path: Path) -> None:
    """Layers are where their attributes are; a whole file tells no more than its weights."""
    path = numbered(tmp_path, OWN)
    if whole:
        config = {"module": None, "class_name": "Net", "registered_name": "Net", "config": {}}
        path = kf.write_keras(tmp_path / "m.keras", config, path.read_bytes())
    there = r"'blocks/lstm', 'encoder/bi', 'layers/sequential/layers/gru', or of the others 'head'"
    with pytest.raises(UnsupportedError, match=f"recurrent layers {there}, out"):
        formats.read(path)
    with pytest.raises(OptionError, match=r"node='bi': no such layer; there are blocks/lstm, enc"):
        formats.read(path, node="bi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lstm = formats.read(path, node="blocks/lstm", cell="lstm")
        (both,) = formats.read(path, node="encoder/bi", activation="relu").recurrents
        (gru,) = formats.read(path, node="layers/sequential/layers/gru").recurrents
        (head,) = formats.read(path, node="head").layers
    np.testing.assert_allclose(run(lstm), ke.lstm(X, list(LSTM.values())), rtol=0, atol=1e-12)
    assert (both.direction, both.activations[1].name) == ("bidirectional", "relu")
    assert (gru.cell, gru.reset_after) == ("gru", True)
    assert isinstance(head, Linear)


def test_weights_whose_layers_are_attributes_alone(tmp_path: Path) -> None:
    """There is no ``layers`` then."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = formats.read(numbered(tmp_path, {"a/cell": list(LSTM.values())}))
    np.testing.assert_allclose(run(spec), ke.lstm(X, list(LSTM.values())), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "what"),
    [("m/saved_model.pb", "SavedModel"), ("m", "SavedModel"), ("m/variables.index", "checkpoint"),
     ("m/variables.data-00000-of-00001", "checkpoint"), ("m/checkpoint", "checkpoint"),
     ("m/x.ckpt", "checkpoint")],
)  # fmt: skip
def test_tensorflow_s_own_files_are_refused_with_a_way_out(
    name: str, what: str, tmp_path: Path
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/saved_model.pb").touch()
    with pytest.raises(UnsupportedError, match=rf"a {what} of TensorFlow .* model\.save\("):
        formats.read(tmp_path / name)


def test_weights_of_keras_3_with_one_layer_or_their_json(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = formats.read(numbered(tmp_path, {"layers/lstm/cell": list(LSTM.values())}))
    np.testing.assert_allclose(run(spec), ke.lstm(X, list(LSTM.values())), rtol=0, atol=1e-12)
    (tmp_path / "m.json").write_text(json.dumps(kf.sequential(kf.recurrent("LSTM", "z", 4))))
    assert len(formats.read(tmp_path / "model.weights.h5", config=tmp_path / "m.json").layers) == 1


@pytest.mark.parametrize("version", [None, "0.3.3", "4.0.0", "new"])
def test_other_versions_are_refused(version: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"keras_version .*: expected 1, 2 or 3"):
        formats.read(kf.write_h5(tmp_path / "w.h5", None, {"a": LSTM}, version))


def test_a_file_without_layers(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="without weights of layers"):
        formats.read(kf.write_h5(tmp_path / "w.h5", None, {}, "2.3.0"))
