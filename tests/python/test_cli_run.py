"""``rnn-native run``: the bits of one call, in bounded memory, and whole or not at all."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tracemalloc
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from strategies import make_spec, random_input, random_state

import rnn_native as rn
from rnn_native import cli
from rnn_native.sequence_files import outputs, states
from rnn_native.spec import ModelSpec

RNG = np.random.default_rng(0)
SPECS = {
    "gru": make_spec(RNG, "gru", 3, 5, num_layers=2, out_features=2, activation="softmax"),
    "lstm": make_spec(RNG, "lstm", 3, 4, num_recurrents=2),
    "words": make_spec(RNG, "rnn", 3, 4, num_embeddings=6, out_features=2),
    "both": make_spec(RNG, "lstm", 3, 4, direction="bidirectional"),
}
TIME, BATCH = 11, 3
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in the folder of the test; its status and what it printed."""

    def call(*arguments: object) -> tuple[int, str, str]:
        before = Path.cwd()
        os.chdir(tmp_path)
        try:
            status = cli.main(["run", *map(str, arguments)])
        finally:
            os.chdir(before)
        return (status, *capsys.readouterr())

    return call


def save(folder: Path, name: str) -> tuple[ModelSpec, rn.Model]:
    model = rn.Model(SPECS[name])
    model.save(folder / "model.npz")
    return SPECS[name], model


def lines_of(array: NDArray[Any]) -> str:
    """As somebody else would write them, with every digit."""
    columns = array.reshape(len(array), -1)
    return "".join(",".join(repr(float(v)) for v in row) + "\n" for row in columns)


def same(got: NDArray[Any], expected: NDArray[Any]) -> None:
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    assert got.tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("chunk", [1, 4, 11, 1000, None])
@pytest.mark.parametrize("name", ["gru", "lstm", "words"])
def test_pieces_give_the_bits_of_a_call(
    name: str, chunk: int | None, batch_first: bool, tmp_path: Path, run: Run
) -> None:
    spec, model = save(tmp_path, name)
    x, state = random_input(spec, TIME, BATCH, RNG), random_state(spec, BATCH, RNG)
    lengths = [TIME, 0, 5]
    y, after = model(x, state, lengths)
    turn = (lambda a: np.swapaxes(a, 0, 1)) if batch_first else (lambda a: a)
    np.save(tmp_path / "x.npy", turn(x))
    np.savez(tmp_path / "before.npz", **states.to_arrays(spec, state))
    more = ["--batch-first"] if batch_first else []
    more += [] if chunk is None else ["--chunk", chunk]
    more += ["--lengths", "11,0,5", "--state", "before.npz", "--state-out", "after.npz"]
    assert run("model.npz", "x.npy", "-o", "y.npy", *more) == (0, "", "")
    same(np.load(tmp_path / "y.npy"), turn(y))
    with np.load(tmp_path / "after.npz") as found:
        for key, array in states.to_arrays(spec, after).items():
            same(found[key], array)
        assert len(found.files) == len(states.names(spec))
    assert run("model.npz", "x.npy", "-o", "y.npz", *more)[0] == 0
    same(np.load(tmp_path / "y.npz")["y"], turn(y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("source", ["x.npy", "x.npz", "x.csv"])
@pytest.mark.parametrize("name", ["gru", "words", "both"])
def test_one_row_comes_and_goes_in_any_file(
    name: str, source: str, dtype: str, tmp_path: Path, run: Run
) -> None:
    spec, _ = save(tmp_path, name)
    model = rn.Model(spec, dtype=dtype)
    x = random_input(spec, TIME, 1, RNG)
    y, _ = model(x)
    np.save(tmp_path / "x.npy", x[:, 0])
    np.savez(tmp_path / "x.npz", other=x[:2], x=x[:, 0])
    text = lines_of(x) if x.dtype.kind == "f" else "".join(f"{v}\n" for v in x.ravel())
    (tmp_path / "x.csv").write_text(text)
    more = ["--key", "x"] if source == "x.npz" else []
    more += ["--threads", "2", "--dtype", dtype]
    more += [] if name == "both" else ["--chunk", "3"]
    for target in ("y.npy", "y.npz", "y.csv"):
        assert run("model.npz", source, "-o", target, *more) == (0, "", "")
    same(np.load(tmp_path / "y.npy"), y[:, 0])
    same(np.load(tmp_path / "y.npz")["y"], y[:, 0])
    same(np.loadtxt(tmp_path / "y.csv", dtype, delimiter=",", ndmin=2), y[:, 0])
    status, printed, _ = run("model.npz", source, *more)
    assert (status, printed) == (0, (tmp_path / "y.csv").read_text())


@pytest.mark.parametrize("shape", [(0, 3), (0, 2, 3), (4, 0, 3)])
def test_no_steps_or_no_rows_are_no_error(shape: tuple[int, ...], tmp_path: Path, run: Run) -> None:
    save(tmp_path, "gru")
    np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
    assert run("model.npz", "x.npy", "-o", "y.npy") == (0, "", "")
    assert np.load(tmp_path / "y.npy").shape == (*shape[:-1], 2)
    (tmp_path / "x.csv").write_text("")
    assert run("model.npz", "x.csv", "-o", "y.npy") == (0, "", "")
    assert np.load(tmp_path / "y.npy").shape == (0, 2)


def peak_of(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("batch_first", [False, True])
def test_memory_is_bounded_by_a_piece_of_an_array(
    batch_first: bool, tmp_path: Path, run: Run
) -> None:
    """64 steps of 4 rows are 3 KiB; 20 MB of steps pass through less than 1 MB."""
    rn.GRU(3, 2).model.save(tmp_path / "model.npz")
    shape = (4, 400_000, 3) if batch_first else (400_000, 4, 3)
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, shape)
    x.flush()
    assert x.nbytes > 19e6
    more = ["--batch-first"] if batch_first else []
    chunk = "4096" if batch_first else "64"
    arguments = ["model.npz", "x.npy", "-o", "y.npy", "--chunk", chunk, *more]
    peak = peak_of(lambda: run(*arguments))
    assert peak < 1e6
    y = np.load(tmp_path / "y.npy", mmap_mode="r")
    assert y.shape == (*shape[:2], 2)
    row = (lambda a: a[0]) if batch_first else (lambda a: a[:, 0])
    assert np.allclose(row(y)[-1], row(y)[-2], rtol=0, atol=1e-6)  # zeros have settled by then


def test_memory_is_bounded_by_a_piece_of_lines(tmp_path: Path, run: Run) -> None:
    rn.GRU(3, 2).model.save(tmp_path / "model.npz")
    with open(tmp_path / "x.csv", "w") as file:
        for _ in range(200):
            file.write("0.25,-1.5,3\n" * 500)
    size = (tmp_path / "x.csv").stat().st_size
    peak = peak_of(lambda: run("model.npz", "x.csv", "-o", "y.csv", "--chunk", "100"))
    assert peak < 300e3 < size / 3
    with open(tmp_path / "y.csv") as file:
        assert sum(1 for _ in file) == 100_000


def test_a_model_that_runs_backwards_takes_the_whole_and_says_so(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, model = save(tmp_path, "both")
    x = random_input(spec, TIME, BATCH, RNG)
    np.save(tmp_path / "x.npy", x)
    assert run("model.npz", "x.npy", "-o", "y.npy") == (0, "", "")
    same(np.load(tmp_path / "y.npy"), model(x)[0])
    monkeypatch.setattr(cli.COMMANDS["run"], "_LARGE", 100)
    status, out, err = run("model.npz", "x.npy", "-o", "y.npy")
    assert (status, out) == (0, "")
    assert err.startswith("rnn-native run: note: a layer runs backwards")
    status, out, err = run("model.npz", "x.npy", "-o", "y.npy", "--chunk", "4")
    assert (status, out) == (2, "")
    assert "--chunk: a model with a reverse or bidirectional layer needs the whole" in err


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
    (["model.npz", "torn.npy"], "torn.npy: not a readable array"),
    (["model.npz", "short.npy"], "short.npy: not a readable array"),
    (["model.npz", "objects.npy"], "objects.npy: not a readable array"),
    (["model.npz", "torn.npz"], "torn.npz: not a readable array"),
    (["model.npz", "x.npy", "--key", "x"], "--key: only for an .npz INPUT"),
    (["model.npz", "x.npy", "--header"], "--header: only for a .csv INPUT"),
    (["model.npz", "two.npz"], "two.npz: several arrays; --key chooses one of a, b"),
    (["model.npz", "two.npz", "--key", "c"], "two.npz: no array 'c'; --key chooses one of a, b"),
    (["model.npz", "renamed.npz"], "renamed.npz: expected an archive of arrays, found one array"),
    (["model.npz", "flat.npy", "--batch-first"], "--batch-first: flat.npy has no axis of rows"),
    (["model.npz", "scalar.npy"], "scalar.npy: expected [time, batch, features], or [time, feat"),
    (["model.npz", "wide.npy"], "wide.npy: x: expected shape (time, batch, 3), got (11, 3, 4)"),
    (["model.npz", "integers.npy"], "integers.npy: x: expected floating point numbers, got int"),
    (["model.npz", "x.npy", "--lengths", "1,2"], "lengths: expected 3 integers, one a row"),
    (["model.npz", "x.npy", "--lengths", "1,2,12"], "lengths: row 2: expected 0 to 11 steps, got"),
    (["model.npz", "x.npy", "--lengths", "floats.npy"], "lengths: expected 3 integers, one a row"),
    (["model.npz", "x.npy", "--lengths", "1,-2,3"], "1,-2,3: No such file"),
    (["model.npz", "x.npy", "--lengths", "x.csv"], "x.csv: expected lengths such as 9,4; found"),
    (["model.npz", "x.csv", "--lengths", "3"], "lengths: row 0: expected 0 to 2 steps, got 3"),
    (["model.npz", "x.npy", "--state", "two.npz"], "two.npz: expected the arrays 0.h; found a, b"),
    (["model.npz", "x.npy", "--state", "h.npz"], "state array 0: expected shape (2, 3, 5)"),
    (["model.npz", "x.npy", "--state-out", "h.npy"], "--state-out: expected the suffix .npz"),
    (["model.npz", "x.npy", "--state-out", "model.npz"], "--state-out: model.npz is also FILE"),
    (["model.npz", "x.npy", "--state-out", "y.npz", "-o", "y.npz"], "y.npz is also OUTPUT"),
    (["model.npz", "x.npy", "-o", "x.npy"], "OUTPUT: x.npy is also INPUT; choose another file"),
    (["model.npz", "x.npy", "-o", "y.npz", "--state", "y.npz"], "OUTPUT: y.npz is also --state"),
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


def test_an_output_of_another_shape_is_refused(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written, it would make an array of other numbers."""
    save(tmp_path, "gru")
    np.save(tmp_path / "x.npy", np.zeros((9, 3), np.float32))
    whole = rn.Model.__call__

    def last(*arguments: Any) -> Any:
        y, state = whole(*arguments)
        return y[-1], state

    monkeypatch.setattr(rn.Model, "__call__", last)
    status, _, err = run("model.npz", "x.npy", "-o", "y.npy")
    assert status == 2
    assert "x.npy: expected the model to give [time, batch, features]" in err
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("installed", [False, True])
@pytest.mark.parametrize("chunk", ["2", "1000"])
def test_a_bar_shows_on_a_terminal_for_long_inputs(
    terminal: bool, installed: bool, chunk: str, tmp_path: Path, run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shown: list[Any] = []

    class Bar:
        def __init__(self, total: int | None, **_: object) -> None:
            shown.append(total)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            shown.append("closed")

        def update(self, steps: int) -> None:
            shown.append(steps)

    module = types.ModuleType("tqdm")
    module.tqdm = Bar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm", module if installed else None)  # type: ignore[arg-type]
    terminal_file = io.StringIO()
    monkeypatch.setattr(terminal_file, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", terminal_file)
    save(tmp_path, "gru")
    np.save(tmp_path / "x.npy", np.zeros((5, 3), np.float32))
    assert run("model.npz", "x.npy", "-o", "y.npy", "--chunk", chunk)[0] == 0
    assert terminal_file.getvalue() == ""
    wanted = terminal and installed and chunk == "2"
    assert shown == ([5, 2, 2, 1, "closed"] if wanted else [])


COMMAND = [sys.executable, "-P", "-m", "rnn_native.cli", "run"]


def test_lines_come_from_standard_input(tmp_path: Path) -> None:
    spec, model = save(tmp_path, "gru")
    x = random_input(spec, 40, 1, RNG)
    done = subprocess.run(
        [*COMMAND, str(tmp_path / "model.npz"), "-", "--chunk", "7"],
        input=lines_of(x), capture_output=True, text=True, check=True,
    )  # fmt: skip
    y = np.loadtxt(io.StringIO(done.stdout), np.float32, delimiter=",")
    same(y, model(x)[0][:, 0])
    assert done.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals as POSIX has them")
def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    save(tmp_path, "gru")
    np.save(tmp_path / "x.npy", np.zeros((200_000, 3), np.float32))
    arguments = [*COMMAND, str(tmp_path / "model.npz"), str(tmp_path / "x.npy"), "--chunk", "100"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().count(b",") == 1
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 128 + signal.SIGPIPE


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_interrupt_ends_it_quietly_and_leaves_what_was_there(tmp_path: Path) -> None:
    save(tmp_path, "gru")
    (tmp_path / "y.csv").write_text("before")
    arguments = [*COMMAND, str(tmp_path / "model.npz"), "-", "-o", str(tmp_path / "y.csv")]
    arguments += ["--chunk", "1"]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        process.stdin.write(b"1,2,3\n")
        process.stdin.flush()
        while not list(tmp_path.glob(".y.csv.*.tmp")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert (out, err, process.returncode) == (b"", b"", 130)
    assert (tmp_path / "y.csv").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2
