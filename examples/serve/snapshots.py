"""A file with all streams that can go on: the pool's state, what the network remembers beside it,
and answers that clients may not have. It is an .npz, whose parts zip checks by their CRC; a new
file takes the old one's place as a whole.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 1


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
        "version": VERSION,
        "network": snapshot.network,
        "streams": [asdict(saved) for saved in snapshot.streams],
    }
    parts = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "kept": np.frombuffer(snapshot.kept, np.uint8),
        "pool": np.frombuffer(snapshot.pool, np.uint8),
    }
    memory = {f"memory_{name}": array for name, array in snapshot.memory.items()}
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            np.savez(file, **parts, **memory)
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
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays["about"].tobytes())
        version = about["version"]
        if version != VERSION:
            raise SnapshotError(f"{path}: expected version {VERSION}, got {version!r}")
        if about["network"] != network:
            raise SnapshotError(f"{path}: expected streams of {network}, got {about['network']!r}")
        snapshot = Snapshot(
            network,
            [Saved(**saved) for saved in about["streams"]],
            arrays["kept"].tobytes(),
            {
                name.removeprefix("memory_"): array
                for name, array in arrays.items()
                if name.startswith("memory_")
            },
            arrays["pool"].tobytes(),
        )
    except SnapshotError:
        raise
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
        raise SnapshotError(f"{path}: expected a snapshot of this server ({error})") from error
    if len(snapshot.kept) != sum(saved.kept for saved in snapshot.streams):
        raise SnapshotError(f"{path}: expected the answers of its streams, got others")
    return snapshot
