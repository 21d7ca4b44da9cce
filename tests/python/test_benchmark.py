"""How speed is measured: only right answers are timed, in a process that is set up as promised."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import strategies

import rnn_native as rn
from rnn_native.benchmark import rounds, timing
from rnn_native.benchmark.child import (
    Child,
    ChildError,
    choose_cpus,
    environment,
    runtime_command,
    start_team,
)
from rnn_native.benchmark.runtimes import native
from rnn_native.benchmark.worker import Task

RUNTIME = """
import json, os
import numpy as np
from rnn_native.benchmark.worker import Form

print("a line of its own")

def version():
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return json.dumps([allowed, dict(os.environ)])

def fail(*_):
    raise RuntimeError("cannot\\nat all")

def prepare(task):
    if task.threads == 7:
        os._exit(3)
    y = task.x * 2
    right = Form(lambda: y, lambda got: [got])
    if task.threads == 6:
        return {"raises": Form(fail, fail), "NaN": Form(lambda: y * np.nan, lambda got: [got])}
    return {
        "raises": Form(fail, fail),
        "slightly off": Form(lambda: y + 2e-3, lambda got: [got]),
        "one is NaN": Form(lambda: np.where(y == y[0], np.nan, y), lambda got: [got]),
        "wrong shape": Form(lambda: y[:-1], lambda got: [got]),
        "nothing": Form(lambda: y, lambda got: []),
        "right": right,
    }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the runtime above, and a model that doubles with an input for it."""
    (tmp_path / "doubling.py").write_text(RUNTIME)
    spec = rn.ModelSpec((rn.Linear(np.eye(2, dtype=np.float32) * 2),))
    rn.Model(spec).save(tmp_path / "model.safetensors")
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 2, 2)
    rounds.write_data(tmp_path / "data.npz", spec, x)
    return tmp_path


@pytest.fixture
def child(folder: Path) -> Iterator[Child]:
    with Child("doubling", runtime_command("doubling", folder), 1, choose_cpus(1)) as started:
        yield started


def paths(folder: Path) -> dict[str, str]:
    return {"model": str(folder / "model.safetensors"), "data": str(folder / "data.npz")}


def test_only_forms_whose_output_is_right_are_timed(child: Child, folder: Path) -> None:
    reply = child.ask("prepare", **paths(folder), threads=1)
    assert reply["form"] == "right"
    assert reply["error"] <= 2.0**-24  # both round x * 2 once, if at all
    assert [name for name, said in reply["tried"].items() if isinstance(said, float)] == ["right"]
    assert reply["tried"]["raises"] == "RuntimeError: cannot"
    seconds = child.ask("samples", count=2)["seconds"]
    assert len(seconds) == 2
    assert min(seconds) > 0


def test_a_runtime_that_is_always_wrong_is_not_timed(child: Child, folder: Path) -> None:
    with pytest.raises(ChildError, match=r"^ValueError: raises: .*; NaN: .*off by nan"):
        child.ask("prepare", **paths(folder), threads=6)
    with pytest.raises(ChildError, match="nothing is prepared"):
        child.ask("samples", count=1)


def test_a_process_that_ends_is_an_error_not_a_hang(child: Child, folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(ChildError, match="its process ended with status 3"):
            child.ask("prepare", **paths(folder), threads=7)


def test_a_peer_that_fails_does_not_stop_the_others(folder: Path) -> None:
    modules = {"ours": "rnn_native.benchmark.runtimes.native", "torn": "torn", "other": "doubling"}
    (folder / "torn.py").write_text("import not_there")
    with ExitStack() as stack:
        team = start_team(stack, modules, 1, choose_cpus(1), folder)
        assert team.missing == {"torn": "not_there is not installed"}
        assert list(team.versions) == ["ours", "other"]
        results = rounds.take_turns(
            team.children, folder / "model.safetensors", folder / "data.npz", rounds=2, samples=1
        )
    assert [len(result.rounds) for result in results.values()] == [2, 2]
    # Neither has a stream's state: the whole of x is one call for both.
    assert results["other"].ratio_to(results["other"]) == 1


def test_every_form_of_ours_gives_a_last_state_as_the_reference_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    last = strategies.make_recurrent(rng, "gru", 3, 4, return_sequences=False)
    spec = rn.ModelSpec((last, rn.Merge("sum", 2)), mask_value=0.0)
    rn.Model(spec).save(tmp_path / "model.safetensors")
    x = rng.standard_normal((1, 2, 3)).astype(np.float32)
    y, h = rn.reference.run(spec, x)
    forms = native.prepare(Task(str(tmp_path / "model.safetensors"), x, None, 1))
    assert list(forms) == ["model", "stream.step"]
    for form in forms.values():
        got_y, got_h = form.arrays(form.call())
        np.testing.assert_allclose(got_y, y, atol=1e-6)
        assert got_y.shape == y.shape
        np.testing.assert_allclose(got_h, h, atol=1e-6)


def test_the_environment_of_a_child(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    before = os.environ.copy()
    made = environment(2, os.environ)
    assert not {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"} & set(made)
    assert made["OMP_NUM_THREADS"] == made["RNN_NATIVE_NUM_THREADS"] == "2"
    assert made["PATH"] == os.environ["PATH"]
    assert os.environ == before

    with Child("doubling", runtime_command("doubling", folder), 1, choose_cpus(1)) as started:
        allowed, variables = json.loads(started.ask("hello")["version"])
    assert variables["OMP_NUM_THREADS"] == "1"
    assert "OPENBLAS_CORETYPE" not in variables
    assert allowed == choose_cpus(1)
    if hasattr(os, "sched_getaffinity"):
        assert set(os.sched_getaffinity(0)) >= set(allowed)


def test_the_calls_of_a_sample_last_as_long_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that only calls move, and of which the first ones take a thousand times longer."""
    clock = 0.0
    calls = 0

    def call() -> None:
        nonlocal clock, calls
        calls += 1
        clock += 0.1 if calls < 3 else 1e-4

    monkeypatch.setattr(timing, "perf_counter", lambda: clock)
    found = timing.calls_per_sample(call, 0.01)
    assert 100 <= found <= 200  # enough, and not far more than enough
    assert timing.samples(call, found, 3, 0.01) == pytest.approx([1e-4] * 3)
    before = calls
    timing.samples(call, 1, 1, 0.01)  # what was enough when the machine was slower is raised
    assert calls - before >= 2 * 100


def test_a_ratio_is_taken_within_the_rounds() -> None:
    """A machine that slows down for a round slows down both."""
    ours = rounds.Measured(rounds=[1.0, 10.0, 1.0])
    peer = rounds.Measured(rounds=[2.0, 20.0, 3.0])
    assert peer.ratio_to(ours) == 2.0
