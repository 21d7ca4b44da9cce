"""How long ``rn.load`` takes: of small files, and of large ones beside reading and copying them.

    python bench/loading.py FILE...
    python bench/loading.py --large [MEGABYTES]

The first says for each file its size, what of the time is reading it into a ModelSpec, and the
whole with packing: the least of many runs, in milliseconds, in a process that has read one of the
format. The second writes .safetensors of 90 MB, an LSTM's and a Linear's, and takes turns at
loading them and at what has to be done at least: to read the bytes from the page cache and to copy
them once. It gives medians in milliseconds, and how many times the least loading takes.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import rnn_native as rn
from rnn_native import formats

SECONDS = 1.0  # of runs for each number
ROUNDS = 21


def least(run: Callable[[], object]) -> float:
    """Milliseconds, after one run that does not count."""
    run()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (begin := time.perf_counter()) < end:
        run()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def small(paths: list[Path]) -> None:
    print(f"{'bytes':>9} {'read':>8} {'load':>8}  file")
    for path in paths:
        read, load = (least(lambda f=f, path=path: f(path)) for f in (formats.read, rn.load))
        print(f"{path.stat().st_size:9d} {read:8.2f} {load:8.2f}  {path.name}")


def copied(path: Path) -> object:
    """Its bytes, read and copied."""
    return np.fromfile(path, np.uint8).copy()


def in_turns(runs: list[Callable[[], object]]) -> list[float]:
    """Median milliseconds of each, which take turns; what they give is let go between them."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(ROUNDS + 1):
        for kept, run in zip(times, runs, strict=True):
            begin = time.perf_counter()
            made = run()
            taken = time.perf_counter() - begin
            del made
            if turn:  # the first one brings files into the page cache
                kept.append(taken)
    return [1e3 * statistics.median(kept) for kept in times]


def large(megabytes: int) -> None:
    units = round((megabytes * 1e6 / 4 / 8) ** 0.5)
    side = round((megabytes * 1e6 / 4) ** 0.5)
    models = {
        "lstm": rn.LSTM(units, units).model,
        "linear": rn.Model(rn.Linear(np.ones((side, side), np.float32))),
    }
    print(f"{'bytes':>10} {'copy':>8} {'read':>8} {'load':>8} {'times':>6}  model")
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            path = Path(folder) / f"{name}.safetensors"
            model.save(path)
            runs: list[Callable[[], object]] = [
                lambda path=path: copied(path),
                lambda path=path: formats.read(path),
                lambda path=path: rn.load(path),
            ]
            copy, read, load = in_turns(runs)
            size = path.stat().st_size
            print(f"{size:10d} {copy:8.1f} {read:8.1f} {load:8.1f} {load / copy:6.2f}  {name}")


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--large"]:
        large(int(arguments[1]) if len(arguments) > 1 else 90)
    elif arguments:
        small([Path(name) for name in arguments])
    else:
        sys.exit("loading.py: expected files that rn.load reads without options, or --large")


if __name__ == "__main__":
    main(sys.argv[1:])
