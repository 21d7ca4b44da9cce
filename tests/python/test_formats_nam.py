"""Neural Amp Modeler's LSTMs against a replay in float64, with the state they begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError
from rnn_native.spec import Linear, ModelSpec

DATA = Path(__file__).parents[1] / "data/nam"
FILES = ("BossLSTM-1x16.nam", "BossLSTM-2x8.nam")


def replay(path: Path, x: Any, begin: bool = True) -> Any:
    """The equations on the numbers of the file, one behind the other."""
    value = json.loads(path.read_text())
    sizes, numbers = value["config"], np.array(value["weights"])
    features, hidden = sizes["input_size"], sizes["hidden_size"]
    layers, at = [], 0
    for k in range(sizes["num_layers"]):
        columns = (hidden if k else features) + hidden
        ends = np.cumsum([4 * hidden * columns, 4 * hidden, hidden, hidden]) + at
        w, b, h, c = np.split(numbers[at : ends[-1]], ends[:-1] - at)
        layers.append((w.reshape(4 * hidden, columns), b, [h * begin, c * begin]))
        at = ends[-1]
    head, offset = numbers[at:-1].reshape(-1, hidden), numbers[-1:]
    made = []
    for sample in x:
        for w, b, state in layers:
            i, f, g, o = np.split(w @ np.concatenate([sample, state[0]]) + b, 4)
            state[1] = state[1] / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            state[0] = np.tanh(state[1]) / (1 + np.exp(-o))
            sample = state[0]
        made.append(head @ sample + offset)
    return np.array(made)


def signal(features: int = 1) -> Any:
    return np.sin(np.arange(400 * features) * 0.07).reshape(400, features) * 0.5


@pytest.mark.parametrize("name", FILES)
def test_a_network_begins_with_the_state_of_its_file(name: str) -> None:
    """One with zeros would be off by more than half of what comes out."""
    x = signal()
    expected = replay(DATA / name, x)
    model = rn.load(DATA / name)
    y = reference.run(model.spec, x[:, None])[0][:, 0]
    assert np.abs(y - expected).max() <= 1e-12 * np.abs(expected).max()
    assert np.abs(model(x[:, None].astype("f4"))[0][:, 0] - expected).max() <= 2e-5
    zeros = replay(DATA / name, x, begin=False)
    assert np.abs(zeros - expected).max() > 0.5 * np.abs(expected).max()


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_the_same_list_of_numbers(name: str, tmp_path: Path) -> None:
    rn.load(DATA / name).save(tmp_path / "m.nam")
    old, new = (json.loads(path.read_text()) for path in (DATA / name, tmp_path / "m.nam"))
    for key in ("architecture", "config", "weights"):
        assert new[key] == old[key]


def test_several_channels_and_no_biases(tmp_path: Path) -> None:
    lstm = rn.LSTM(3, 4, num_layers=2, bias=False).spec
    spec = ModelSpec((lstm, Linear(np.ones((2, 4), "f4"))))
    path = tmp_path / "m.nam"
    formats.write(spec, path)
    config = json.loads(path.read_text())["config"]
    assert (config["in_channels"], config["out_channels"]) == (3, 2)
    x = signal(3)[:, None]
    found = formats.read(path)
    assert np.abs(reference.run(found, x)[0] - reference.run(spec, x)[0]).max() <= 1e-14


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([rn.GRU(1, 4).spec, Linear(np.ones((1, 4)))], "no cell='gru'"),
        ([rn.LSTM(1, 4).spec], "an LSTM and a Linear behind it, not"),
        ([rn.LSTM(1, 4).spec, Linear(np.ones((1, 4)), activation="tanh")], "no activation 'tanh'"),
        ([rn.LSTM(1, 4, proj_size=2).spec, Linear(np.ones((1, 2)))], "no proj_size=2"),
    ],
)
def test_other_networks_are_refused_by_name(
    layers: list[Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        formats.write(ModelSpec(tuple(layers)), tmp_path / "m.nam")


def test_what_the_file_says_of_itself() -> None:
    about = formats.strings(DATA / FILES[0])
    assert about["version"] == "0.5.1"
    assert about["metadata.date.year"] == "2023"
    assert "metadata.loudness" in about
