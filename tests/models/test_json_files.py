"""Models in JSON against the frameworks they come from: GuitarML's against PyTorch's modules,
TensorFlow.js's and RTNeural's full network against Keras."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "python"))

import keras
import tfjs_files
import torch
from conftest import Runner
from keras import layers as known

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import FormatError, UnsupportedError

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

DATA = Path(__file__).parents[1] / "data"
RUNNERS = (Runner("reference"), Runner("model"))
T, B = 30, 2


def close(spec: Any, x: Any, expected: Any) -> None:
    for runner in RUNNERS:
        runner.assert_close(runner(spec, x)[0], expected)


# ---- GuitarML ----


def guitar(unit: str, features: int, layers: int, bias: bool, seed: int = 0) -> tuple[Any, Any]:
    torch.manual_seed(seed)
    rec = getattr(torch.nn, unit)(features, 6, layers)
    return rec, torch.nn.Linear(6, 1, bias=bias)


def guitar_file(path: Path, rec: Any, lin: Any, unit: str, **more: Any) -> Path:
    named = {"rec": rec, "lin": lin}
    state = {
        f"{name}.{own}": array.tolist()
        for name, module in named.items()
        for own, array in module.state_dict().items()
    }
    data = {
        "model": "SimpleRNN", "input_size": rec.input_size, "output_size": 1,
        "unit_type": unit, "num_layers": rec.num_layers, "hidden_size": rec.hidden_size,
        "bias_fl": lin.bias is not None,
    }  # fmt: skip
    path.write_text(json.dumps({"model_data": data | more, "state_dict": state}))
    return path


@pytest.mark.parametrize("unit", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(("features", "layers"), [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("bias", [True, False])
def test_a_guitar_model_is_its_modules(
    unit: str, features: int, layers: int, skip: int, bias: bool, tmp_path: Path
) -> None:
    rec, lin = guitar(unit, features, layers, bias)
    path = guitar_file(tmp_path / "amp.json", rec, lin, unit, skip=skip)
    x = np.random.default_rng(0).normal(size=(T, B, features)).astype(np.float32)
    with torch.no_grad():
        given = torch.from_numpy(x)
        expected = (lin(rec(given)[0]) + skip * given[:, :, :1]).numpy()
    spec = formats.read(path)
    assert spec.is_chain == (not skip)
    close(spec, x, expected)
    stream, pieces = rn.load(path).stream(batch=B), []
    for step in x:
        pieces.append(stream.step(step).copy())
    assert np.abs(np.stack(pieces) - expected).max() <= 2e-5
    assert formats.strings(path)["model_data.unit_type"] == unit


@pytest.mark.parametrize(
    ("more", "message", "kind"),
    [
        ({"model": "GatedConv"}, "model 'GatedConv': expected 'SimpleRNN'", UnsupportedError),
        ({"unit_type": "Mamba"}, "expected one of LSTM, GRU, RNN", UnsupportedError),
        ({"skip": 2}, "a skip adds the first 2 of 1 features", FormatError),
        ({"skip": -1}, "skip: expected a whole number from 0", FormatError),
        ({"hidden_size": 5}, r"rec.weight_ih_l0: expected shape \(20, 1\)", FormatError),
        ({"hidden_size": 2**30}, r"rec.weight_ih_l0: expected shape", FormatError),
        ({"num_layers": 2}, "rec.weight_ih_l1 is missing", FormatError),
        ({"num_layers": 2**30}, "num_layers: expected as many as", FormatError),
        ({"bias_fl": False}, "bias_fl False, and lin.bias is there", FormatError),
        ({"input_size": None}, "input_size: expected a whole number", FormatError),
    ],
)
def test_a_guitar_model_that_is_not_what_it_says(
    more: dict[str, Any], message: str, kind: Any, tmp_path: Path
) -> None:
    path = guitar_file(
        tmp_path / "amp.json", *guitar("LSTM", 1, 1, True), "LSTM", **({"skip": 1} | more)
    )
    with pytest.raises(kind, match=message):
        rn.load(path)


# ---- RTNeural's network without a table ----


def test_rtneural_s_full_model_is_keras_s() -> None:
    net = keras.Sequential(
        [
            known.Input((None, 1)),
            known.Dense(8, activation="tanh"),
            known.Conv1D(4, 3, dilation_rate=2, padding="causal", activation="tanh"),
            known.GRU(8, return_sequences=True),
            known.Dense(1),
        ]
    )
    path = DATA / "rtneural/full_model.json"
    for layer, told in zip(net.layers, json.loads(path.read_text())["layers"], strict=True):
        layer.set_weights([np.array(array) for array in told["weights"]])
    x = np.random.default_rng(0).normal(size=(T, B, 1)).astype(np.float32)
    expected = net.predict(x.swapaxes(0, 1), verbose=0).swapaxes(0, 1)
    close(formats.read(path), x, expected)


# ---- TensorFlow.js ----


def sequence(kind: Any, **options: Any) -> Any:
    return kind(5, return_sequences=True, **options)


def stacked() -> Any:
    return keras.Sequential(
        [
            known.Input((None, 3), name="x"),
            known.Bidirectional(sequence(known.LSTM)),
            known.Dropout(0.5),
            sequence(known.GRU, name="second"),
            keras.Sequential([known.Dense(4, activation="relu")], name="inside"),
            known.LayerNormalization(),
            known.Dense(2, activation="softmax"),
        ]
    )


def branched() -> Any:
    x = known.Input((None, 3), name="x")
    y = known.Conv1D(5, 3, padding="causal", activation="tanh")(x)
    y = known.Add()([y, sequence(known.SimpleRNN)(y)])
    return keras.Model(x, known.TimeDistributed(known.Dense(2))(y))


@pytest.mark.parametrize("make", [stacked, branched])
@pytest.mark.parametrize("packed", ["", "uint8", "uint16", "float16"])
def test_a_browser_s_model_is_keras_s(make: Any, packed: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    net = make()
    names = {weight.path: weight for weight in net.weights}
    assert len(names) == len(net.weights)
    arrays = {path: keras.ops.convert_to_numpy(weight) for path, weight in names.items()}
    config = json.loads(net.to_json())
    path, found = tfjs_files.write(tmp_path, config, arrays, packed, keras.__version__)
    for name, weight in names.items():
        weight.assign(found[name])
    x = np.random.default_rng(0).normal(size=(T, B, 3)).astype(np.float32)
    expected = net.predict(x.swapaxes(0, 1), verbose=0).swapaxes(0, 1)
    close(formats.read(path), x, expected)
