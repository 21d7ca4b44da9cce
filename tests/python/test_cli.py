"""The command line: what it prints, and that every refusal is one line and status 2."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import numpy as np
import pytest
import strategies

import rnn_native as rn
from rnn_native import cli
from rnn_native.formats import FORMATS

MODELS = {
    "gru": rn.GRU(3, 3).model.spec,
    "bidirectional": rn.LSTM(3, 3, bidirectional=True).model.spec,
    "words": rn.ModelSpec(
        (
            rn.Embedding(np.ones((5, 3), np.float32)),
            rn.LSTM(3, 3).spec,
            rn.RNN(3, 3).spec,
            rn.Linear(np.ones((2, 3), np.float32)),
        )
    ),
}


def rows_of(printed: str) -> list[list[str]]:
    """The words of the table's rows: those between its head and the next empty or other line."""
    lines = printed.splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("model "))
    assert lines[head].split()[:4] == ["model", "time", "batch", "rnn_native"]
    return [line.split() for line in lines[head + 1 :] if not line.startswith("not measured")]


@pytest.mark.parametrize("name", MODELS)
def test_bench_prints_a_row_for_each_time_and_batch(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"{name}.safetensors"
    rn.Model(MODELS[name]).save(path)
    sizes = ["--time", "1,4", "--batch", "1,2", "--rounds", "1"]
    assert cli.main(["bench", str(path), *sizes]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert [row[:3] for row in rows] == [
        [path.name, time, batch] for time in "14" for batch in "12"
    ]
    assert all(float(row[3]) > 0 for row in rows)


def test_bench_without_a_file_measures_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--time", "1", "--rounds", "1"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["LSTM", "LSTM", "GRU", "GRU", "RNN", "RNN"]


def test_bench_names_the_peers_that_take_no_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reverse.npz"
    layer = strategies.make_recurrent(np.random.default_rng(1), "gru", 3, 4, direction="reverse")
    rn.Model(rn.ModelSpec((layer,))).save(path)
    assert cli.main(["bench", str(path), "--time", "2", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    # Missing here or not: PyTorch has no layer that runs in reverse alone.
    assert "not measured: torch: " in printed
    assert "not measured: onnxruntime: runs whole .onnx files" in printed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.safetensors", None),
        ("torn.safetensors", b"torn"),
        ("torn.npz", b"PK"),
        ("model.unknown", b""),
        ("two\nlines.npz", None),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_status_2(
    name: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["bench", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rnn-native bench: ")
    assert path.suffix in err
    assert err.count("\n") == 1
    assert err.endswith("\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["bench", "--time", "0"],
        ["bench", "--time", "1,x"],
        ["bench", "--batch", ""],
        ["bench", "--threads", "-1"],
        ["bench", "--rounds", "1.5"],
        ["bench", "--unknown"],
        ["bench", "one.npz", "two.npz"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_one_line_and_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rnn-native")
    assert err.count("\n") == 1


def test_more_threads_than_processors_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Where processes are not pinned they are not counted either: then nothing is refused."""
    from rnn_native.benchmark.child import choose_cpus

    if not choose_cpus(1):
        pytest.skip("processes cannot be pinned here")
    assert cli.main(["bench", "--threads", "100000"]) == 2
    assert capsys.readouterr().err.startswith("rnn-native bench: threads: expected at most ")


def test_the_installed_command_is_this_one(capsys: pytest.CaptureFixture[str]) -> None:
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="rnn-native")
    assert entry.load() is cli.main
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"rnn_native {rn.__version__}\n"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], [name, "--help"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        assert stop.value.code == 0
        assert (cli.COMMANDS[name].__doc__ or "").splitlines()[0] in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_shows_examples_that_it_takes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    shown = capsys.readouterr().out.partition("examples:\n")[2].splitlines()
    assert shown
    for line in shown:
        command = line.partition(" | ")[0].split()
        assert command[:2] == ["rnn-native", name]
        assert cli._parser().parse_args(command[1:]).command == name


@pytest.mark.parametrize("name", ["info", "run", "convert", "bench"])
def test_every_option_of_a_format_is_one_of_the_commands(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {key for entry in FORMATS.values() for key in entry.options}
    given = cli._parser().parse_args([name, *["x"] * (1 + (name in ("run", "convert")))])
    assert {f"read_{option}" for option in options} <= set(vars(given))
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    shown = capsys.readouterr().out
    for option in options:
        assert re.search(rf"--{option.replace('_', '-')}(-tensor)? ", shown)


def test_what_memory_cannot_hold_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: object) -> None:
        raise MemoryError("5 bytes")

    monkeypatch.setattr(cli.COMMANDS["info"], "run", run)
    assert cli.main(["info", "x"]) == 2
    assert capsys.readouterr() == ("", "rnn-native info: not enough memory: 5 bytes\n")


def test_bench_measures_the_part_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint.npz"
    arrays = rn.GRU(3, 3).state_dict()
    np.savez(path, **{f"{n}.{key}": a for n in "ab" for key, a in arrays.items()})
    assert cli.main(["bench", str(path), "--time", "1", "--rounds", "1"]) == 2
    assert "choose one with prefix=" in capsys.readouterr().err
    assert cli.main(["bench", str(path), "--time", "1", "--rounds", "1", "--prefix", "a"]) == 0
    assert [row[0] for row in rows_of(capsys.readouterr().out)] == ["checkpoint.npz"]
