"""Any name that the file system takes can be saved to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from saved_files import NEW, OLD, save

import rnn_native as rn
from rnn_native.formats.files import replacing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="names as POSIX has them")


@pytest.mark.parametrize(
    "name",
    [
        "a" * 255,
        "a" * 254 + "b",
        "ü" * 127,
        "x" + "ü" * 127,
        "a ",
        " ",
        "\n",
        "-",
        "a\\b",
        ".hidden",
        "..a",
        os.fsdecode(b"\xff\xfe"),
        os.fsdecode(b"\xff" * 255),
        ".a." + "0" * 16 + "." + "1" * 16 + ".tmp",
    ],
    ids=ascii,
)
def test_every_name_can_be_saved(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    try:
        path.write_bytes(b"x")
    except OSError:
        pytest.skip("the file system does not take it")
    path.unlink()
    save(path, OLD)
    save(path)
    assert [*tmp_path.iterdir()] == [path]
    assert rn.load(path, format="npz").num_parameters == NEW.num_parameters


def test_a_name_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long") as caught:
        save(tmp_path / ("a" * 256))
    assert caught.value.filename == str(tmp_path / ("a" * 256))
    assert not [*tmp_path.iterdir()]


def test_a_relative_path_is_that_of_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with replacing("file") as file:
        file.write(b"x")
        os.chdir("other")
    assert (tmp_path / "file").read_bytes() == b"x"
    assert not [*(tmp_path / "other").iterdir()]


@pytest.mark.parametrize("command", ["convert", "export-c"])
def test_commands_take_names_that_are_no_text(tmp_path: Path, command: str) -> None:
    save(tmp_path / "m.npz")
    out = tmp_path / os.fsdecode(b"\xff.npz" if command == "convert" else b"\xff")
    process = subprocess.run(
        [sys.executable, "-P", "-m", "rnn_native.cli", command, tmp_path / "m.npz", out],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert (process.returncode, process.stderr) == (0, b"")
    assert out.exists()
