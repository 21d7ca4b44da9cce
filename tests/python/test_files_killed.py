"""What a killed writer leaves is removed by the next save to its path, and by no other; writers of
one path at once do each other no harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

import rnn_native as rn
from rnn_native.formats import temporaries
from rnn_native.formats.files import replacing

pytestmark = pytest.mark.skipif(temporaries.fcntl is None, reason="no locks of files here")

# Writes, tells so, and waits for a line or its end.
WRITER: Final = """
import sys
from rnn_native.formats.files import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"new")
    file.flush()
    print("ready", flush=True)
    sys.stdin.readline()
"""

SAVER: Final = """
import sys, rnn_native as rn
model = rn.GRU(16, int(sys.argv[2])).model
for _ in range(20):
    model.save(sys.argv[1])
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[str]]:
    with start(WRITER, path) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


def kill(path: Path) -> None:
    with writing(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()


NAMES: Final = ["model.npz", "a" * 251 + ".npz", os.fsdecode(b"\xff.npz"), "a.npz "]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_next_save_removes_what_a_killed_writer_left(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with writing(path) as one, writing(path) as other:
        for process in (one, other):
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert len(left(tmp_path)) == 2
    rn.GRU(2, 3).model.save(path, format="npz")
    assert [*tmp_path.iterdir()] == [path]


def test_links_to_a_path_are_that_path(tmp_path: Path) -> None:
    (tmp_path / "link.npz").symlink_to("model.npz")
    kill(tmp_path / "link.npz")
    rn.GRU(2, 3).model.save(tmp_path / "model.npz")
    assert not left(tmp_path)


def test_what_was_for_another_path_stays(tmp_path: Path) -> None:
    """Also where the names differ past the part of them that a temporary file shows."""
    long = "a" * 200
    for name in ("model.npz", f"{long}1.npz", "model"):
        kill(tmp_path / name)
    others = {".model.npz.tmp", ".model.npz." + "0" * 16 + "." + "1" * 16 + ".tmp", "x.tmp"}
    for other in others:
        (tmp_path / other).write_bytes(b"mine")
    before = set(left(tmp_path))
    for name in ("other.npz", f"{long}2.npz", "odel.npz", "model.npz.npz"):
        rn.GRU(2, 3).model.save(tmp_path / name)
    assert set(left(tmp_path)) == before
    rn.GRU(2, 3).model.save(tmp_path / "model.npz")
    assert len(before - set(left(tmp_path))) == 1


def test_what_a_living_writer_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with writing(path) as process:
        before = left(tmp_path)
        rn.GRU(2, 3).model.save(path)
        assert left(tmp_path) == before
        assert rn.load(path).input_size == 2
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait() == 0
    assert path.read_bytes() == b"new"
    assert not left(tmp_path)


def test_what_a_thread_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with replacing(path) as file:
        file.write(b"new")
        rn.GRU(2, 3).model.save(path)
        assert len(left(tmp_path)) == 1
    assert path.read_bytes() == b"new"


def test_names_that_only_look_like_it_are_not_followed(tmp_path: Path) -> None:
    """A link with the name of a temporary file is not a killed writer's, nor is a FIFO."""
    path, precious = tmp_path / "model.npz", tmp_path / "precious"
    precious.write_bytes(b"mine")
    start_of = temporaries.path_for(str(tmp_path), "model.npz")
    os.symlink(precious, start_of)
    os.mkfifo(temporaries.path_for(str(tmp_path), "model.npz"))
    rn.GRU(2, 3).model.save(path)
    assert precious.read_bytes() == b"mine"
    assert os.path.islink(start_of)


@pytest.mark.parametrize("linked", [False, True])
def test_several_save_to_one_path_at_once(tmp_path: Path, linked: bool) -> None:
    """Every one succeeds, and the file is one of theirs, whole; in place, too."""
    path = tmp_path / "model.npz"
    if linked:
        rn.GRU(16, 8).model.save(path)
        (tmp_path / "other").hardlink_to(path)
    sizes = (8, 16, 24)
    savers = [start(SAVER, path, size) for size in sizes for _ in range(2)]
    ends = []
    while any(saver.poll() is None for saver in savers):
        if path.exists() and not linked:
            ends.append(rn.load(path).output_size)
    for saver in savers:
        with saver:
            assert saver.wait() == 0
    assert {*ends, rn.load(path).output_size} <= set(sizes)
    assert not left(tmp_path)


def test_several_threads_save_to_one_path_at_once(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    models = [rn.GRU(16, size).model for size in (8, 16, 24)]
    failures: list[BaseException] = []

    def save(model: rn.Model) -> None:
        try:
            for _ in range(20):
                model.save(path)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=save, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rn.load(path).output_size in (8, 16, 24)
    assert not left(tmp_path)


def test_a_file_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between the two is all that another writer can take a new file for left in."""
    real, swept = temporaries.fcntl.flock, []

    def flock(file: int, operation: int) -> None:
        if not swept:
            swept.extend(left(tmp_path))
            os.unlink(tmp_path / swept[0])
        real(file, operation)

    monkeypatch.setattr(temporaries.fcntl, "flock", flock)
    rn.GRU(2, 3).model.save(tmp_path / "model.npz")
    assert len(swept) == 1
    assert rn.load(tmp_path / "model.npz").input_size == 2
    assert not left(tmp_path)


def test_a_file_system_without_locks_can_be_saved_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken for left there."""
    path = tmp_path / "model.npz"
    kill(path)

    def flock(file: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(temporaries.fcntl, "flock", flock)
    rn.GRU(2, 3).model.save(path)
    assert len(left(tmp_path)) == 1
    assert rn.load(path).input_size == 2
