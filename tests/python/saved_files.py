"""Two models to be saved one after the other, and whether a file is one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import rnn_native as rn
from rnn_native.formats import safetensors

OLD: Final = rn.GRU(2, 3).model
NEW: Final = rn.GRU(3, 4).model


def save(path: Path, model: rn.Model = NEW) -> None:
    model.save(path, format="npz")


def same(path: Path, model: rn.Model = NEW) -> bool:
    """Whether the file is this model, whole, and no temporary file lies beside it."""
    assert not list(path.parent.glob(".*.tmp"))
    return safetensors.dumps(rn.load(path, format="npz").spec) == safetensors.dumps(model.spec)
