"""How long one step takes: for finding regressions of our own, beside the peers installed.

Beside the steps of the grid there are networks so small that only the call itself counts. A
stream runs in the thread that calls it, so there is no number of threads.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from grid import CASES, CELLS, TINY, Case, make_input, make_spec
from pytest_benchmark.fixture import BenchmarkFixture

import rnn_native as rn
from rnn_native import reference
from rnn_native.benchmark.pytest_plugin import measure
from rnn_native.benchmark.worker import Task
from rnn_native.states import flatten, state_counts, unflatten

STEPS = [*TINY, *(case for case in CASES if case.is_step)]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("case", STEPS, ids=lambda case: case.name)
def test_step(
    benchmark: BenchmarkFixture,
    case: Case,
    cell: str,
    runtime: str,
    module: str,
    precision: str,
    tmp_path: Path,
) -> None:
    benchmark.group = f"{case.name}, one step"
    benchmark.extra_info |= {"flops": case.flops(cell), "isa": rn.show_config("dicts")["isa"]}
    spec, (x, states) = make_spec(cell, case), make_input(cell, case)
    rn.Model(spec).save(tmp_path / "model.safetensors")
    counts = state_counts(spec)
    assert states is not None
    y, final = reference.run(spec, x, unflatten(counts, states))
    task = Task(str(tmp_path / "model.safetensors"), x, states, 1, precision=precision)
    measure(benchmark, runtime, module, task, [y, *flatten(counts, final)])
