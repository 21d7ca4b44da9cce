"""Saving keeps a file's permissions, owner and attributes, and needs those that writing it needs.

What root may do alone is tested where the tests run as root, and what root may not, by a process
that gives its rights up.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from saved_files import NEW, OLD, same, save

import rnn_native as rn
from rnn_native.formats.files import replacing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kinds and modes as POSIX has them")

NOBODY: Final = 65534
ROOT: Final = hasattr(os, "geteuid") and os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="gives files to others, which root alone may")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, in the name of which there is no more than that."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def run_as_nobody(program: str, *arguments: object) -> str:
    """What a program prints that has no rights of root's. It has imported what it needs by then,
    since that may lie where root alone can read."""
    process = subprocess.run(
        [sys.executable, "-P", "-c", BEFORE + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout.strip()


BEFORE: Final = f"""
import os, resource, sys, tempfile, rnn_native as rn
with tempfile.TemporaryDirectory() as folder:
    for format in ("safetensors", "npz", "torch"):
        rn.GRU(3, 4).model.save(os.path.join(folder, "m"), format=format)
big, small = rn.GRU(64, 64).model, rn.GRU(3, 4).model
if {ROOT}:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
"""

SAVE: Final = """
try:
    small.save(sys.argv[1], format="npz")
    print("saved")
except OSError as error:
    print(type(error).__name__, error.filename)
"""


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666, 0o755])
def test_an_old_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "model"
    save(path, OLD)
    path.chmod(mode)
    seen = []
    with replacing(path) as file:
        seen.append(stat.S_IMODE(os.fstat(file.fileno()).st_mode) & ~mode)
        file.write(b"x")
    save(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert seen in ([0], [0o600 & ~mode])  # nor is it open to more while it is written
    assert same(path)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        save(tmp_path / "model")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o666 & ~umask


@as_root
def test_an_old_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, OLD)
    os.chown(path, 1234, 4321)
    path.chmod(0o660)
    save(path)
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 4321, 0o660)


@as_root
def test_a_folder_passes_its_group_on(tmp_path: Path) -> None:
    os.chown(tmp_path, 0, 4321)
    tmp_path.chmod(0o2770)
    save(tmp_path / "model")
    assert (tmp_path / "model").stat().st_gid == 4321


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes here")
def test_an_old_file_keeps_its_attributes(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, OLD)
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    save(path)
    assert os.getxattr(path, "user.note") == b"mine"


@as_root
@pytest.mark.parametrize("mode", [0o755, 0o1777, 0o777])
def test_the_file_of_another_user_is_written_where_that_is_allowed(
    open_folder: Path, mode: int
) -> None:
    """In a folder where nothing can be made, in one where nothing of others' can be replaced, and
    where it could be, but would then be another user's."""
    path = open_folder / "model"
    save(path, OLD)
    path.chmod(0o666)
    open_folder.chmod(mode)
    before = path.stat()
    assert run_as_nobody(SAVE, path) == "saved"
    assert os.path.samestat(before, path.stat())
    assert path.stat().st_uid == os.geteuid()
    assert rn.load(path, format="npz").num_parameters == NEW.num_parameters
    link = open_folder / "link"
    link.symlink_to("model")
    assert run_as_nobody(SAVE, link) == "saved"
    assert link.is_symlink()


def test_a_file_that_is_protected_is_refused(open_folder: Path) -> None:
    folder = open_folder / "own"
    folder.mkdir()
    save(folder / "model", OLD)
    (folder / "model").chmod(0o444)
    if ROOT:
        for path in (folder, folder / "model"):
            os.chown(path, NOBODY, NOBODY)
    assert run_as_nobody(SAVE, folder / "model") == f"PermissionError {folder / 'model'}"
    assert same(folder / "model", OLD)


def test_a_new_file_in_a_closed_folder_is_refused(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    assert run_as_nobody(SAVE, open_folder / "model") == f"PermissionError {open_folder / 'model'}"
    missing = open_folder / "missing" / "model"
    assert run_as_nobody(SAVE, missing) == f"FileNotFoundError {missing}"
    open_folder.chmod(0o755)


# ---- errors ----

LIMITED: Final = """
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
"""


@pytest.mark.parametrize("names", [1, 2])
@pytest.mark.parametrize("format", ["safetensors", "npz", "torch"])
def test_a_disk_that_is_full_leaves_the_old_file(
    open_folder: Path, format: str, names: int
) -> None:
    """A limit on the size of files stands for it; a file of several names is written in place."""
    path = open_folder / "model"
    save(path, OLD)
    if names == 2:
        (open_folder / "two").hardlink_to(path)
    program = LIMITED + SAVE.replace("small", "big").replace("npz", format)
    if ROOT:
        os.chown(open_folder, NOBODY, NOBODY)
        os.chown(path, NOBODY, NOBODY)
    assert run_as_nobody(program, path) == f"OSError {path}"
    assert same(path, OLD)
    assert len([*open_folder.iterdir()]) == names


def test_room_is_taken_before_a_file_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(os, "posix_fallocate"):
        pytest.skip("no room can be taken here")
    path = tmp_path / "one"
    save(path, OLD)
    (tmp_path / "two").hardlink_to(path)

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as caught:
        save(path)
    assert caught.value.filename == str(path)
    assert same(path, OLD)
