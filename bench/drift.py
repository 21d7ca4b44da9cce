"""How far reduced precision moves state and output of networks that never start anew.

    python bench/drift.py [--networks NAME ...] [--types NAME ...] [--steps N]
    python bench/drift.py --write docs/precision.md

Six networks run 100,000 steps in float32, in float64 and in each type: the same 12,500 steps of
input, eight times, without a reset. The difference to float32 is told, and that of float32 to
float64 as the yardstick. As each round has the same input, what grows from round to round is drift:
a power of time is fitted to the rms of each, which is bounded where that is nearer to 0, and a
random walk where it is nearer to 0.5. Outputs count at every step, states (h, and c) at the last
one of each piece of at most 64. All goes into build/precision, drift.json and drift.png;
``--write`` puts the table between <!-- drift --> and <!-- /drift --> of a page, and the picture
into the folder that is named like the page. Packages: bench/requirements-precision.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import machine
import numpy as np
from long_runs.growth import Difference, edges, exponent, verdict
from long_runs.networks import NETWORKS, LongRun
from long_runs.plot import draw
from numpy.typing import NDArray
from precision import OUT, write
from real_models.ways import FLOAT32, TYPES

import rnn_native as rn

FLOAT64 = "float64"
ROUNDS = 8
PIECE = 64
"""Steps of a call, at most."""


def _flat(state: Any) -> NDArray[Any]:
    """All numbers of a state: arrays, or tuples or dicts of them."""
    if isinstance(state, Mapping):
        state = tuple(state.values())
    if isinstance(state, tuple):
        return np.concatenate([_flat(part) for part in state])
    return np.ravel(state)


def follow(run: LongRun, types: Sequence[str]) -> dict[str, Any]:
    """Of each type, and of float32 to float64, the differences of state and output."""
    models: dict[str, Any] = {FLOAT32: rn.Model(run.spec, num_threads=1)}
    models[FLOAT64] = rn.Model(run.spec, dtype="float64", num_threads=1)
    missing = {}
    for name in types:
        try:
            models[name] = rn.Model(run.spec, num_threads=1, **TYPES[name][0])
        except (TypeError, rn.OptionError, rn.UnsupportedError) as error:
            missing[name] = str(error)
    others = [name for name in models if name != FLOAT32]
    steps = ROUNDS * len(run.steps)
    blocks, rounds = edges(steps)[1:], [n * len(run.steps) for n in range(1, ROUNDS + 1)]
    parts = "state", "output"
    of_block = {name: {part: Difference() for part in parts} for name in others}
    of_round = {name: {part: Difference() for part in parts} for name in others}
    states: dict[str, Any] = dict.fromkeys(models)
    at = 0
    while at < steps:
        last = min(end for end in (at + PIECE, *blocks, *rounds) if end > at)
        x = run.x(at, last)
        outputs = {}
        for name, model in models.items():
            outputs[name], states[name] = model(x, states[name])
        for name in others:
            for found in (of_block[name], of_round[name]):
                found["state"].add(_flat(states[FLOAT32]), _flat(states[name]))
                found["output"].add(outputs[FLOAT32], outputs[name])
        at = last
        for places, found in ((blocks, of_block), (rounds, of_round)):
            if at in places:
                for difference in (found[name][part] for name in others for part in parts):
                    difference.end_block()
    return {
        "blocks": blocks,
        "rounds": rounds,
        "missing": missing,
        "types": {
            name: {
                part: {
                    "rms": of_block[name][part].rms,
                    "rms of rounds": of_round[name][part].rms,
                    "largest": max(of_round[name][part].most),
                    "power": exponent(rounds, of_round[name][part].rms),
                }
                for part in parts
            }
            for name in others
        },
    }


def table(results: Mapping[str, Any]) -> Iterator[str]:
    """Markdown: of each network and type the first and the last round, and what grows."""
    last = f"round {ROUNDS}"
    head = [
        "network", "type", "state, rms of round 1", last, "largest", "power of time",
        "output, rms of round 1", last, "largest", "power of time", "that is",
    ]  # fmt: skip
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for name, result in results.items():
        for place, (kind, parts) in enumerate(result["types"].items()):
            cells = [
                "" if place else NETWORKS[name][0],
                "float32, from float64" if kind == FLOAT64 else kind,
            ]
            for it in parts.values():
                first, final = it["rms of rounds"][0], it["rms of rounds"][-1]
                cells += [f"{value:.1e}" for value in (first, final, it["largest"])]
                cells.append(f"{it['power']:.2f}".replace("-0.00", "0.00"))
            said = list(dict.fromkeys(verdict(it["power"]) for it in parts.values()))
            yield f"| {' | '.join([*cells, ' and '.join(said)])} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    parser.add_argument("--types", nargs="+", choices=TYPES, default=[*TYPES])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=OUT, help="a folder")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="puts table and picture there")
    options = parser.parse_args()
    if not 100 * ROUNDS <= options.steps <= 150_000 or options.steps % ROUNDS:
        parser.error(f"--steps: expected {100 * ROUNDS} to 150000, a multiple of {ROUNDS}")
    results = {}
    for name in options.networks:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            run = NETWORKS[name][1](options.steps // ROUNDS)
        except (PackageNotFoundError, ImportError) as error:
            print(f"{name}: {error}: see bench/requirements-precision.txt", file=sys.stderr)
            continue
        results[name] = follow(run, options.types)
        for kind, why in results[name]["missing"].items():
            print(f"{name}, {kind}: not in this build ({why})", file=sys.stderr)
    if not results:
        return 1
    text = "\n".join(table(results))
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    isa = rn.show_config("dicts")["isa"]
    told = {"machine": machine.describe(), "isa": isa, "networks": results}
    (options.out / "drift.json").write_text(json.dumps(told, indent=1) + "\n")
    titles = {name: NETWORKS[name][0] for name in results}
    draw(results, titles, options.out / "drift.png")
    if options.write:
        write(options.write, text, "drift")
        picture = options.write.with_suffix("") / "drift.png"
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes((options.out / "drift.png").read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
