"""Measures forward of a Network beside what it could run on instead: a Model, also with a trace.
docs/training.md has why.

    python bench/train_forward.py
    python bench/train_forward.py --threads 1 --cells lstm --cases H128T100B8

Prints a table of times as parts of forward's: the shortest of all rounds, in each of which all take
their turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from compare import list_of, one_of
from grid import CELLS, THREADS, Case, make_input, make_spec

import rnn_native as rn

CASES = "H32T100B8,H32T100B32,H128T100B8,H128T100B32,H512T20B8,H512T20B32"


def shortest(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of each call, the least of so many rounds."""
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            least[name] = min(least[name], time.perf_counter() - begin)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--threads", type=list_of(int), default=list(THREADS), help="default 1,2")
    add("--cells", type=list_of(one_of(CELLS)), default=list(CELLS), help="default lstm,gru,rnn")
    add("--cases", type=list_of(Case.parse), default=list_of(Case.parse)(CASES), help=CASES)
    add("--rounds", type=int, default=40, help="default 40")
    given = parser.parse_args()
    print("| case | forward, ms | run of a Model | with a trace |\n|---|---:|---:|---:|")
    for threads in given.threads:
        for cell in given.cells:
            for case in given.cases:
                spec, (x, _) = make_spec(cell, case), make_input(cell, case)
                network = rn.train.Network(spec, num_threads=threads)
                model = rn.Model(spec, num_threads=threads)
                calls = {
                    "forward": lambda n=network, x=x: n.forward(x),
                    "run": lambda m=model, x=x: m(x),
                    "trace": lambda m=model, x=x: m.trace(x),
                }
                times = shortest(calls, given.rounds)
                forward = times["forward"]
                print(
                    f"| {cell} {case.name}, {threads} thread{'s' * (threads > 1)} | "
                    f"{forward * 1e3:.2f} | {times['run'] / forward:.2f} | "
                    f"{times['trace'] / forward:.2f} |"
                )


if __name__ == "__main__":
    main()
