"""JSON that is malformed, or not what it says: one error of ours, which names the place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import rnn_native as rn
from rnn_native.errors import FormatError, OptionError, RnnError, UnsupportedError

DATA = Path(__file__).parents[1] / "data"


def value_of(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def refused(path: Path, value: Any, message: str, kind: type[RnnError] = FormatError) -> None:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    with pytest.raises(kind, match=message) as caught:
        rn.load(path)
    assert type(caught.value) is kind
    assert len(str(caught.value)) < 2500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON that could be read"),
        ("{", "no JSON that could be read"),
        ("[1, 2]", "expected a JSON object, got a list of 2"),
        ('{"w": NaN}', "expected finite numbers, got NaN"),
        ('{"w": [1, -Infinity]}', "expected finite numbers, got -Infinity"),
        ('{"w": [1], "w": [2]}', "'w' is there twice in one object"),
        ("[" * 100_000, "no JSON that could be read"),
        ('{"a":' * 100_000, "no JSON that could be read"),
        ('{"w": 1' + "0" * 5000 + "}", "no JSON that could be read"),
        ('{"a": 1, "b": {"c": "d"}}', "expected the JSON of RTNeural or AIDA-X .*found a, b"),
    ],
)
def test_what_is_no_json_of_a_model(text: str, message: str, tmp_path: Path) -> None:
    refused(tmp_path / "m.json", text, message)


def test_a_configuration_alone_says_how_to_read_its_weights(tmp_path: Path) -> None:
    value = {"class_name": "Sequential", "config": {}}
    message = r"without its weights: rn\.load\(weights, config=path\)"
    refused(tmp_path / "m.json", value, message, UnsupportedError)


CHANGES: list[tuple[Any, Any, str]] = [
    (["in_shape"], [None, 0], "in_shape: expected"),
    (["in_shape"], 1, "in_shape: expected a list, got 1"),
    (["layers"], [], "layers: expected 1 to 1000, got 0"),
    (["layers", 0], 3, r"layers\[0\]: expected an object, got 3"),
    (["layers", 0, "type"], None, "type: expected a text"),
    (["layers", 0, "shape"], [None, 9], r"layers\[0\] \(.*\): shape: expected 8 features"),
    (["layers", 0, "weights"], [], r"weights\[0\]: expected shape \(any, any\)"),
    (["layers", 0, "weights", 0], [[1, 2], [3]], r"weights\[0\]: expected lists of equal lengths"),
    (["layers", 0, "weights", 0], [["1"] * 8], r"weights\[0\]: expected lists of numbers"),
    (["layers", 0, "weights", 0], [[None] * 8], r"weights\[0\]: expected lists of numbers"),
    (["layers", 0, "weights", 0, 0, 0], 2**70, r"weights\[0\]: expected lists of numbers"),
    (["layers", 0, "weights", 0, 0, 0], [[1]], r"weights\[0\]: expected lists of equal lengths"),
    (["layers", 0, "weights", 1], [1.0], r"weights\[1\]: expected shape \(8\), got \(1,\)"),
    (["layers", 1, "weights"], 7, "weights: expected a list, got 7"),
    (["layers", 1, "shape", 2], 2**40, r"shape: expected \[batch, time, units\]"),
    (["layers", 1, "shape", 2], 4, r"weights\[0\]: expected shape \(8, 12\), got \(8, 24\)"),
]


@pytest.mark.parametrize(("place", "new", "message"), CHANGES)
def test_a_wrong_place_in_a_network_of_rtneurals(
    place: list[Any], new: Any, message: str, tmp_path: Path
) -> None:
    value = value_of("rtneural/gru.json")
    owner = value
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = new
    refused(tmp_path / "m.json", value, message)


def test_what_rtneural_passes_over_is_refused(tmp_path: Path) -> None:
    path, value = tmp_path / "m.json", value_of("rtneural/gru.json")
    for index, key, new, message in (
        (0, "type", "unknown", r"no layer 'unknown', which RTNeural leaves out; there are dense"),
        (0, "activation", "selu", "no activation 'selu' in RTNeural; there are tanh, relu"),
        (1, "activation", "relu", "activation 'relu': RTNeural's cells have tanh"),
    ):
        changed = copy.deepcopy(value)
        changed["layers"][index][key] = new
        refused(path, changed, message, UnsupportedError)


@pytest.mark.parametrize(
    ("change", "message", "kind"),
    [
        ({"architecture": "WaveNet"}, "architecture 'WaveNet': only LSTM is", UnsupportedError),
        ({"architecture": "SlimmableContainer"}, "save its LSTM by itself", UnsupportedError),
        ({"architecture": "Mamba"}, "'Mamba', which is not known", UnsupportedError),
        ({"weights": [1.0] * 904}, "have 905 numbers, got 904", FormatError),
        ({"weights": [[1.0]]}, r"weights: expected shape \(any\)", FormatError),
        ({"config": {"input_size": 1, "hidden_size": 8}}, "num_layers: expected a", FormatError),
        ({"config": {"input_size": 1, "hidden_size": 2**30, "num_layers": 2}}, "have .* numbers",
         FormatError),
        ({"config": {"input_size": 1, "hidden_size": 8, "num_layers": 2**30}}, "1 to 1000",
         FormatError),
    ],
)  # fmt: skip
def test_a_nam_file_that_is_not_what_it_says(
    change: dict[str, Any], message: str, kind: type[RnnError], tmp_path: Path
) -> None:
    value = value_of("nam/BossLSTM-2x8.nam") | change
    refused(tmp_path / "m.nam", value, message, kind)
    refused(tmp_path / "m.json", value, message, kind)


def test_options_of_a_file_that_says_itself_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="option chain: only for a file that does not describe"):
        rn.load(DATA / "rtneural/gru.json", chain=["gru"])
    with pytest.raises(OptionError, match=r"node: not of such a file; known are cell"):
        rn.load(DATA / "rtneural/gru_torch.json", node="gru")
    with pytest.raises(FormatError, match="model_data: expected an object, got None"):
        rn.load(DATA / "rtneural/gru.json", format="guitarml")
