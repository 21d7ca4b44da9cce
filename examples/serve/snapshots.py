"""A file with all streams that can go on: the pool's state, what the network remembers beside it,
and answers that clients may not have. It is an .npz behind its own hash, which is checked before
anything is read; a new file takes the old one's place as a whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"rnn_native/serve 1\n"


class SnapshotError(ValueError):
    """A file is no snapshot, a damaged one, or one of another network."""


@dataclass(frozen=True)
class Saved:
    """A stream in a snapshot."""

    id: int
    token: str
    format: str
    step: int
    answered: int
    ended: bool
    kept: int  # bytes of answers


@dataclass(frozen=True)
class Snapshot:
    network: str
    streams: list[Saved]
    kept: bytes  # of all streams, one behind the other
    memory: dict[str, NDArray[Any]]  # a row for each stream
    pool: bytes


def write(path: Path, snapshot: Snapshot) -> None:
    about = {
        "network": snapshot.network,
        "streams": [asdict(saved) for saved in snapshot.streams],
    }
    parts: dict[str, Any] = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "kept": np.frombuffer(snapshot.kept, np.uint8),
        "pool": np.frombuffer(snapshot.pool, np.uint8),
    }
    parts |= {f"memory_{name}": array for name, array in snapshot.memory.items()}
    body = io.BytesIO()
    np.savez(body, **parts)
    beside = path.with_name(f"{path.name}.tmp")  # one name, whatever a killed server has left
    own = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it has tokens
    try:
        with os.fdopen(own, "wb") as file:
            file.write(MAGIC + hashlib.sha256(body.getbuffer()).digest())
            file.write(body.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too
    finally:
        os.close(folder)


def read(path: Path, network: str) -> Snapshot:
    """Raises ``SnapshotError`` where the file is none of this network."""
    data = path.read_bytes()
    begin = len(MAGIC) + hashlib.sha256().digest_size
    if not data.startswith(MAGIC):
        raise SnapshotError(f"{path}: expected a snapshot of this version of the server")
    if hashlib.sha256(data[begin:]).digest() != data[len(MAGIC) : begin]:
        raise SnapshotError(f"{path}: expected a whole snapshot, this one is damaged")
    with np.load(io.BytesIO(data[begin:]), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(arrays["about"].tobytes())
    if about["network"] != network:
        raise SnapshotError(
            f"{path}: expected streams of {network}, got those of {about['network']}"
        )
    memory = {
        name.removeprefix("memory_"): array
        for name, array in arrays.items()
        if name.startswith("memory_")
    }
    return Snapshot(
        network,
        [Saved(**saved) for saved in about["streams"]],
        arrays["kept"].tobytes(),
        memory,
        arrays["pool"].tobytes(),
    )
