"""How long whole sequences take: for finding regressions of our own, beside the peers installed.

`pytest bench --benchmark-autosave` keeps the numbers, `--benchmark-compare` shows those beside.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from grid import CASES, CELLS, THREADS, Case, make_input, make_spec
from pytest_benchmark.fixture import BenchmarkFixture

import rnn_native as rn
from rnn_native import reference
from rnn_native.benchmark.pytest_plugin import measure
from rnn_native.benchmark.worker import Task
from rnn_native.states import flatten, state_counts

SEQUENCES = [case for case in CASES if not case.is_step]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: case.name)
def test_sequence(
    benchmark: BenchmarkFixture,
    case: Case,
    threads: int,
    cell: str,
    runtime: str,
    module: str,
    precision: str,
    tmp_path: Path,
) -> None:
    benchmark.group = f"{case.name}, {threads} thread(s)"
    benchmark.extra_info |= {"flops": case.flops(cell), "isa": rn.show_config("dicts")["isa"]}
    spec, (x, states) = make_spec(cell, case), make_input(cell, case)
    rn.Model(spec).save(tmp_path / "model.safetensors")
    y, final = reference.run(spec, x)
    expected = [y, *flatten(state_counts(spec), final)]
    task = Task(str(tmp_path / "model.safetensors"), x, states, threads, precision=precision)
    measure(benchmark, runtime, module, task, expected)
