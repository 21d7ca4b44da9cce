"""bench/compare.py --builds: what is called slower, and that two builds are asked the same."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn

pytest.importorskip("scipy")
pytest.importorskip("tqdm")
ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench"))

import builds  # noqa: E402
import compare  # noqa: E402
import verdict  # noqa: E402
from grid import CASES, CELLS, TRAINING, Case  # noqa: E402
from verdict import LIMIT, Outcome, Run  # noqa: E402

ratios = st.lists(st.floats(0.5, 2), min_size=10, max_size=40, unique=True)


def run_of(values: Sequence[float]) -> Run:
    return Run(list(values), [1.0] * len(values))


def outcomes(*kinds: str) -> list[Outcome]:
    return [Outcome(kind, "gru", "H8T1B1", 1) for kind in kinds]


@given(ratios)
def test_the_interval_has_the_coverage_it_states(values: list[float]) -> None:
    """The median lies below the k-th least of n with the chance that fewer than k are below it."""
    low, high = run_of(values).interval
    ordered = sorted(values)
    n = len(values)
    k = ordered.index(low) + 1
    assert ordered[n - k] == high
    assert low <= run_of(values).ratio <= high

    def outside(k: int) -> float:
        return 2 * sum(comb(n, i) for i in range(k)) / 2**n

    assert outside(k) <= 1 - verdict.CONFIDENCE < outside(k + 1)


@given(ratios, st.lists(st.floats(0.1, 10), min_size=40, max_size=40))
def test_a_round_that_is_slow_for_both_changes_nothing(
    values: list[float], slow: list[float]
) -> None:
    factors = [2.0 ** round(factor) for factor in slow[: len(values)]]  # exact
    before = [value * factor for value, factor in zip(values, factors, strict=True)]
    assert Run(before, factors).interval == run_of(values).interval


def test_a_case_falls_short_when_nearly_all_rounds_do() -> None:
    slow, even = LIMIT - 1e-6, 1.0
    assert run_of([slow] * 9 + [even]).falls_short
    assert not run_of([slow] * 8 + [even] * 2).falls_short
    assert not run_of([LIMIT] * 10).falls_short
    assert not run_of([1 / slow] * 10).falls_short


def test_only_what_falls_short_twice_is_told_and_only_suspects_run_again() -> None:
    slow, even = [0.9] * 10, [1.0] * 10
    answers = {"twice": [slow, slow], "once": [slow, even], "never": [even]}
    every = outcomes(*answers)
    asked: list[list[str]] = []

    def measure(some: Sequence[Outcome]) -> None:
        asked.append([outcome.kind for outcome in some])
        for outcome in some:
            outcome.runs.append(run_of(answers[outcome.kind][len(outcome.runs)]))

    verdict.judge(every, measure)
    assert asked == [["twice", "once", "never"], ["twice", "once"]]
    assert [outcome.kind for outcome in every if outcome.falls_short] == ["twice"]
    assert verdict.exit_status(every) == 1
    assert verdict.exit_status(every[1:]) == 0
    told = list(verdict.findings(every))
    assert len(told) == 1
    assert told[0].startswith("falls short twice: twice, gru H8T1B1, 1 thread: 0.900")
    results = {"machine": {}, "builds": {}, "missing": {}, "rounds": 10, "samples": 5}
    assert told[0] in verdict.page(results, every)
    assert f"No case falls below {LIMIT}." in verdict.page(results, every[1:])


def test_what_only_the_second_build_fails_at_is_no_better_than_slow() -> None:
    every = outcomes("both", "first", "second")
    for outcome, failing in zip(every, ("AB", "A", "B"), strict=True):
        outcome.failures = dict.fromkeys(failing, "cannot")
    assert [verdict.exit_status([outcome]) for outcome in every] == [0, 0, 1]
    assert [line.partition(":")[0] for line in verdict.findings(every)] == [
        "not compared", "not compared", "fails in B alone",
    ]  # fmt: skip


def test_all_cases_are_measured_unless_some_are_chosen() -> None:
    found = builds.outcomes_of(compare.parse_arguments(["--builds", "a", "b"]))
    names = {(it.kind, it.cell, it.case, it.threads) for it in found}
    assert len(names) == len(found)
    for cell in CELLS:
        for threads in (1, 2):
            assert {("sequence", cell, case.name, threads) for case in CASES} <= names
            assert {("training", cell, case.name, threads) for case in TRAINING} <= names
        for kind in builds.IN_C:
            for units in (8, 16, 32, 64):
                assert (kind, cell, f"H{units}T1B1", 1) in names
    chosen = ["--what", "steps,training", "--cells", "rnn", "--threads", "2"]
    given = ["--builds", "a", "b", *chosen, "--cases", "H8T1B1,H8T5B2,H300T1B1"]
    assert [(it.kind, it.case) for it in builds.outcomes_of(compare.parse_arguments(given))] == [
        ("step", "H8T1B1"), ("step", "H300T1B1"), ("training", "H8T5B2"),
    ]  # fmt: skip


@pytest.mark.parametrize("case", [*CASES, *TRAINING], ids=lambda case: case.name)
def test_long_calls_are_sampled_less_often_but_at_all(case: Case) -> None:
    outcome = Outcome("training", "lstm", case.name, 1)
    assert 2 <= builds.samples_of(outcome, 5) <= 5
    assert builds.samples_of(outcome, 1) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--builds", "a"], "--builds"),
        (["--builds", "a", "b", "--rounds", "9"], "--rounds: expected at least 10"),
        (["--builds", "a", "b", "--peers", "torch"], "--peers: not allowed with --builds"),
        (["--builds", "a", "b", "--quick"], "--quick: not allowed with --builds"),
        (["--builds", "a", "b", "--what", "speed"], "expected some of sequences, steps, training"),
        (["--what", "steps"], "--what: expected --builds beside it"),
        (["--builds-c", "a", "b"], "--builds-c: expected --builds beside it"),
    ],
)
def test_wrong_arguments_are_refused(
    given: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        compare.parse_arguments(given)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def test_two_builds_that_are_one_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for other, told in ((sys.executable, "got one: both"), ("nothing", "got nothing")):
        given = ["compare.py", "--builds", sys.executable, other, "--out", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", given)
        assert compare.main() == 2
        assert told in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="an environment that is a shell script")
def test_two_builds_are_asked_the_same(tmp_path: Path) -> None:
    """The other one is a copy, which gives other bits for one model and fails at streams."""
    library = tmp_path / "library"
    shutil.copytree(Path(rn.__file__).parent, library / "rnn_native")
    model = library / "rnn_native/model.py"
    model.write_text(
        model.read_text()
        + "\n\ndef _other(self, *given, _call=Model.__call__, **named):\n"
        + "    y, state = _call(self, *given, **named)\n"
        + "    return (y + 1 if self.input_size == 3 else y), state\n\n\n"
        + "def _fail(self, *_):\n    raise RuntimeError('no streams here')\n\n\n"
        + "Model.__call__, Model.stream = _other, _fail\n"
    )
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{library}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "logs").mkdir()
    arguments = Namespace(
        builds=[Path(sys.executable), tmp_path], builds_c=None, out=tmp_path, cpus=None,
        rounds=2, samples=1,
    )  # fmt: skip
    every = [
        Outcome("sequence", "gru", "H3T2B1", 1), Outcome("step", "gru", "H4T1B1", 1),
        Outcome("sequence", "lstm", "H4T1B2", 1), Outcome("training", "rnn", "H3T2B2", 1),
    ]  # fmt: skip
    measured = builds.Builds(arguments, tmp_path)
    assert Path(measured.told["B"]["file"]).is_relative_to(library)
    measured.measure(every)
    assert [outcome.same_bits for outcome in every] == [False, True, True, True]
    assert [outcome.failures for outcome in every] == [
        {}, {"B": "RuntimeError: no streams here"}, {}, {},
    ]  # fmt: skip
    for outcome in (every[0], *every[2:]):
        (run,) = outcome.runs
        assert len(run.before) == len(run.after) == arguments.rounds
        assert min(*run.before, *run.after) > 0
