"""Files of shared weights: which are used, which are not, who makes them and who removes them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import sharing_workers

import rnn_native as rn
from rnn_native import shared_files

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX's files")
GRU = rn.GRU(8, 24)
X = np.ones((3, 2, 8), np.float32)
Y = GRU(X)[0].tobytes()


def share(folder: Path | bool) -> rn.Model:
    return rn.Model(GRU.spec, shared=folder)


def path_of(model: rn.Model) -> Path:
    assert model._file is not None
    return Path(model._file.path)


def made(folder: Path) -> Path:
    """The file of that model in a folder, which nobody has mapped."""
    share(folder)
    (path,) = folder.iterdir()
    return path


def other_key(data: bytes) -> bytes:
    return data[:8] + bytes(32) + data[40:]


def other_layout(data: bytes) -> bytes:
    """Past a page the weights begin, with what they are stamped with."""
    return data[:4096] + b"?" + data[4097:]


def other_text(data: bytes) -> bytes:
    return data.replace(b"data_offsets", b"data_onsets!")


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "head cut off": lambda data: data[:50],
    "description cut off": lambda data: data[:100],
    "truncated": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "another file": lambda data: b"PK" + data[2:],
    "other key": other_key,
    "other layout": other_layout,
    "other text": other_text,
    "sizes past everything": lambda data: data[:56] + b"\xff" * 24 + data[80:],
}


@pytest.mark.parametrize("change", CONTENTS)
def test_a_file_with_other_content_is_made_anew(tmp_path: Path, change: str) -> None:
    path = made(tmp_path)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(CONTENTS[change](data))
    path.chmod(0o600)
    model = share(tmp_path)
    assert model(X)[0].tobytes() == Y
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == data


@pytest.mark.parametrize("change", CONTENTS)
def test_a_reference_to_other_content_is_refused(tmp_path: Path, change: str) -> None:
    model = share(tmp_path)
    path = path_of(model)
    sent = bytes(ForkingPickler.dumps(model))
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(CONTENTS[change](data))
    path.chmod(0o600)
    with pytest.raises(rn.FormatError):
        pickle.loads(sent)
    again = pickle.loads(pickle.dumps(model))  # which has the weights
    assert again(X)[0].tobytes() == Y
    assert model(X)[0].tobytes() == Y


def a_link(path: Path) -> str:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    return "a symbolic link"


def a_folder(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "a folder"


def a_fifo(path: Path) -> str:
    path.unlink()
    os.mkfifo(path)
    return "no regular file"


def writable_by_others(path: Path) -> str:
    path.chmod(0o620)
    return rf"one of user {os.geteuid()} with permissions 620"


def of_another_user(path: Path) -> str:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, -1)
    return "one of user 12345 with permissions 600"


@POSIX
@pytest.mark.parametrize("become", [a_link, a_folder, a_fifo, writable_by_others, of_another_user])
def test_what_others_could_have_written_is_refused_by_name(
    tmp_path: Path, become: Callable[[Path], str]
) -> None:
    path = made(tmp_path)
    came = become(path)
    with pytest.raises(PermissionError, match=f"got {came}; remove it, or share") as caught:
        share(tmp_path)
    assert caught.value.filename == str(path)
    sent = shared_files.SharedFile
    with pytest.raises(PermissionError):
        sent.open(str(path), bytes.fromhex(path.stem), lasting=True)


@POSIX
def test_a_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    model = share(tmp_path / "a" / "b")
    path = path_of(model)
    assert path.parent == tmp_path / "a" / "b"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path_of(share(tmp_path / "a" / "b")) == path
    own = path_of(share(True)).parent.stat()
    assert stat.S_IMODE(own.st_mode) == 0o700
    assert own.st_uid == os.geteuid()


@POSIX
def test_a_private_store_that_others_own_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, free = tmp_path / "memory", tmp_path / "temporary"
    for root in (taken, free):
        root.mkdir()
    (taken / f"rnn_native-{os.getuid()}").mkdir(0o777)
    (taken / f"rnn_native-{os.getuid()}").chmod(0o777)
    monkeypatch.setattr(shared_files, "_MEMORY", str(taken))
    monkeypatch.setattr(shared_files.tempfile, "tempdir", str(free))
    model = share(True)
    assert path_of(model).parent.parent == free
    (free / f"rnn_native-{os.getuid()}").chmod(0o777)
    lstm = rn.LSTM(3, 4)
    with pytest.raises(
        OSError, match=r"cannot be written: .*memory.*: not this user's alone; .*temp"
    ):
        lstm.model.share()
    assert not lstm.model.is_shared
    assert lstm(np.ones((2, 1, 3), np.float32))[0].shape == (2, 1, 4)


@POSIX
def test_no_room_leaves_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    program = """
import os, resource, sys
import rnn_native as rn
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for shared in (sys.argv[1], True):
    try:
        rn.Model(rn.GRU(8, 24).spec, shared=shared)
    except OSError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(tmp_path)],
        env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    for message in (first, second):
        assert "bytes of weights to be shared cannot be written: " in message
        assert "File too large" in message
        assert message.endswith("shared=False for this process alone")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@POSIX
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    """It is refused, but for what is in it."""
    path = made(tmp_path)
    with pytest.raises(OSError, match="Not a directory"):
        share(path / "below")
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        try:
            assert path_of(share(tmp_path)) == path
            with pytest.raises(PermissionError, match="cannot be written"):
                rn.LSTM(2, 3).model.share(tmp_path)
        finally:
            tmp_path.chmod(0o700)
    elif os.path.isdir("/proc/self"):
        with pytest.raises(OSError, match="cannot be written: /proc/self/rnn"):
            share(Path("/proc/self/rnn"))


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_processes_that_begin_at_once_have_one_file(tmp_path: Path, where: str) -> None:
    lstm = rn.LSTM(64, 128)
    path, store = tmp_path / "model.safetensors", tmp_path / "store"
    lstm.model.save(path)
    x = np.ones((2, 1, 64), np.float32)
    want = lstm(x)[0].tobytes()
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(5), context.Queue()
    folder = str(store) if where == "folder" else True
    processes = [
        context.Process(
            target=sharing_workers.load_when_all_do, args=(barrier, queue, path, folder, x)
        )
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    barrier.wait(120)
    answers = [queue.get(timeout=120) for _ in processes]
    own = rn.load(path, shared=folder)
    kept = path_of(own)
    barrier.wait(120)
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert answers == [(want, True)] * 4
    assert own(x)[0].tobytes() == want
    assert kept.exists()
    beside = [name for name in os.listdir(kept.parent) if kept.stem in name]
    assert beside == [kept.name]
    if where == "folder":
        assert len(list(store.iterdir())) == 1


@POSIX
def test_a_file_in_memory_lives_as_long_as_somebody_has_it() -> None:
    lstm = rn.LSTM(4, 12)
    model = rn.Model(lstm.spec, shared=True)
    path = path_of(model)
    other = rn.Model(lstm.spec, shared=True)
    stream = other.stream()
    del model
    assert path.exists()
    del other
    assert path.exists()  # a stream has the model
    child = os.fork()
    if child == 0:
        del stream
        os._exit(0 if path.exists() else 1)  # not the child's to remove
    assert os.waitpid(child, 0)[1] == 0
    assert path.exists()
    del stream
    assert not path.exists()


@POSIX
def test_a_file_in_a_folder_stays(tmp_path: Path) -> None:
    path = made(tmp_path)
    before = path.stat()
    share(tmp_path)
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@POSIX
def test_what_a_killed_process_left_goes_with_the_next_file() -> None:
    program = """
import os, sys, time
import rnn_native as rn
model = rn.LSTM(5, 7).model.share()
print(model._file.path, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", program], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    mine = rn.LSTM(6, 8)
    mine.model.share()  # sweeps, and finds that somebody has it
    assert left.exists()
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert left.exists()
    rn.LSTM(7, 9).model.share()
    assert not left.exists()
    assert path_of(mine.model).exists()


def test_a_removed_file_is_still_a_model(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("Windows removes no file that is mapped")
    model = share(tmp_path)
    path_of(model).unlink()
    assert model(X)[0].tobytes() == Y
    assert share(tmp_path)(X)[0].tobytes() == Y
