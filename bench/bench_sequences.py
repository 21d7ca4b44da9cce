"""How long whole sequences take: for finding regressions of our own.

`pytest bench --benchmark-autosave` keeps the numbers, `--benchmark-compare` shows those beside.
"""

from __future__ import annotations

from functools import partial

import pytest
from grid import CASES, CELLS, THREADS, Case, make_input, make_spec
from pytest_benchmark.fixture import BenchmarkFixture

import rnn_native as rn

SEQUENCES = [case for case in CASES if not case.is_step]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: case.name)
@pytest.mark.parametrize("cell", CELLS)
def test_sequence(benchmark: BenchmarkFixture, cell: str, case: Case, threads: int) -> None:
    benchmark.group = f"{cell}, {threads} thread(s)"
    benchmark.extra_info |= {"flops": case.flops(cell), "isa": rn.show_config("dicts")["isa"]}
    model = rn.Model(make_spec(cell, case), num_threads=threads)
    x, _ = make_input(cell, case)
    y, _ = benchmark(partial(model, x))
    assert y.shape == (case.time, case.batch, case.hidden * case.directions)
