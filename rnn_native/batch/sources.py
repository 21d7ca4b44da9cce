"""Where a worker's model comes from: a file, or the bytes of one that travel with the task.

A process keeps the models that it used last, by where they came from: tasks that run in it one
after another or at once load one copy, whatever copies of a ``Predictor`` the engine made.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import DTypeError, OptionError
from ..loading import load
from ..model import Model
from .signature import Signature, signature_of

_KEPT: Final = 4  # models; those that are in use stay in memory besides


@dataclass(frozen=True)
class Source:
    """``path``, or ``data``, the bytes of a .safetensors file; ``options`` are those of ``load``.
    ``digest`` tells options and bytes apart."""

    path: str | None
    data: bytes | None = field(repr=False)
    options: Mapping[str, Any]
    digest: str

    def key(self) -> tuple[Any, ...]:
        """What the model is known by in a process. A file that has been replaced is another."""
        if self.path is None:
            return (self.digest,)
        stat = os.stat(self.path)
        return self.digest, self.path, stat.st_ino, stat.st_size, stat.st_mtime_ns

    def load(self) -> Model:
        given = self.data if self.path is None else self.path
        assert given is not None
        return load(given, **self.options)


def source_of(model: Any, options: Mapping[str, Any]) -> Source:
    """Of a path, which is read by whoever loads it, or of a model, which is taken as it is now.

    ``OptionError`` for options beside a model, and for such as cannot be pickled; ``DTypeError``
    for anything else.
    """
    model = getattr(model, "model", model)  # of an rn.LSTM
    if isinstance(model, Model):
        if options:
            raise OptionError(
                f"Predictor: {', '.join(options)}: of a file alone; a Model has its own already"
            )
        data = _bytes_of(model)
        own = {"matmul": model.matmul}
        return Source(None, data, own, _digest(data, repr(own).encode()))
    try:
        path = os.path.abspath(os.fsdecode(model))
    except TypeError:
        raise DTypeError(
            "Predictor: expected the path of a model file, an rn.Model or an rn.RNN, GRU or LSTM; "
            f"got {type(model).__name__}"
        ) from None
    try:
        packed = pickle.dumps(options)
    except Exception as error:
        raise OptionError(f"Predictor: options that a worker can be sent: {error}") from error
    return Source(path, None, dict(options), _digest(packed))


def _bytes_of(model: Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        model.save(path)
        return path.read_bytes()


def _digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


@dataclass(frozen=True)
class Ready:
    """A model that is loaded, and what it takes and gives."""

    model: Model
    signature: Signature


class _Slot:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ready: Ready | None = None


_slots: OrderedDict[tuple[Any, ...], _Slot] = OrderedDict()
_lock = threading.Lock()


def ready(source: Source) -> Ready:
    """The model of this source, loaded by the first call in the process; others wait for it.

    Raises what ``load`` raises; the next call then tries again.
    """
    key = source.key()
    with _lock:
        slot = _slots.setdefault(key, _Slot())
        _slots.move_to_end(key)
        while len(_slots) > _KEPT:
            _slots.popitem(last=False)
    with slot.lock:
        if slot.ready is None:
            model = source.load()
            slot.ready = Ready(model, signature_of(model))
        return slot.ready


def _in_child() -> None:
    """After a fork: locks that another thread held are nobody's; what is loaded is there."""
    global _lock
    _lock = threading.Lock()
    for key, slot in list(_slots.items()):
        slot.lock = threading.Lock()
        if slot.ready is None:
            del _slots[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
