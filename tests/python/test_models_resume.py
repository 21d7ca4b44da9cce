"""A fit that is killed goes on from its checkpoint, and ends with the bits of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.models import GRUModel, LSTMModel
from rnn_native.models import checkpoint as checkpoints

FIT = """
import sys, time
import numpy as np
from rnn_native.models import LSTMModel

def fit(checkpoint, pause=0.0, epochs=12, **options):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 9, 4)).astype(np.float32)
    lengths = rng.integers(1, 10, 40)
    y = rng.integers(3, size=40)

    def schedule(update):
        time.sleep(pause)
        return 1.0 / (1 + update)

    model = LSTMModel(4, 8, 3, num_layers=2, dropout=0.25)
    options = {"seed": 5, "validation": 0.25, "patience": 50, "schedule": schedule, **options}
    return model.fit(x, y, lengths=lengths, checkpoint=checkpoint, batch_size=8, epochs=epochs,
                     **options)

if __name__ == "__main__":
    fit(sys.argv[1], pause=0.02)
"""
KEPT = ("loss", "grad_norm", "learning_rate", "val_loss", "val_score")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fitting_script.py").write_text(FIT)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("fitting_script", None)
    return tmp_path


def run(*arguments: Any, **options: Any) -> LSTMModel:
    import fitting_script  # type: ignore[import-not-found]

    model: LSTMModel = fitting_script.fit(*arguments, **options)
    return model


def equal(one: LSTMModel, two: LSTMModel) -> bool:
    pairs = zip(one.spec_.layers, two.spec_.layers, strict=True)
    return all(
        np.array_equal(a.arrays[name], b.arrays[name]) for a, b in pairs for name in a.arrays
    )


def test_a_killed_fit_ends_as_if_it_had_not_been(folder: Path) -> None:
    checkpoint = folder / "run.checkpoint"
    process = subprocess.Popen(
        [sys.executable, "-P", str(folder / "fitting_script.py"), str(checkpoint)]
    )
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    time.sleep(0.1)  # somewhere within the next epochs
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    _, tensors = checkpoints.unpack(checkpoint.read_bytes())
    assert len(tensors) > 0  # whole, whenever it was killed
    killed = run(checkpoint)
    straight = run(None)
    for name in KEPT:
        assert killed.history_[name] == straight.history_[name], name
    assert len(straight.history_["loss"]) == 12
    assert killed.best_epoch_ == straight.best_epoch_
    assert equal(killed, straight)


@pytest.mark.parametrize("first", [1, 11, 12])
def test_a_fit_in_two_parts_is_one(folder: Path, first: int) -> None:
    """Also where nothing is left to do: what a finished fit learnt is read from its checkpoint."""
    options = {"schedule": "constant"}
    run(folder / "c", epochs=first, **options)
    two, one = run(folder / "c", **options), run(None, **options)
    assert [two.history_[name] for name in KEPT] == [one.history_[name] for name in KEPT]
    assert equal(one, two)


def test_a_checkpoint_of_another_fit_is_refused(folder: Path) -> None:
    checkpoint = folder / "c"
    run(checkpoint, epochs=2)
    before = checkpoint.read_bytes()
    for options, text in (
        ({"seed": 6}, "seed"),
        ({"validation": 0.5}, "data, validation"),
        ({"max_norm": None}, "max_norm"),
        ({"optimizer": "sgd"}, "optimizer"),
        ({"schedule": "cosine"}, "schedule"),
        ({"patience": 7}, "patience"),
    ):
        with pytest.raises(rn.OptionError, match=f"differs in .*{text}"):
            run(checkpoint, epochs=2, **options)
    x = np.zeros((4, 3, 4), np.float32)
    with pytest.raises(rn.OptionError, match=r"differs in model, .*hidden_units.*data"):
        GRUModel(4, 5, 3).fit(x, np.zeros(4, int), checkpoint=checkpoint)
    assert checkpoint.read_bytes() == before


def test_fewer_epochs_than_are_done_are_refused(folder: Path) -> None:
    run(folder / "c", epochs=3, schedule="constant")
    with pytest.raises(rn.OptionError, match="epochs: expected at least the 3"):
        run(folder / "c", epochs=2, schedule="constant")


def test_a_file_that_is_no_checkpoint_is_refused(folder: Path) -> None:
    path = folder / "c"
    path.write_bytes(b"torn")
    with pytest.raises(rn.FormatError, match="safetensors"):
        run(path)
    rn.GRU(3, 4).model.save(folder / "model.safetensors")
    with pytest.raises(rn.FormatError, match="not a checkpoint"):
        run(folder / "model.safetensors")
    assert path.read_bytes() == b"torn"


def test_a_checkpoint_is_replaced_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong while one is written leaves the one before."""
    path = folder / "c"
    run(path, epochs=1, schedule="constant")
    before = path.read_bytes()

    def torn(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", torn)
    with pytest.raises(OSError, match="no space left"):
        run(path, epochs=2, schedule="constant")
    assert path.read_bytes() == before
    assert sorted(item.name for item in folder.iterdir() if item.suffix == ".tmp") == []
