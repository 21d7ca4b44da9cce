"""Every warning points at the line that called the package, whichever door it went through."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_files as kf
import numpy as np
import pytest
import torch_files as tf

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import keras, npz, plain, safetensors
from rnn_native.formats import torch as torch_format
from rnn_native.models import GRUModel

STATE_DICT = {f"lstm.{name}": array for name, array in rn.LSTM(3, 4).state_dict().items()}
STATE_DICT["fc.weight"] = np.ones((2, 4), np.float32)
LEFT_OUT, ASSUMED, TURNED = "left out: fc.weight", "weights alone", r"y\[::-1\]"

Door = Callable[[Path], Any]


def of_module(module: Any) -> Door:
    return lambda path: module.read(path)  # the line of the call


DOORS: dict[str, Door] = {
    "rn.load": lambda path: rn.load(path),
    "formats.read": lambda path: formats.read(path),
}


def file_of(kind: str, folder: Path) -> Path:
    if kind == "npz":
        np.savez(folder / "model.npz", **STATE_DICT)
        return folder / "model.npz"
    path = folder / f"model.{kind}"
    if kind == "safetensors":
        path.write_bytes(b"".join(safetensors.pack(STATE_DICT, {})))
    elif kind == "pt":
        path.write_bytes(tf.zip_file(tf.state_dict(STATE_DICT)))
    elif kind == "hdf5":
        return kf.write_h5(path, None, {"rnn": kf.lstm(3, 4)}, "2.3.0")
    elif kind == "turned.h5":
        layer = kf.recurrent("LSTM", "a", 4, go_backwards=True, return_sequences=True)
        return kf.write_h5(path, kf.sequential(kf.start("x"), layer), {"a": kf.lstm(3, 4)})
    return path


KINDS = {
    "safetensors": (LEFT_OUT, safetensors),
    "npz": (LEFT_OUT, npz),
    "pt": (LEFT_OUT, torch_format),
    "hdf5": (ASSUMED, keras),
    "turned.h5": (TURNED, keras),
}


@pytest.mark.parametrize("door", [*DOORS, "module.read"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_warns_at_the_line_that_reads_it(kind: str, door: str, tmp_path: Path) -> None:
    text, module = KINDS[kind]
    path = file_of(kind, tmp_path)
    act = DOORS.get(door) or of_module(module)
    with pytest.warns(UserWarning, match=text) as caught:
        act(path)
    (warning,) = caught
    assert warning.filename == __file__
    assert warning.lineno == act.__code__.co_firstlineno


def test_tensors_at_hand_warn_at_the_line_that_gives_them() -> None:
    data = b"".join(safetensors.pack(STATE_DICT, {}))
    for act in (lambda: safetensors.loads(data), lambda: plain.from_state_dict(STATE_DICT)):
        with pytest.warns(UserWarning, match=LEFT_OUT) as caught:
            act()
        assert [(w.filename, w.lineno) for w in caught] == [(__file__, act.__code__.co_firstlineno)]


def test_a_model_that_learns_warns_at_the_line_that_asks() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3, 2))
    y = np.array([0, 1, 0, 1])
    model = GRUModel(input_dim=2, hidden_units=3, output_dim=2).fit(x, y, epochs=1)
    for text, act in (
        ("score: ", lambda: model.score(x, np.ones(4, int))),
        ("column-vector", lambda: model.score(x, y[:, np.newaxis])),
        ("column-vector", lambda: model.fit(x, y[:, np.newaxis], epochs=1)),
    ):
        with pytest.warns(UserWarning, match=text) as caught:
            act()
        assert [(w.filename, w.lineno) for w in caught] == [(__file__, act.__code__.co_firstlineno)]


def test_each_line_is_warned_once(tmp_path: Path) -> None:
    """By Python's default filter, which goes by the line: two lines that read are two warnings."""
    path = file_of("npz", tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            rn.load(path)
        rn.load(path)
    assert len({warning.lineno for warning in caught}) == len(caught) == 2


def test_no_part_of_the_package_warns_in_another_way() -> None:
    """A stacklevel that is counted by hand is right for one door."""
    folder = Path(rn.__file__).parent
    found = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*.p*"))
        if path.suffix in (".py", ".pyx", ".pxi")
        and re.search(r"\bwarnings\.warn(_explicit)?\(|import warn\b.*warnings", path.read_text())
    ]
    assert found == ["warn.py"]
