"""A step of many streams: a pool beside a dense batch, a loop over streams, and onnxruntime.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python -P bench/pool.py --threads 1

For each cell, size and number of streams it measures, in turns within a round, µs of a step of all
of them:

- ``dense``: one call of a batch of as many rows, ``model(x[None], state)``;
- ``stream``: ``model.stream(batch=n).step(x)``, whose state and y stay where they are;
- ``pool``: ``pool.step(ids, x)``, ids in order, and at random, others in every call;
- ``loop``: ``y[i] = streams[i].step(x[i : i + 1])`` of n streams, one after the other, in Python;
- ``ort``: onnxruntime, the states of the same random rows stacked by hand, and put back.

Ratios are those within a round, and of these the median. Silero's whole network (``--silero``) is
from its file in the package faster-whisper; onnxruntime runs that one stream by stream, since the
file has no axis for several.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "examples/vad"))

import rnn_native as rn

CELLS = ("lstm", "gru")
SIZES = (16, 64, 128, 256)
COUNTS = (1, 10, 100, 1000, 10000)
WINDOW = 0.032
"""Seconds of sound that a step of silero's has."""

Call = Callable[[], Any]


def best(call: Call, seconds: float) -> float:
    """The least µs of a call, of as many as fit in so many seconds, at least three."""
    end, times = perf_counter() + seconds, []
    while len(times) < 3 or perf_counter() < end:
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return 1e6 * min(times)


def spec_of(cell: str, size: int) -> rn.ModelSpec:
    kinds = {"lstm": rn.LSTM, "gru": rn.GRU, "rnn": rn.RNN}
    return kinds[cell](size, size).model.spec


def ours(model: rn.Model, n: int, threads: int, rng: np.random.Generator) -> dict[str, Call]:
    width = model.input_size
    x = rng.standard_normal((n, width), dtype="float32")
    pool = rn.StreamPool(model, n, threads)
    ids = np.array([pool.open() for _ in range(n)], np.int32)
    shuffled = [rng.permutation(ids) for _ in range(8)]
    stream = model.stream(batch=n, num_threads=threads)
    loop = [model.stream() for _ in range(min(n, 1000))]
    y = np.empty((n, model.output_size), np.float32)
    state = model(x[None], num_threads=threads)[1]
    turn = [0]

    def random() -> None:
        turn[0] = (turn[0] + 1) % len(shuffled)
        pool.step(shuffled[turn[0]], x)

    def one_by_one() -> None:
        for i, one in enumerate(loop):
            y[i] = one.step(x[i : i + 1])

    calls: dict[str, Call] = {
        "stream": lambda: stream.step(x),
        "dense": lambda: model(x[None], state, num_threads=threads),
        "pool": lambda: pool.step(ids, x),
        "random": random,
        "loop": one_by_one,
    }
    return calls


def stacked(model: rn.Model, n: int, threads: int, rng: np.random.Generator) -> Call:
    """onnxruntime as one serves many streams with it: states gathered, run, scattered."""
    from runtimes import onnx_graph

    (layer,) = model.spec.layers
    session = onnx_graph.session(onnx_graph.build(layer, 1, n, True), threads)
    kept = [np.zeros((n, 1, layer.hidden_size), np.float32) for _ in layer.state_sizes]
    x = rng.standard_normal((1, n, layer.input_size), dtype="float32")
    names = [one.name for one in session.get_inputs()]
    shuffled = [rng.permutation(n) for _ in range(8)]
    turn = [0]

    def call() -> None:
        turn[0] = (turn[0] + 1) % len(shuffled)
        ids = shuffled[turn[0]]
        given = [np.ascontiguousarray(one[ids].transpose(1, 0, 2)) for one in kept]
        _, *states = session.run(None, dict(zip(names, [x, *given], strict=True)))
        for one, new in zip(kept, states, strict=True):
            one[ids] = new.transpose(1, 0, 2)

    return call


def alone(path: Path, n: int, threads: int) -> Call:
    """Silero's file by onnxruntime, stream by stream."""
    from rnn_native.benchmark.runtimes.onnx_file import session

    made = session(str(path), threads)
    x = np.zeros((1, 576), np.float32)
    states = [[np.zeros((1, 1, 128), np.float32)] * 2 for _ in range(n)]

    def call() -> None:
        for i, (h, c) in enumerate(states):
            _, *states[i] = made.run(None, {"input": x, "h": h, "c": c})

    return call


def measure(calls: Mapping[str, Call], rounds: int, seconds: float, n: int) -> dict[str, Any]:
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(best(call, seconds))
    scale = max(1.0, n / 1000)  # of a loop over no more than 1,000 streams
    times["loop"] = [scale * one for one in times["loop"]]
    found: dict[str, Any] = {name: median(each) for name, each in times.items()}

    def ratio(a: str, b: str) -> float:
        return median(one / other for one, other in zip(times[a], times[b], strict=True))

    found["pool / dense"] = ratio("pool", "dense")
    found["pool / stream"] = ratio("pool", "stream")
    found["random / dense"] = ratio("random", "dense")
    found["loop / random"] = ratio("loop", "random")
    if "ort" in times:
        found["ort / random"] = ratio("ort", "random")
    return found


COLUMNS = ("dense", "stream", "pool", "random", "loop", "ort")
RATIOS = ("pool / dense", "random / dense", "pool / stream", "loop / random", "ort / random")


def row(name: str, found: Mapping[str, Any]) -> str:
    cells = [f"{found[c]:.3g}" if c in found else "–" for c in COLUMNS]
    cells += [f"{found[c]:.2f}" if c in found else "–" for c in RATIOS]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cells", nargs="+", default=CELLS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each in a round")
    parser.add_argument("--silero", action="store_true", help="silero's file as well")
    parser.add_argument("--weights", help="weight_dtype")
    parser.add_argument("--no-ort", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    rng = np.random.default_rng(0)
    results: dict[str, Any] = {}
    print(f"µs of a step of all streams, {options.threads} threads\n")
    print(f"| streams | {' | '.join(COLUMNS + RATIOS)} |")
    print("|---" * (1 + len(COLUMNS + RATIOS)) + "|", flush=True)

    def add(name: str, calls: dict[str, Call], n: int) -> None:
        results[name] = measure(calls, options.rounds, options.seconds, n)
        print(row(name, results[name]), flush=True)

    for cell in options.cells:
        for size in options.sizes:
            model = rn.Model(spec_of(cell, size), weight_dtype=options.weights)
            for n in options.counts:
                calls = ours(model, n, options.threads, rng)
                if not options.no_ort:
                    calls["ort"] = stacked(model, n, options.threads, rng)
                add(f"{cell} H{size} N{n}", calls, n)
    if options.silero:
        from detectors import model_path

        model = rn.load(model_path(), weight_dtype=options.weights)
        for n in options.counts:
            calls = ours(model, n, options.threads, rng)
            if n <= 1000 and not options.no_ort:
                calls["ort"] = alone(model_path(), n, options.threads)
            add(f"silero v6 N{n}", calls, n)
            found = results[f"silero v6 N{n}"]
            found["real-time streams"] = n * WINDOW * 1e6 / found["random"]
            if "ort" in found:
                found["onnxruntime's"] = n * WINDOW * 1e6 / found["ort"]
        for name, found in results.items():
            if "real-time streams" in found:
                theirs = found.get("onnxruntime's", float("nan"))
                ours_ = found["real-time streams"]
                print(f"{name}: {ours_:,.0f} streams in real time, onnxruntime {theirs:,.0f}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
