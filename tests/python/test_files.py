"""Saving replaces a file as a whole, and what stands at its path keeps its kind."""

from __future__ import annotations

import ast
import errno
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from saved_files import NEW, OLD, same, save

import rnn_native as rn
from rnn_native.formats import safetensors
from rnn_native.formats.files import replacing
from rnn_native.models.checkpoint import Checkpoint
from rnn_native.sequence_files.outputs import write_states

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kinds and modes as POSIX has them")

# ---- what is no regular file ----


def writer(name: str) -> Callable[[Path], Any]:
    return lambda path: NEW.save(path, name)


def save_checkpoint(path: Path) -> None:
    Checkpoint({}, {}, 0, 0, {"w": np.ones(3, "float32")}, {}, {}).save(path)


MODELS: Final = ("safetensors", "npz", "torch", "onnx")
WRITERS: Final[dict[str, Callable[[Path], Any]]] = {
    **{name: writer(name) for name in MODELS},
    "states": lambda path: write_states(path, {"h": np.zeros((1, 2, 3))}),
    "checkpoint": save_checkpoint,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_fifo_is_written_through(tmp_path: Path, kind: str) -> None:
    if kind == "onnx":
        pytest.importorskip("onnx")
    path, plain = tmp_path / "pipe", tmp_path / "plain"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    got: list[bytes] = []

    def read() -> None:
        os.set_blocking(reader, True)
        with os.fdopen(reader, "rb") as pipe:
            got.append(pipe.read())

    thread = threading.Thread(target=read)
    with open(path, "wb"):  # so that the reader waits for what comes
        thread.start()
        WRITERS[kind](path)
    thread.join()
    WRITERS[kind](plain)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert len(got[0]) == plain.stat().st_size
    plain.write_bytes(got[0])
    if kind in MODELS:
        assert safetensors.dumps(rn.load(plain, kind).spec) == safetensors.dumps(NEW.spec)


def test_a_fifo_that_nobody_reads_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a FIFO that nobody reads") as caught:
        save(tmp_path / "pipe")
    assert caught.value.filename == str(tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # the names of sockets are short
        listening.bind("s")
        with pytest.raises(OSError, match=r"socket|supported") as caught:
            save(tmp_path / "s")
    assert caught.value.filename == str(tmp_path / "s")
    assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)


@pytest.fixture(params=["null", "full"])
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A device of the test's own, as /dev has them: one that takes all, and one that is full."""
    path = tmp_path / request.param
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, {"null": 3, "full": 7}[path.name]))
        os.close(os.open(path, os.O_WRONLY))
    except PermissionError:
        pytest.skip("no device can be made or used here")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="the numbers of devices are Linux's")
def test_a_device_is_written_through(device: Path) -> None:
    if device.name == "null":
        save(device)
    else:
        with pytest.raises(OSError, match="No space left") as caught:
            save(device)
        assert caught.value.filename == str(device)
    assert stat.S_ISCHR(device.stat().st_mode)
    assert [*device.parent.iterdir()] == [device]


@pytest.mark.parametrize("name", ["folder", "folder/", ".", "missing/..", "new/", ""])
def test_a_folder_is_no_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises((IsADirectoryError, FileNotFoundError)) as caught, replacing(name):
        pass
    assert caught.value.filename == name
    assert [*tmp_path.iterdir()] == [tmp_path / "folder"]


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="there is no /dev/fd")
def test_an_open_descriptor_is_written_through(tmp_path: Path) -> None:
    """A file that a shell opened for standard output gets the model, and is the same file."""
    with open(tmp_path / "out", "wb") as out:
        out.write(b"x" * 10_000)
        out.flush()
        before = os.fstat(out.fileno())
        save(Path(f"/dev/fd/{out.fileno()}"))
        assert os.path.samestat(before, os.stat(tmp_path / "out"))
    assert same(tmp_path / "out")
    get, put = os.pipe()
    with os.fdopen(get, "rb") as pipe, os.fdopen(put, "wb"):
        save(Path(f"/dev/fd/{put}"))
        os.close(put)
        (tmp_path / "piped").write_bytes(pipe.read())
        os.open(os.devnull, os.O_WRONLY)  # the number that the block closes
    assert same(tmp_path / "piped")


# ---- links ----


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    for old in (True, False):
        real, link, chain = (tmp_path / f"{name}{old}" for name in ("far/real", "link", "chain"))
        link.symlink_to(os.path.join("far", real.name))
        chain.symlink_to(link)
        if old:
            save(real, OLD)
        save(chain)
        assert link.is_symlink()
        assert chain.is_symlink()
        assert same(real)


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links") as caught:
        save(tmp_path / "a")
    assert (caught.value.errno, caught.value.filename) == (errno.ELOOP, str(tmp_path / "a"))


def test_a_file_of_several_names_stays_one(tmp_path: Path) -> None:
    save(tmp_path / "one", OLD)
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    before = (tmp_path / "one").stat()
    save(tmp_path / "two")
    assert os.path.samestat(before, (tmp_path / "one").stat())
    assert same(tmp_path / "one")
    save(tmp_path / "one", OLD)  # which is shorter
    assert same(tmp_path / "two", OLD)


# ---- errors, and other ways to write ----


def test_an_error_of_the_caller_leaves_the_old_file(tmp_path: Path) -> None:
    save(tmp_path / "file", OLD)
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as file:
        file.write(b"%d" % (1 // 0))
    assert same(tmp_path / "file", OLD)


def test_nothing_else_in_the_package_opens_files_to_write() -> None:
    """Calls that make, replace or remove files stand in one place, and what stands elsewhere is
    named here: the folders of exports and comparisons, a benchmark's own files, and those of
    weights that processes share."""
    root = Path(rn.__file__).parent
    known = {
        "formats/files.py": {"os.replace", "os.open", "os.unlink"},
        "formats/temporaries.py": {"os.open", "os.unlink"},
        "given_files.py": {"write_bytes"},  # into a temporary folder of its own
        "shared_files.py": {"os.open", "os.rename", "os.unlink"},
        "export/folder.py": {"unlink"},
        "comparison/runs.py": {"unlink"},
        "benchmark/child.py": {"open w"},
        "benchmark/rounds.py": {"savez"},
        "cli.py": {"os.open"},
    }
    found: dict[str, set[str]] = {}
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (what := writes(node)):
                found.setdefault(path.relative_to(root).as_posix(), set()).add(what)
    wrong = {name: calls - known.get(name, set()) for name, calls in found.items()}
    assert {name: calls for name, calls in wrong.items() if calls} == {}


def writes(call: ast.Call) -> str | None:
    """What of a file a call may make, replace or remove; None where nothing."""
    function = ast.unparse(call.func)
    last = function.rpartition(".")[2]
    if last in ("write_text", "write_bytes", "unlink", "savefig", "tofile", "rename", "save"):
        own = last == "savefig" and isinstance(call.args[0], ast.Name)  # a text in memory
        if own or (last == "save" and not function.startswith("np.")):
            return None
        return f"os.{last}" if function.startswith("os.") else last
    if function in ("os.open", "os.replace"):
        return function
    if last in ("savez", "savez_compressed"):
        into = ast.unparse(call.args[0])
        return None if into in ("file", "new", "self._file") else "savez"
    if last == "open":
        modes = [a.value for a in call.args if isinstance(a, ast.Constant)]
        if any(isinstance(mode, str) and set(mode) & set("wax+") for mode in modes[-1:]):
            return "open w"
    return None
