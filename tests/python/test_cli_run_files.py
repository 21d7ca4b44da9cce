"""``rnn-native run``: files that are read are checked, those that are written are whole or as they
were."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cli_runs import BATCH, RNG, TIME, Run, same, save
from strategies import random_input

from rnn_native.sequence_files import outputs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n1,2\n", "line 2: expected 3 numbers, commas between them; got '1,2'"),
        ("1,2,3\n1,2,3,4\n", "line 2: expected 3 numbers"),
        ("1,2,3\n\n1,2,3\n", "line 2: empty, with more behind it"),
        ("a,b,c\n1,2,3\n", "line 1: expected 3 numbers, commas between them; got 'a,b,c'; a first"),
        ("1,2,3\n" * 70 + "1,x,3\n", "line 71: expected 3 numbers"),
        ("1;2;3\n", "line 1: expected 3 numbers"),
        ("1,2,3\n1,2,#3\n", "line 2: expected 3 numbers"),
        ("1,2,3\n1,2,3" + " " * 9999 + "\n", "line 2: longer than 1216 bytes, for 3 numbers"),
        ("1,2,\x1b[31m3\n", r"'1,2,\x1b[31m3'"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(
    text: str, message: str, tmp_path: Path, run: Run
) -> None:
    save(tmp_path, "gru")
    (tmp_path / "x.csv").write_text(text)
    (tmp_path / "y.csv").write_text("before")
    for chunk in ([], ["--chunk", "1"]):
        status, out, err = run("model.npz", "x.csv", "-o", "y.csv", *chunk)
        assert (status, out) == (2, "")
        assert err.startswith("rnn-native run: x.csv: ")
        assert message in err
        assert err.count("\n") == 1
        assert (tmp_path / "y.csv").read_text() == "before"


def test_a_line_of_names_and_the_marks_of_other_programs_are_passed(
    tmp_path: Path, run: Run
) -> None:
    _, model = save(tmp_path, "gru")
    (tmp_path / "x.csv").write_bytes(
        b"\xef\xbb\xbfone,two,three\r\n 1, 2,3e0\r\n-0.5,nan,inf\r\n\r\n"
    )
    assert run("model.npz", "x.csv", "-o", "y.npy", "--header") == (0, "", "")
    x = np.array([[[1, 2, 3]], [[-0.5, np.nan, np.inf]]], np.float32)
    same(np.load(tmp_path / "y.npy"), model(x)[0][:, 0])
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbf1,2,3\n")
    assert run("model.npz", "x.csv", "-o", "y.npy") == (0, "", "")


def test_an_index_is_an_integer(tmp_path: Path, run: Run) -> None:
    save(tmp_path, "words")
    for text in ("1\n2.0\n", "1\n1,2\n", "1\n99999999999999999999\n"):
        (tmp_path / "x.csv").write_text(text)
        status, _, err = run("model.npz", "x.csv")
        assert status == 2
        assert "x.csv: line 2: expected an index; got" in err


@pytest.mark.parametrize("kind", ["npy", "text", "lines", "stated"])
def test_lengths_come_in_files_too(kind: str, tmp_path: Path, run: Run) -> None:
    spec, model = save(tmp_path, "gru")
    x = random_input(spec, TIME, BATCH, RNG)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "n.npy", np.array([2, 11, 7], np.int32))
    (tmp_path / "n.txt").write_text("2,11\n7\n" if kind == "text" else "2\n11\n7\n")
    given = {"npy": "n.npy", "text": "n.txt", "lines": "n.txt", "stated": "2,11,7"}[kind]
    assert run("model.npz", "x.npy", "-o", "y.npy", "--lengths", given, "--chunk", "3")[0] == 0
    same(np.load(tmp_path / "y.npy"), model(x, lengths=[2, 11, 7])[0])


ERRORS: list[tuple[list[str], str]] = [
    (["none.npz", "x.npy"], "none.npz: No such file"),
    (["model.npz", "none.npy"], "none.npy: No such file"),
    (["model.npz", "x.txt"], "x.txt: expected the suffix .npy, .npz, .csv; got '.txt'"),
    (["model.npz", "torn.npy"], "torn.npy: npy: not an array: EOF"),
    (["model.npz", "short.npy"], "short.npy: npy: float32 of shape (11, 3, 3) takes 396 bytes; th"),
    (["model.npz", "objects.npy"], "objects.npy: npy: expected numbers or text, got dtype object"),
    (["model.npz", "torn.npz"], "torn.npz: npz: not a readable archive"),
    (["model.npz", "x.npy", "--key", "x"], "--key: only for an .npz INPUT"),
    (["model.npz", "x.npy", "--header"], "--header: only for a .csv INPUT"),
    (["model.npz", "two.npz"], "two.npz: several arrays; --key chooses one of a, b"),
    (["model.npz", "two.npz", "--key", "c"], "two.npz: no array 'c'; --key chooses one of a, b"),
    (["model.npz", "renamed.npz"], "renamed.npz: npz: not a readable archive: File is not a zip"),
    (["model.npz", "flat.npy", "--batch-first"], "--batch-first: flat.npy has no axis of rows"),
    (["model.npz", "scalar.npy"], "scalar.npy: expected [time, batch, features], or [time, feat"),
    (["model.npz", "wide.npy"], "wide.npy: x: expected shape (time, batch, 3), got (11, 3, 4)"),
    (["model.npz", "integers.npy"], "integers.npy: x: expected floating point numbers, got int"),
    (["model.npz", "x.npy", "--lengths", "1,2"], "lengths: expected 3 integers, one a row"),
    (["model.npz", "x.npy", "--lengths", "1,2,12"], "lengths: row 2: expected 0 to 11 steps, got"),
    (["model.npz", "x.npy", "--lengths", "floats.npy"], "lengths: expected 3 integers, one a row"),
    (["model.npz", "x.npy", "--lengths", "1,-2,3"], "1,-2,3: No such file"),
    (["model.npz", "x.npy", "--lengths", ""], "--lengths: expected numbers such as 9,4, or a file"),
    (["model.npz", "x.npy", "--lengths", "x.csv"], "x.csv: expected lengths such as 9,4; found"),
    (["model.npz", "x.csv", "--lengths", "3"], "lengths: row 0: expected 0 to 2 steps, got 3"),
    (["model.npz", "x.npy", "--state", "two.npz"], "two.npz: expected the arrays 0.h; found a, b"),
    (["model.npz", "x.npy", "--state", "h.npz"], "state array 0: expected shape (2, 3, 5)"),
    (["model.npz", "x.npy", "--state-out", "h.npy"], "--state-out: expected the suffix .npz"),
    (["model.npz", "x.npy", "--state-out", "model.npz"], "--state-out: model.npz is also FILE"),
    (["model.npz", "x.npy", "--state-out", "y.npz", "-o", "y.npz"], "y.npz is also OUTPUT"),
    (["model.npz", "x.npy", "-o", "x.npy"], "OUTPUT: x.npy is also INPUT; choose another file"),
    (["model.npz", "x.npy", "-o", "y.npz", "--state", "y.npz"], "OUTPUT: y.npz is also --state"),
    (["model.npz", "x.npy", "-o", "n.npy", "--lengths", "n.npy"], "n.npy is also --lengths"),
    (["model.npz", "x.npy", "--state-out", "h.npz", "--lengths", "h.npz"], "h.npz is also --leng"),
    (["model.npz", "x.npy", "-o", "x.csv", "--config", "x.csv"], "OUTPUT: x.csv is also --config"),
    (["model.npz", "x.npy", "-o", "link.npy"], "OUTPUT: link.npy is also INPUT"),
    (["model.npz", "x.npy", "-o", "y.csv"], "y.csv: a .csv holds one row, x has 3; give a .npy"),
    (["model.npz", "x.npy"], "standard output holds one row, x has 3; give a .npy or .npz"),
    (["model.npz", "x.npy", "-o", "y.txt"], "y.txt: expected the suffix .npy, .npz, .csv; got"),
    (["model.npz", "x.npy", "-o", "nowhere/y.npy"], "nowhere/y.npy: No such file or directory"),
    (["model.npz", "x.npy", "--cell", "gru", "-o", "y.npy"], "model.npz: option cell: only for a"),
    (["model.npz", "x.npy", "--node", "a"], "format npz: unknown option node"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=lambda v: " ".join(v)[:60])
def test_every_error_is_one_line_and_leaves_the_files(
    arguments: list[str], message: str, tmp_path: Path, run: Run
) -> None:
    spec, _ = save(tmp_path, "gru")
    x = random_input(spec, TIME, BATCH, RNG)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "flat.npy", x[:, 0])
    np.save(tmp_path / "scalar.npy", x[0, 0, 0])
    np.save(tmp_path / "wide.npy", np.zeros((TIME, BATCH, 4), np.float32))
    np.save(tmp_path / "integers.npy", np.zeros((TIME, BATCH, 3), np.int64))
    np.save(tmp_path / "floats.npy", np.zeros(3))
    np.save(tmp_path / "n.npy", np.array([1, 2, 3]))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.savez(tmp_path / "two.npz", a=x, b=x)
    np.savez(tmp_path / "h.npz", **{"0.h": np.zeros((2, 1, 5), np.float32)})
    (tmp_path / "torn.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (tmp_path / "short.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    (tmp_path / "renamed.npz").write_bytes((tmp_path / "x.npy").read_bytes())
    (tmp_path / "torn.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:-30])
    (tmp_path / "x.csv").write_text("1,2,3\n4,5.5,6\n")
    (tmp_path / "link.npy").symlink_to("x.npy")
    for name in ("y.npy", "y.npz", "y.csv"):
        (tmp_path / name).write_text("before")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    if not any(item in arguments for item in ("-o", "x.csv")) and "standard" not in message:
        arguments = [*arguments, "-o", "y.npy"]
    status, out, err = run(*arguments)
    assert status == 2
    assert err.startswith("rnn-native run: ")
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert out == "" or "x.csv" in arguments  # lines that were right are out already
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("where", ["input", "state"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("spoilt", [False, True])
def test_an_archive_that_numpy_did_not_write_is_one_line(
    where: str, compression: int, spoilt: bool, tmp_path: Path, run: Run
) -> None:
    save(tmp_path, "gru")
    array = io.BytesIO()
    np.save(array, np.zeros((9, 3), np.float32))
    np.save(tmp_path / "x.npy", np.zeros((9, 3), np.float32))
    stored = compression == zipfile.ZIP_STORED
    for name in ("x.npy", "x.txt"):
        data = b"no array" if stored else array.getvalue()
        with zipfile.ZipFile(tmp_path / "odd.npz", "w", compression) as archive:
            archive.writestr(name, data)
        if spoilt:
            content = bytearray((tmp_path / "odd.npz").read_bytes())
            content[45:60] = b"\xff" * 15
            (tmp_path / "odd.npz").write_bytes(content)
        given = ["odd.npz"] if where == "input" else ["x.npy", "--state", "odd.npz"]
        status, out, err = run("model.npz", *given)
        assert (status, out) == (2, "")
        assert err.startswith("rnn-native run: odd.npz: npz: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize("shape", [(2**70, 3), (2**40, 2**40, 3), (2**62, 3), (0, 2**63), (-1, 3)])
def test_a_shape_that_no_array_has_is_one_line(
    shape: tuple[int, ...], tmp_path: Path, run: Run
) -> None:
    save(tmp_path, "gru")
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    for name in ("x.npy", "x.npz", "lengths.npy"):
        file = io.BytesIO()
        np.lib.format.write_array_header_1_0(file, described)
        (tmp_path / name).write_bytes(file.getvalue() + bytes(64))
        if name == "x.npz":
            with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("x.npy", file.getvalue() + bytes(64))
    np.save(tmp_path / "good.npy", np.zeros((9, 3), np.float32))
    for given in (["x.npy"], ["x.npz"], ["good.npy", "--lengths", "lengths.npy"]):
        status, out, err = run("model.npz", *given)
        assert (status, out) == (2, "")
        assert f"{given[-1]}: np" in err
        assert f"shape {shape}" in err
        assert err.count("\n") == 1


def test_an_error_late_in_the_input_leaves_what_was_there(tmp_path: Path, run: Run) -> None:
    save(tmp_path, "words")
    x = np.zeros((1000, 1), np.int32)
    x[700] = 6
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "y.npy").write_text("before")
    (tmp_path / "s.npz").write_text("before")
    status, _, err = run(
        "model.npz", "x.npy", "-o", "y.npy", "--state-out", "s.npz", "--chunk", "64"
    )
    assert status == 2
    assert "x.npy: counted from step 640: x[60, 0]: expected an index from 0 to 5, got 6" in err
    assert (tmp_path / "y.npy").read_text() == (tmp_path / "s.npz").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 4


def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "gru")
    np.save(tmp_path / "x.npy", np.zeros((9, 3), np.float32))
    (tmp_path / "y.npy").write_text("before")

    def full(*_: object) -> memoryview:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "_bytes", full)
    status, _, err = run("model.npz", "x.npy", "-o", "y.npy")
    assert (status, err) == (2, "rnn-native run: [Errno 28] No space left on device\n")
    assert (tmp_path / "y.npy").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 3
