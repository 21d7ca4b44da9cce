"""RNNoise's text networks against what its own code made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rnnoise_file as file

import rnn_native as rn
from rnn_native import reference
from rnn_native.errors import FormatError, RnnError, UnsupportedError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "small.rnnn"
    path.write_text(file.text())
    return path


def test_gains_and_speech_are_those_of_rnnoise(path: Path) -> None:
    """Its table of tanh is up to 1e-5 off, and what comes of it as much."""
    model, x = rn.load(path), file.frames()[:, None]
    for y in (reference.run(model.spec, x)[0], model(x)[0]):
        found = np.concatenate([y["gains"][:, 0], y["vad"][:, 0]], axis=1)
        assert np.abs(found - file.OUTPUTS).max() <= 1e-5
    stream = model.stream()
    for step, expected in zip(x, file.OUTPUTS, strict=True):
        made = stream.step(step)
        assert np.abs(np.append(made["gains"], made["vad"]) - expected).max() <= 1e-5


@pytest.mark.parametrize(
    ("old", "new", "message", "kind"),
    [
        (file.BEGIN, "", "expected 'rnnoise-nu model file version 1' in front", FormatError),
        (file.BEGIN, "DNNw", "a binary network of RNNoise 0.2", UnsupportedError),
        ("version 1", "version 2", "version 2: version 1 is read", UnsupportedError),
        ("42 3 0", "42 3 7", "input_dense: activation: expected 0, 1 or 2", FormatError),
        ("42 3 0", "42 0 0", "input_dense: units: expected 1 to", FormatError),
        ("42 3 0", "42 1000000 0", "input_dense: 42000000 numbers at 3", FormatError),
        ("42 3 0", "42 3 0 200", "input_dense: expected weights from -128 to 127", FormatError),
        ("42 3 0", "42 3 x", "expected whole numbers and nothing else", FormatError),
        ("42 3 0", "42 3 1-1", "invalid literal", FormatError),
        ("42 3 0", "42 3 " + "1" * 5000, "at most 10 digits", FormatError),
        ("\n4 2 1\n", "\n4 2 1 1\n", "vad_output: inputs: expected 1 to", FormatError),
    ],
)
def test_a_malformed_file(
    old: str, new: str, message: str, kind: type[RnnError], path: Path
) -> None:
    text = file.text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(kind, match=message):
        rn.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text + "5\n", "1 numbers behind the last layer"),
        (lambda text: text[:-4], "vad_output: 1 numbers at|vad_output: 2 numbers at"),
        (
            lambda text: text.replace("\n47 3 2\n", "\n46 3 2\n", 1),
            "noise_gru: activation|expected",
        ),
    ],
)
def test_numbers_that_do_not_add_up(change: Callable[[str], str], message: str, path: Path) -> None:
    path.write_text(change(file.text()))
    with pytest.raises(FormatError, match=message):
        rn.load(path)
