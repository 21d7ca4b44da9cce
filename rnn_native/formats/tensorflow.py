"""TensorFlow's own files, which are several for one model and are not read: what to do instead."""

from __future__ import annotations

import os
import re
from pathlib import PurePath

_SHARD = re.compile(r"\.data-\d+-of-\d+")
_OUT = (
    "In a program that has the model, model.save('model.keras') or model.save('model.h5') writes "
    "what is read here, of a class of one's own model.save_weights('model.weights.h5')"
)


def refusal(path: str | os.PathLike[str]) -> str | None:
    """Why the path, if it is of a SavedModel or a checkpoint by its names, is not read."""
    pure = PurePath(path)
    name = pure.name.lower()
    if name == "saved_model.pb" or os.path.isfile(os.path.join(path, "saved_model.pb")):
        return (
            "a SavedModel of TensorFlow is not read, whose folder has a graph and its weights. "
            f"{_OUT}; tf.keras.models.load_model makes the model of it"
        )
    if name == "checkpoint" or pure.suffix.lower() in (".index", ".ckpt") or _SHARD.fullmatch(
        pure.suffix.lower()
    ):  # fmt: skip
        return (
            "a checkpoint of TensorFlow is not read, whose weights lie in .index and .data files. "
            f"{_OUT}; model.load_weights takes them from it first"
        )
    return None
