"""bench/compare.py --precision: what is measured, what bounds it, what is said to be reached."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import reference
from rnn_native.benchmark.precision import PRECISIONS
from rnn_native.benchmark.rounds import Measured
from rnn_native.benchmark.runtimes import native
from rnn_native.benchmark.worker import Form, Task, choose, largest_error

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench"))

import compare  # noqa: E402
import goals  # noqa: E402
import limits  # noqa: E402
import report  # noqa: E402
import results  # noqa: E402
from grid import CASES, CELLS, Case, make_input, make_spec  # noqa: E402
from ours import Ours  # noqa: E402
from results import FLOAT32, OURS  # noqa: E402

REDUCED = [name for name in PRECISIONS if name != "float32"]
WIDENED = ("float16", "bfloat16-widened")


def result(
    case: str = "H256T100B1", precision: str = "int8", cell: str = "lstm", **seconds: float
) -> dict[str, Any]:
    """Of a case, by runtime: ``ours``, ``float32`` and peers."""
    names = {"ours": OURS, "float32": FLOAT32}
    runtimes = {
        names.get(name, name): Measured(
            rounds=[time], precision="float32" if name == "float32" else precision
        )
        for name, time in seconds.items()
    }
    memory = {"float32": 400, precision: 100} if "ours" in seconds else {"float32": 400}
    return {
        "cell": cell, "case": case, "threads": 1, "precision": precision, "flops": 1000,
        "limit": 0.5, "memory": memory, "runtimes": {n: asdict(it) for n, it in runtimes.items()},
    }  # fmt: skip


def test_ours_in_float32_is_no_peer() -> None:
    found = result(ours=1.0, float32=0.5, torch=3.0, onnxruntime=2.0)
    assert results.ratios(found) == {"torch": 3.0, "onnxruntime": 2.0}
    assert results.best_peer(found) == "onnxruntime"
    assert results.float32_ratio(found) == 0.5
    assert results.share(found) == 0.5
    assert results.packed_bytes(found) == 0.25
    assert results.label(found, "onnxruntime") == "onnxruntime int8"


def test_what_this_build_refuses_leaves_the_others_in_the_report(tmp_path: Path) -> None:
    found = result(float32=1.0, torch=3.0, onnxruntime=2.0)
    assert results.ratios(found) == {}
    assert results.best_peer(found) == "onnxruntime"
    assert results.float32_ratio(found) is results.packed_bytes(found) is None
    assert not list(goals.verdicts([found]))
    head = {"machine": {}, "versions": {}, "missing": {OURS: "no int8"}, "cpus": {}, "limits": {}}
    every = head | {"precision": "int8", "rounds": 1, "samples": 1, "cases": [found]}
    page = report.write(every, tmp_path)[0].read_text()
    assert "left out: rnn_native: no int8" in page
    (row,) = (line for line in page.splitlines() if line.startswith("| H256T100B1 | –"))
    assert "| onnxruntime int8 | 2000000 |" in row


def found_goals(*every: dict[str, Any]) -> dict[str, tuple[float, str, bool]]:
    return {it.goal.name: (it.found, it.case, it.is_met) for it in goals.verdicts(every)}


def test_a_goal_of_every_case_is_that_of_the_worst_and_a_mean_is_geometric() -> None:
    met = [
        result("H64T1B1", ours=1.0, float32=1.0, torch=1.0),
        result("H256T100B1", ours=1.0, float32=3.0, torch=4.0),
        result("H512T100B1", ours=0.6, float32=1.8, torch=1.2),
    ]
    found = found_goals(*met)
    assert found["times the best peer, every case"] == (1.0, "H64T1B1", True)
    assert found["times the best peer, mean"] == (pytest.approx(2.0), "", True)
    assert found["times float32, batch 1, H 256 on, T 50 on"] == (3.0, "H256T100B1", True)
    assert found["bytes of float32's, H 128 on"] == (0.25, "H256T100B1", True)
    assert found["of the limit, batch 1, H 256 on, T 50 on"] == (0.5, "H256T100B1", False)
    assert "of the limit, batch 32 on, H 512 on" not in found  # nothing of it was measured

    slower = result("H1024T50B1", ours=1.0, float32=2.9, torch=0.99)
    slower["memory"]["int8"] = 117
    found = found_goals(*met, slower)
    assert found["times the best peer, every case"] == (0.99, "H1024T50B1", False)
    assert found["times float32, batch 1, H 256 on, T 50 on"] == (2.9, "H1024T50B1", False)
    assert found["bytes of float32's, H 128 on"] == (117 / 400, "H1024T50B1", False)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_goal_has_cases_in_the_grid(precision: str, cell: str) -> None:
    found = goals.goals_of(precision, cell)
    assert bool(found) == (precision != "float32")
    assert len({goal.name for goal in found}) == len(found)
    for goal in found:
        taken = [case.name for case in CASES if goal.of(case)]
        assert taken
        assert goal.is_met(goal.bound)
        assert goal.is_met(goal.bound * 1.01) != goal.at_most
        if "batch 1, H 256 on, T 50 on" in goal.name:
            assert taken == ["H256T100B1", "H512T100B1", "H1024T50B1"]
        if "one step" in goal.name:
            assert precision in WIDENED
            assert taken == ["H256T1B1", "H1024T1B1"]
        if "batch 32 on, H 512" in goal.name:
            assert taken == ["H512T50B32", "H1024T20B64"]
    said = {goal.name: goal.bound for goal in found}
    if precision == "int8":
        expected = 2.7 if cell == "rnn" else 3.0
        assert said["times float32, batch 1, H 256 on, T 50 on"] == expected
        assert said["times the best peer, mean"] == {"lstm": 1.5, "gru": 2.1, "rnn": 3.0}[cell]


@pytest.mark.parametrize("cell", CELLS)
def test_the_limit_follows_the_bytes_and_the_instructions(cell: str) -> None:
    """On machines that multiply bfloat16 twice as fast and int8 four times as fast, one of which is
    held up by reading and one by multiplying."""
    peaks = {"float32": 1e3, "bfloat16": 2e3, "int8": 4e3}
    case = Case.parse("H256T100B8")

    def seconds(speed: float) -> dict[str, float]:
        machine = limits.Limits(peaks, {1000: speed, 10**9: speed})
        return {name: machine.seconds(cell, case, name) or 0 for name in PRECISIONS}

    reading, multiplying = seconds(1e-3), seconds(1e9)
    for by_name in (reading, multiplying):
        assert by_name["bfloat16"] == pytest.approx(by_name["float32"] / 2)
        assert by_name["int8"] == pytest.approx(by_name["float32"] / 4)
    for name in WIDENED:  # it multiplies as float32 does, and reads half of that
        assert multiplying[name] == pytest.approx(multiplying["float32"])
        assert reading[name] == pytest.approx(reading["float32"] / 2)
    assert limits.Limits({"float32": 1e3}, {1000: 1.0}).seconds(cell, case, "int8") is None


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_the_machines_own_peaks(tmp_path: Path) -> None:
    program = limits.compile_program(tmp_path)
    assert isinstance(program, Path), program
    found = limits.measure(program, 1, [])
    assert found.peaks["float32"] > 0
    assert found.peaks.keys() <= {"float32", "bfloat16", "int8"}
    # An instruction of its own need not be faster: of bfloat16's some CPUs begin one in two cycles.
    assert all(peak > 0 for peak in found.peaks.values())
    assert len(found.bandwidth) == len(limits.SIZES)


def network(**changed: Any) -> tuple[list[Any], list[Any]]:
    """What an LSTM gives, and one with some of its arrays changed."""
    case = Case.parse("H64T100B8")
    spec, (x, _) = make_spec("lstm", case), make_input("lstm", case)
    arrays = spec.recurrents[0].arrays
    weights = {name: changed[name[:-3]](array) if name[:-3] in changed else array
               for name, array in arrays.items()}  # fmt: skip
    other = rn.ModelSpec((rn.Recurrent("lstm", 64, 64, weights=weights),))
    found = []
    for each in (spec, other):
        y, (h, c) = reference.run(each, x)
        found.append([y, h, c])
    return found[0], found[1]


def test_no_precision_lets_a_wrong_network_pass() -> None:
    def exchanged(array: Any) -> Any:
        i, f, g, o = np.split(array, 4)
        return np.concatenate([f, i, g, o])

    every = dict.fromkeys(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), exchanged)
    loosest = max(precision.tolerance for precision in PRECISIONS.values())
    for changed in (every, {"weight_hh": np.zeros_like}):
        right, wrong = network(**changed)
        assert largest_error(wrong, right) > loosest


def test_every_form_is_as_right_as_its_precision_is() -> None:
    expected = [np.ones(3)]

    def form(error: float, precision: str) -> Form:
        return Form(lambda: np.ones(3) + error, lambda got: [got], precision)

    for name, precision in PRECISIONS.items():
        forms = {
            "right": form(precision.tolerance * 0.9, name),
            "wrong": form(precision.tolerance * 1.1, name),
        }
        chosen = choose(forms, expected)
        assert (chosen.form, chosen.precision) == ("right", name)
        assert "off by" in str(chosen.tried["wrong"])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_ours_is_measured_in_the_precision_asked_for(precision: str, tmp_path: Path) -> None:
    ours = Ours.of(precision)
    if ours.refused:
        assert precision in ours.refused
        assert OURS not in ours.precisions
        return
    spec = make_spec("gru", Case.parse("H128T3B2"))
    rn.Model(spec).save(tmp_path / "model.safetensors")
    for time in (1, 3):
        x = np.random.default_rng(0).standard_normal((time, 2, 128), dtype=np.float32)
        task = Task(str(tmp_path / "model.safetensors"), x, None, 1, precision=precision)
        options: Mapping[str, Any] = PRECISIONS[precision].options
        y, _ = rn.Model(spec, **options)(x)
        for form in native.prepare(task).values():
            assert form.precision == precision
            np.testing.assert_array_equal(form.arrays(form.call())[0], y)
    memory = ours.memory(spec)
    # Panels are padded alike, and biases stay: a little more than the bytes of a weight say.
    share = PRECISIONS[precision].weight_bytes / 4
    assert share <= memory[precision] / memory["float32"] <= share + 0.04
    assert list(ours.precisions) == ([OURS] if precision == "float32" else [OURS, FLOAT32])


def arguments(tmp_path: Path, *more: str) -> Any:
    chosen = ["--cells", "rnn", "--cases", "H16T2B1", "--peers", "numpy", "--threads", "1"]
    counts = ["--rounds", "2", "--samples", "1", "--out", str(tmp_path)]
    return compare.parse_arguments([*chosen, *counts, *more])


def test_one_run_has_ours_twice_and_the_peers(tmp_path: Path) -> None:
    pytest.importorskip("threadpoolctl")  # of the peer
    compare.run(arguments(tmp_path, "--precision", "float16"))
    found = json.loads((tmp_path / "results.json").read_text())
    (case,) = found["cases"]
    assert {name: it["precision"] for name, it in case["runtimes"].items()} == {
        OURS: "float16", FLOAT32: "float32", "numpy": "float32",
    }  # fmt: skip
    assert all(len(it["rounds"]) == 2 for it in case["runtimes"].values())
    # Rounded weights: farther off than float32 can be, and no farther than they may.
    assert case["runtimes"][FLOAT32]["error"] < 1e-5 < case["runtimes"][OURS]["error"] < 4e-3
    assert "# rnn_native beside its peers, in float16" in (tmp_path / "report.md").read_text()


def test_a_build_without_a_precision_says_so_and_measures_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("threadpoolctl")
    unknown = replace(PRECISIONS["int8"], options={"weight_dtype": "int3"})
    monkeypatch.setitem(PRECISIONS, "int8", unknown)  # type: ignore[arg-type]
    compare.run(arguments(tmp_path, "--precision", "int8"))
    assert "left out: rnn_native: this build has no int8: weight_dtype" in capsys.readouterr().out
    (case,) = json.loads((tmp_path / "results.json").read_text())["cases"]
    assert list(case["runtimes"]) == [FLOAT32, "numpy"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--precision", "int4"], "invalid choice: 'int4'"),
        (["--builds", "a", "b", "--precision", "int8"], "--precision: not allowed with --builds"),
        (["--peers", "openvino_static"], "openvino_static has no float32"),
    ],
)
def test_what_does_not_go_together_is_refused(
    given: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        compare.parse_arguments(given)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_every_precision_has_a_folder_of_its_own() -> None:
    folders = [compare.parse_arguments(["--precision", name]).out for name in PRECISIONS]
    assert len(set(folders)) == len(PRECISIONS)
    assert (
        compare.parse_arguments([]).out == compare.parse_arguments(["--precision", "float32"]).out
    )
