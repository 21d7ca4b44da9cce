"""``rnn-native run``: the bits of one call, in bounded memory."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_runs import BATCH, RNG, TIME, Run, lines_of, same, save
from strategies import make_spec, random_input, random_state

import rnn_native as rn
from rnn_native import cli
from rnn_native.sequence_files import states
from rnn_native.spec import ModelSpec


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("chunk", [1, 4, 11, 1000, None])
@pytest.mark.parametrize("name", ["gru", "lstm", "words", "begun"])
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
@pytest.mark.parametrize("name", ["gru", "words", "both", "begun"])
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
    assert err.startswith("rnn-native run: note: the whole sequence is needed: ")
    assert "layer 0, a reverse or bidirectional layer, needs whole sequences" in err
    status, out, err = run("model.npz", "x.npy", "-o", "y.npy", "--chunk", "4")
    assert (status, out) == (2, "")
    assert "--chunk: the whole sequence is needed: layer 0, a reverse or bidirectional" in err


LAST = {
    cell: make_spec(RNG, cell, 3, 4, out_features=4, num_layers=2, return_sequences=False)
    for cell in ("gru", "lstm")
}


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize(("time", "batch"), [(4, 4), (9, 2), (0, 2), (5, 0)])
@pytest.mark.parametrize("cell", LAST)
def test_a_last_state_alone_is_written_once(
    cell: str, time: int, batch: int, chunk: int, batch_first: bool, tmp_path: Path, run: Run
) -> None:
    """[batch, features], with the bits of a call; with as many steps as rows and features too."""
    spec = LAST[cell]
    model = rn.Model(spec)
    model.save(tmp_path / "model.npz")
    x, state = random_input(spec, time, batch, RNG), random_state(spec, batch, RNG)
    lengths = RNG.integers(0, time + 1, batch)
    np.save(tmp_path / "x.npy", np.swapaxes(x, 0, 1) if batch_first else x)
    np.save(tmp_path / "n.npy", lengths)
    np.savez(tmp_path / "before.npz", **states.to_arrays(spec, state))
    y, after = model(x, state, lengths)
    more = ["--chunk", chunk, "--lengths", "n.npy", "--state", "before.npz"]
    more += ["--batch-first"] if batch_first else []
    for name in ("y.npy", "y.npz", "y.csv"):
        given = ["-o", name, "--state-out", "after.npz", *more]
        assert run("model.npz", "x.npy", *given) == (0, "", "")
    same(np.load(tmp_path / "y.npy"), y)
    same(np.load(tmp_path / "y.npz")["y"], y)
    assert (tmp_path / "y.csv").read_text().count("\n") == batch
    if batch:
        same(np.loadtxt(tmp_path / "y.csv", np.float32, delimiter=",", ndmin=2), y)
    with np.load(tmp_path / "after.npz") as found:
        for key, array in states.to_arrays(spec, after).items():
            same(found[key], array)
    assert run("model.npz", "x.npy", *more)[:2] == (0, (tmp_path / "y.csv").read_text())


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_last_state_of_one_row_is_one_row(direction: str, tmp_path: Path, run: Run) -> None:
    spec = make_spec(RNG, "gru", 3, 4, direction=direction, return_sequences=False)
    model = rn.Model(spec)
    model.save(tmp_path / "model.npz")
    x = random_input(spec, TIME, 1, RNG)
    (tmp_path / "x.csv").write_text(lines_of(x))
    np.save(tmp_path / "x.npy", x[:, 0])
    for source in ("x.csv", "x.npy"):
        assert run("model.npz", source, "-o", "y.npy") == (0, "", "")
        same(np.load(tmp_path / "y.npy"), model(x)[0])


@pytest.mark.parametrize("chunk", [1, 3, 5, 1000, None])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("embedding", [None, 6])
def test_padding_that_the_input_tells_does_not_depend_on_the_chunk(
    embedding: int | None, return_sequences: bool, chunk: int | None, tmp_path: Path, run: Run
) -> None:
    options = {"num_embeddings": embedding, "return_sequences": return_sequences}
    spec = ModelSpec(make_spec(RNG, "lstm", 3, 4, **options).layers, 1.0)
    model = rn.Model(spec)
    model.save(tmp_path / "model.npz")
    more = [] if chunk is None else ["--chunk", chunk]
    x = random_input(spec, 7, 5, RNG)
    x[x == 1] = 0
    for row, length in enumerate((7, 4, 3, 0, 6)):
        x[length:, row] = 1
    np.save(tmp_path / "x.npy", x)
    assert run("model.npz", "x.npy", "-o", "y.npy", "--state-out", "s.npz", *more) == (0, "", "")
    y, after = model(x)
    same(np.load(tmp_path / "y.npy"), y)
    with np.load(tmp_path / "s.npz") as found:
        for key, array in states.to_arrays(spec, after).items():
            same(found[key], array)
    x[6, 2] = 0
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "y.npy").write_text("before")
    status, _, err = run("model.npz", "x.npy", "-o", "y.npy", *more)
    assert status == 2
    what = "its index" if embedding else "every feature"
    early = (
        rf"x\.npy: x: row 2, step [345] is masked \({what} is 1\) but comes before step 6, which"
    )
    assert re.search(early, err)
    assert (tmp_path / "y.npy").read_text() == "before"
    stated = ["--lengths", "7,4,7,0,6", *more]
    assert run("model.npz", "x.npy", "-o", "y.npy", *stated) == (0, "", "")
    same(np.load(tmp_path / "y.npy"), model(x, lengths=[7, 4, 7, 0, 6])[0])
