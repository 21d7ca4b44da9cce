"""How long ``rn.load`` takes for small files, in a process that has read one of their format.

    python bench/loading.py FILE...

For each file its size, what of the time is reading it into a ModelSpec, and the whole with packing:
the least of many runs, in milliseconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import rnn_native as rn
from rnn_native import formats

SECONDS = 1.0  # of runs for each number


def least(run: Callable[[], object]) -> float:
    """Milliseconds, after one run that does not count."""
    run()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (begin := time.perf_counter()) < end:
        run()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def main(paths: list[Path]) -> None:
    if not paths:
        sys.exit("loading.py: expected files that rn.load reads without options")
    print(f"{'bytes':>9} {'read':>8} {'load':>8}  file")
    for path in paths:
        read, load = (least(lambda f=f, path=path: f(path)) for f in (formats.read, rn.load))
        print(f"{path.stat().st_size:9d} {read:8.2f} {load:8.2f}  {path.name}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
