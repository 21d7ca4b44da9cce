"""Lets pools live for long: streams come, leave, begin anew, and get ragged chunks.

    python -P tests/soak/soak_pool.py --seconds 600

After everything that happens, each stream gives the bits of a stream by itself; pools go on from
snapshots of theirs as if nothing had been; and the memory of the process stays what it was after
the first tenth of the time, within a twentieth. Exit status 1 where one of these fails.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import numpy as np
import strategies
from pool_streams import Streams
from random_graphs import make_graph

import rnn_native as rn

WEIGHTS = (None, "bfloat16", "int8")
CAPACITY = 300


def pools(rng: np.random.Generator) -> Iterator[Streams]:
    """Layers of each cell and weight type, and graphs, on one thread and on two."""
    for threads in (1, 2):
        for cell in ("lstm", "gru", "rnn"):
            for weights in WEIGHTS:
                spec = strategies.make_spec(rng, cell, 8, 48, num_layers=2, out_features=3)
                yield Streams(rn.Model(spec, weight_dtype=weights), CAPACITY, threads)
        for number in range(6):
            spec = make_graph(rng, streams=True, pools=number % 2 == 0, static=number % 3 == 0)
            yield Streams(rn.Model(spec), CAPACITY // 10, threads)


def restart(streams: Streams) -> None:
    """The pool goes on in another one."""
    pool = streams.pool
    streams.pool = rn.StreamPool(streams.model, pool.capacity, pool.num_threads)
    streams.pool.restore(pool.snapshot())


def resident() -> int:
    """Bytes that the process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    begun, early, turns, steps = time.monotonic(), 0, 0, 0
    for streams in cycle(list(pools(rng))):
        elapsed = time.monotonic() - begun
        if not early and elapsed > options.seconds / 10:
            early = resident()
        if elapsed > options.seconds:
            break
        for _ in range(5):
            streams.live(rng)
            steps += len(streams.alone)
        if rng.integers(4) == 0:
            restart(streams)
        streams.assert_states()
        turns += 1
    late = resident()
    print(f"{turns} turns, {steps} streams seen, {early / 1e6:.1f} MB early, {late / 1e6:.1f} late")
    return int(late > 1.05 * early)


if __name__ == "__main__":
    sys.exit(main())
