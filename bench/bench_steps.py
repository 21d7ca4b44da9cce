"""How long one step of a stream takes: for finding regressions of our own.

Beside the steps of the grid there are networks so small that only the call itself counts. A
stream runs in the thread that calls it, so there is no number of threads.
"""

from __future__ import annotations

from functools import partial

import pytest
from grid import CASES, CELLS, TINY, Case, make_input, make_spec
from pytest_benchmark.fixture import BenchmarkFixture

import rnn_native as rn

STEPS = [*TINY, *(case for case in CASES if case.is_step)]


@pytest.mark.parametrize("case", STEPS, ids=lambda case: case.name)
@pytest.mark.parametrize("cell", CELLS)
def test_step(benchmark: BenchmarkFixture, cell: str, case: Case) -> None:
    benchmark.group = f"{cell}, one step"
    benchmark.extra_info |= {"flops": case.flops(cell), "isa": rn.show_config("dicts")["isa"]}
    stream = rn.Model(make_spec(cell, case)).stream(case.batch)
    x, _ = make_input(cell, case)
    y = benchmark(partial(stream.step, x[0]))
    assert y.shape == (case.batch, case.hidden)
