"""Measures rnn_native beside its peers: docs/benchmarks.md says how, and how to read the result.

    python bench/compare.py
    python bench/compare.py --threads 1 --cells lstm --cases H64T100B1,H256T100B1 --peers torch

Writes results.json, report.md and plots into --out. Exit status: 0 where all was measured, 2 where
an argument or rnn_native itself is wrong; a peer that is missing or fails is named and left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import limits
import machine
import report
from grid import CASES, CELLS, QUICK, THREADS, Case, make_input, make_spec
from runtimes import PEERS, STEPS_ONLY

import rnn_native as rn
from rnn_native.benchmark.child import Child, ChildError, choose_cpus, start_team
from rnn_native.benchmark.rounds import ROUNDS, SAMPLES, Measured, take_turns, write_data

HERE = Path(__file__).resolve().parent
OURS = "rnn_native"
NATIVE = "rnn_native.benchmark.runtimes.native"
T = TypeVar("T")


def list_of(parse: Callable[[str], T]) -> Callable[[str], list[T]]:
    def parse_all(text: str) -> list[T]:
        try:
            return [parse(part) for part in text.split(",") if part]
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_all


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    def parse(name: str) -> str:
        if name not in known:
            raise ValueError(f"expected some of {', '.join(known)}; got {name}")
        return name

    return parse


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--threads", type=list_of(int), default=list(THREADS), help="default 1,2")
    add("--cells", type=list_of(one_of(CELLS)), default=list(CELLS), help="default lstm,gru,rnn")
    add("--cases", type=list_of(Case.parse), help="such as H64T100B1,H128T100B1L2bi; default all")
    add("--peers", type=list_of(one_of(list(PEERS))), default=list(PEERS),
        help=f"default {','.join(PEERS)}")  # fmt: skip
    add("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    add("--samples", type=int, default=SAMPLES, help=f"of a round; default {SAMPLES}")
    add("--cpus", type=list_of(int), help="processors to pin to; default the first of each core")
    add("--out", type=Path, default=Path("build/bench"), help="folder; default build/bench")
    add("--quick", action="store_true", help="a handful of cases and three rounds: a look only")
    arguments = parser.parse_args(given)
    if arguments.quick:
        arguments.rounds = min(arguments.rounds, 3)
    arguments.cases = arguments.cases or list(QUICK if arguments.quick else CASES)
    if not arguments.cells:
        parser.error("argument --cells: expected at least one")
    for name in ("rounds", "samples", "threads"):
        values = getattr(arguments, name)
        if min(values if isinstance(values, list) else [values], default=0) < 1:
            parser.error(f"argument --{name}: expected at least 1")
    return arguments


def measure_case(
    children: Sequence[Child], cell: str, case: Case, arguments: argparse.Namespace, folder: Path
) -> dict[str, Measured]:
    spec = make_spec(cell, case)
    model, data = folder / "model.safetensors", folder / "data.npz"
    rn.Model(spec).save(model)
    x, states = make_input(cell, case)
    write_data(data, spec, x, states)
    able = [child for child in children if case.is_step or child.name not in STEPS_ONLY]
    return take_turns(able, model, data, arguments.rounds, arguments.samples)


def measure_limits(
    out: Path, plan: dict[int, list[int]]
) -> tuple[dict[int, limits.Limits], str | None]:
    """By number of threads, or why there are none."""
    program = limits.compile_program(out)
    if isinstance(program, str):
        return {}, program
    return {threads: limits.measure(program, threads, cpus) for threads, cpus in plan.items()}, None


def run(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    (out / "logs").mkdir(parents=True, exist_ok=True)
    plan = {threads: choose_cpus(threads, arguments.cpus) for threads in arguments.threads}
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "cpus": {str(threads): cpus for threads, cpus in plan.items()},
        "rounds": arguments.rounds,
        "samples": arguments.samples,
        "versions": {},
        "missing": {},
    }
    found, why = measure_limits(out, plan)
    if why:
        results["missing"]["limits"] = why
    results["limits"] = {str(threads): asdict(limit) for threads, limit in found.items()}
    results["cases"] = cases = []

    for threads, cpus in plan.items():
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            modules = {OURS: NATIVE} | {name: PEERS[name] for name in arguments.peers}
            team = start_team(stack, modules, threads, cpus, HERE, out / "logs")
            results["versions"] |= team.versions
            results["missing"] |= team.missing
            for name, reason in team.missing.items():
                print(f"left out: {name}: {reason}", flush=True)
            for cell in arguments.cells:
                for case in arguments.cases:
                    measured = measure_case(team.children, cell, case, arguments, folder)
                    if measured[OURS].failure:
                        raise ChildError(f"{OURS}: {cell} {case.name}: {measured[OURS].failure}")
                    limit = found.get(threads)
                    cases.append({
                        "cell": cell, "case": case.name, "threads": threads,
                        "flops": case.flops(cell),
                        "limit": limit.seconds(cell, case) if limit else None,
                        "runtimes": {name: asdict(it) for name, it in measured.items()},
                    })  # fmt: skip
                    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
                    print(report.one_line(cases[-1]), flush=True)

    for path in report.write(results, out):
        print(path)


def main() -> int:
    arguments = parse_arguments()
    try:
        run(arguments)
    except (rn.RnnError, OSError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
