"""Measures a training step beside PyTorch: forward and backward of one layer, with the gradients of
the input and of every weight for the loss sum(y). docs/benchmarks.md says how.

    python bench/train.py
    python bench/train.py --threads 1 --cells lstm --cases H64T100B32

Writes train.json and train.md into --out. Exit status as that of compare.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import machine
import numpy as np
from compare import list_of, one_of
from grid import (
    CELLS,
    THREADS,
    TRAINING,
    TRAINING_PRODUCTS,
    Case,
    make_input,
    make_spec,
)

import rnn_native as rn
from rnn_native.benchmark.child import Child, ChildError, choose_cpus, start_team
from rnn_native.benchmark.rounds import ROUNDS, SAMPLES, Measured, take_turns

HERE = Path(__file__).resolve().parent
OURS, PEER = "rnn_native", "torch"
MODULES = {OURS: "runtimes.train_native", PEER: "runtimes.train_torch"}


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--threads", type=list_of(int), default=list(THREADS), help="default 1,2")
    add("--cells", type=list_of(one_of(CELLS)), default=list(CELLS), help="default lstm,gru,rnn")
    add("--cases", type=list_of(Case.parse), default=list(TRAINING), help="such as H64T100B32")
    add("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    add("--samples", type=int, default=SAMPLES, help=f"of a round; default {SAMPLES}")
    add("--cpus", type=list_of(int), help="processors to pin to; default the first of each core")
    add("--out", type=Path, default=Path("build/bench"), help="folder; default build/bench")
    return parser.parse_args(given)


def write_task(cell: str, case: Case, folder: Path) -> tuple[Path, Path]:
    """The model, and the input with what a float64 network makes of it."""
    spec = make_spec(cell, case)
    x, _ = make_input(cell, case)
    net = rn.train.Network(spec, "float64")
    y, _, tape = net.forward(x.astype(np.float64))
    grads = net.backward(tape, np.ones_like(y))
    model, data = folder / "model.safetensors", folder / "data.npz"
    rn.Model(spec).save(model)
    expected = [y, grads.x, *grads.weights.values()]
    arrays: dict[str, Any] = {f"expected_{i}": array for i, array in enumerate(expected)}
    np.savez(data, x=x, **arrays)
    return model, data


def measure(
    children: Sequence[Child], cell: str, case: Case, arguments: argparse.Namespace
) -> dict[str, Measured]:
    with tempfile.TemporaryDirectory() as folder:
        model, data = write_task(cell, case, Path(folder))
        return take_turns(children, model, data, arguments.rounds, arguments.samples)


def row(result: dict[str, Any]) -> str:
    """One line of the table."""
    every = {name: Measured(**fields) for name, fields in result["runtimes"].items()}
    ours, peer = every[OURS], every.get(PEER, Measured(failure="is not there"))
    speed = TRAINING_PRODUCTS * result["flops"] / ours.seconds / 1e9
    rest = f"– | {peer.failure}" if peer.failure else (
        f"{peer.seconds * 1e3:.2f} | {peer.ratio_to(ours):.2f}"
    )  # fmt: skip
    return (
        f"| {result['cell']} | {result['case']} | {result['threads']} "
        f"| {ours.seconds * 1e3:.2f} | {speed:.0f} | {rest} |"
    )


HEAD = (
    "| cell | case | threads | rnn_native, ms | GFLOP/s | torch, ms | times faster |\n"
    "|---|---|---|---|---|---|---|"
)


def run(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    (out / "logs").mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": machine.describe(), "versions": {}, "cases": []}
    print(HEAD, flush=True)
    for threads in arguments.threads:
        with ExitStack() as stack:
            cpus = choose_cpus(threads, arguments.cpus)
            team = start_team(stack, MODULES, threads, cpus, HERE, out / "logs")
            results["versions"] |= team.versions
            for cell in arguments.cells:
                for case in arguments.cases:
                    measured = measure(team.children, cell, case, arguments)
                    if measured[OURS].failure:
                        raise ChildError(f"{OURS}: {cell} {case.name}: {measured[OURS].failure}")
                    result = {
                        "cell": cell, "case": case.name, "threads": threads,
                        "flops": case.flops(cell),
                        "runtimes": {name: asdict(it) for name, it in measured.items()},
                    }  # fmt: skip
                    results["cases"].append(result)
                    print(row(result), flush=True)
    (out / "train.json").write_text(json.dumps(results, indent=1) + "\n")
    facts = [
        f"- {key}: {value}" for key, value in (results["machine"] | results["versions"]).items()
    ]
    lines = [*facts, "", HEAD, *map(row, results["cases"])]
    (out / "train.md").write_text("\n".join(lines) + "\n")


def main() -> int:
    arguments = parse_arguments()
    try:
        run(arguments)
    except (rn.RnnError, OSError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
