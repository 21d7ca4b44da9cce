"""``rnn-native run`` as a process: terminals, pipes and signals."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import RNG, Run, lines_of, same, save
from strategies import random_input


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


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell has what it runs in the background ignore SIGINT, which processes inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.usefixtures("interruptible")
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
