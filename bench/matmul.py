"""Measures who multiplies faster, the packed kernels or a BLAS: what matmul="auto" stands on.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python bench/matmul.py
    python bench/matmul.py --threads 2 --cells lstm --cases H256T100B32

Prints a line a case: the time of each, and BLAS's over packed's; above 1, packed is faster.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial

from compare import list_of, one_of
from grid import CASES, CELLS, Case, make_input, make_spec

import rnn_native as rn
from rnn_native.benchmark import timing

MATMULS = ("packed", "blas")


def measure(cell: str, case: Case, threads: int, rounds: int) -> dict[str, float]:
    """Median over the rounds of each one's best time of a call, taken in turn."""
    spec = make_spec(cell, case)
    x, _ = make_input(cell, case)
    calls = {name: partial(rn.Model(spec, matmul=name, num_threads=threads), x) for name in MATMULS}
    counts = {name: timing.calls_per_sample(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in MATMULS}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(min(timing.samples(call, counts[name], 2)))
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--threads", type=int, default=1, help="default 1")
    add("--cells", type=list_of(one_of(CELLS)), default=list(CELLS), help="default lstm,gru,rnn")
    add("--cases", type=list_of(Case.parse), default=list(CASES), help="default all")
    add("--rounds", type=int, default=3, help="default 3")
    arguments = parser.parse_args()
    config = rn.show_config(mode="dicts")
    assert config is not None
    print(f"{config['isa']}, {config['blas']}, {arguments.threads} thread(s)")
    ratios = []
    for cell in arguments.cells:
        for case in arguments.cases:
            seconds = measure(cell, case, arguments.threads, arguments.rounds)
            ratios.append(seconds["blas"] / seconds["packed"])
            times = "  ".join(f"{name} {1e6 * seconds[name]:10.1f} µs" for name in MATMULS)
            print(f"{cell:4} {case.name:16} {times}  {ratios[-1]:5.2f}", flush=True)
    print(f"geometric mean {statistics.geometric_mean(ratios):.2f}, least {min(ratios):.2f}")


if __name__ == "__main__":
    main()
