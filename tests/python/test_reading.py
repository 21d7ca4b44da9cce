"""A file that others change or cut short while it is read is an error that names it: never a crash,
a wrong result or an output that is half written."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native.formats import npy, reading
from rnn_native.formats.npz import Archive, open_archive
from rnn_native.sequence_files import inputs, lines

MODEL: Final = rn.LSTM(3, 4).model


def cut(path: Path) -> None:
    """Half of the file goes."""
    os.truncate(path, path.stat().st_size // 2)


def grow(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"1,2,3\n")


def rewrite(path: Path) -> None:
    """As many bytes, at a time that no clock takes for that of before."""
    size, time = path.stat().st_size, path.stat().st_mtime_ns
    with open(path, "r+b") as file:
        file.seek(size // 2)
        file.write(b"\x01")
    os.utime(path, ns=(time, time + 10**9))


CHANGES: Final[dict[str, Callable[[Path], None]]] = {
    "cut": cut,
    "grown": grow,
    "rewritten": rewrite,
}


# ---- the command ----

# Runs the command; its input is changed when the first piece of output is written.
COMMAND: Final = """
import os, sys
from rnn_native import cli
from rnn_native.sequence_files import outputs
sys.path.insert(0, sys.argv[1])
from test_reading import CHANGES
from pathlib import Path
change, source, kind = CHANGES[sys.argv[2]], Path(sys.argv[3]), sys.argv[4]
output = outputs._KINDS[kind]
write = output.write
done = []
def writing(self, y):
    if not done:
        done.append(1)
        change(source)
    write(self, y)
output.write = writing
sys.exit(cli.main(["run", *sys.argv[5:]]))
"""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("source", ["x.npy", "f.npy", "rows.npy", "x.csv"])
@pytest.mark.parametrize("output", ["y.npy", "y.csv"])
def test_an_input_that_changes_is_an_error(
    tmp_path: Path, change: str, source: str, output: str
) -> None:
    MODEL.save(tmp_path / "m.npz")
    x = np.zeros((50_000, 1, 3), np.float32)  # far past what is read ahead
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "f.npy", np.asfortranarray(x))
    np.save(tmp_path / "rows.npy", x.swapaxes(0, 1))
    (tmp_path / "x.csv").write_text("1,2,3\n" * len(x))
    (tmp_path / output).write_text("before")
    rows = ["--batch-first"] if source == "rows.npy" else []
    given = ["m.npz", source, "-o", output, "--chunk", "1000", *rows]
    own = [Path(__file__).parent, change, tmp_path / source, Path(output).suffix]
    process = subprocess.run(
        [sys.executable, "-P", "-c", COMMAND, *own, *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.startswith(f"rnn-native run: {source}: ")
    assert process.stderr.count("\n") == 1
    assert "while it was read" in process.stderr
    assert (tmp_path / output).read_text() == "before"
    assert not [*tmp_path.glob(".*")]


def test_the_last_line_of_a_file_that_is_cut_is_no_step(tmp_path: Path) -> None:
    """Although the numbers that are left of it could be one."""
    path = tmp_path / "x.csv"
    path.write_text("1,2,3\n" * 10_000)
    with open(path, "rb") as file:
        pieces = lines.LinesInput(str(path), file, 3, np.dtype(np.float32)).pieces(1)
        next(pieces)
        os.truncate(path, 6 * 9_999 - 1)
        with pytest.raises(rn.FormatError, match=r"x\.csv: the file was changed"):
            list(pieces)


def cut_between(archive: Archive, path: Path) -> None:
    archive.read("a")
    cut(path)
    archive.read("b")


def test_an_archive_that_is_cut_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.zeros(100_000), b=np.zeros(100_000))
    with pytest.raises(rn.FormatError, match="changed while"), open_archive(path) as archive:
        cut_between(archive, path)
    with pytest.raises(rn.FormatError, match=r"x\.npz"):
        inputs.open_npz(path, "b")


# ---- model files ----


@pytest.fixture
def changing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], None]:
    """A file that is changed as soon as it begins to be read."""

    def set_up(path: Path, change: str) -> None:
        real, done = reading.Watch.__init__, []

        def begin(self: reading.Watch, file: IO[Any]) -> None:
            real(self, file)
            if not done and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                done.append(path)
                CHANGES[change](path)

        monkeypatch.setattr(reading.Watch, "__init__", begin)

    return set_up


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("suffix", ["safetensors", "npz", "pt", "onnx"])
def test_a_model_that_changes_is_an_error(
    tmp_path: Path, suffix: str, change: str, changing: Callable[[Path, str], None]
) -> None:
    if suffix == "onnx":
        pytest.importorskip("onnx")
    path = tmp_path / f"m.{suffix}"
    rn.LSTM(30, 40).model.save(path)
    rn.load(path)
    changing(path, change)
    with pytest.raises(rn.FormatError, match="while it was read") as caught:
        rn.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_strings_of_a_model_that_changes_are_an_error(
    tmp_path: Path, changing: Callable[[Path, str], None]
) -> None:
    from rnn_native import formats

    path = tmp_path / "m.safetensors"
    MODEL.save(path)
    changing(path, "grown")
    with pytest.raises(rn.FormatError, match="while it was read"):
        formats.strings(path)


def test_tensors_beside_a_model_that_change_are_an_error(tmp_path: Path) -> None:
    """Between one and the next, too."""
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    rn.LSTM(30, 40).model.save(path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="data", size_threshold=0)
    rn.load(path)
    real, done = reading.read_exactly, []

    def read(file: Any, begin: int, size: int) -> bytes:
        data = real(file, begin, size)
        if not done:
            done.append(1)
            rewrite(tmp_path / "data")
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnn_native.formats.onnx.tensors.read_exactly", read)
        with pytest.raises(rn.FormatError, match="'data': the file was changed"):
            rn.load(path)


def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    if not os.path.exists("/dev/fd"):
        pytest.skip("there is no /dev/fd")
    for format in ("safetensors", "torch"):
        MODEL.save(tmp_path / "m", format)
        get, put = os.pipe()
        with os.fdopen(get, "rb"):
            with os.fdopen(put, "wb") as pipe:
                pipe.write((tmp_path / "m").read_bytes())
            assert rn.load(f"/dev/fd/{get}", format).num_parameters == MODEL.num_parameters


# ---- how files are read ----


def test_nothing_is_mapped() -> None:
    """A mapped file that shrinks ends the process, and no check comes before that. But for weights
    that processes share: files of our own, which nobody else can write."""
    root = Path(rn.__file__).parent
    for path in set(root.rglob("*.py")) - {root / "shared_files.py"}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [getattr(node, key, None) for key in ("id", "attr", "arg", "name")]
            assert not {"memmap", "mmap", "mmap_mode"} & {*names}, path


@given(st.data())
def test_parts_of_an_array_are_those_of_all_of_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever the order, the axis and the type."""
    shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    dtype = data.draw(st.sampled_from(["<f4", ">f8", "<i8", "?", "<U3", "<c8"]))
    count = int(np.prod(shape))
    array = (np.arange(count) % 7).astype(dtype).reshape(shape)
    if data.draw(st.booleans()):
        array = np.asfortranarray(array)
    path = tmp_path_factory.mktemp("parts") / "x.npy"
    np.save(path, array)
    axis = data.draw(st.integers(0, len(shape) - 1))
    start = data.draw(st.integers(0, shape[axis]))
    stop = data.draw(st.integers(start, shape[axis]))
    expected = array[(slice(None),) * axis + (slice(start, stop),)]
    with open(path, "rb", buffering=0) as file:
        stored = npy.Stored(file)
        part, whole = stored.read(axis, start, stop), stored.read_all()
    assert (part.dtype, part.shape, whole.shape) == (array.dtype, expected.shape, array.shape)
    assert part.tolist() == expected.tolist()
    assert whole.tolist() == array.tolist()
