"""Measures rnn_native beside its peers: docs/benchmarks.md says how, and how to read the result.

    python bench/compare.py
    python bench/compare.py --threads 1 --cells lstm --cases H64T100B1,H256T100B1 --peers torch
    python bench/compare.py --precision int8

Writes results.json, report.md and plots into --out. Exit status: 0 where all was measured, 2 where
an argument or rnn_native itself is wrong; a peer that is missing or fails is named and left out.

    python bench/compare.py --builds A B
    python bench/compare.py --builds A B --what steps,training --threads 1

measures two installed builds of rnn_native in turn, and no peers: A and B are Pythons, or folders
of environments. Exit status: 1 where B falls short of A in some case.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import limits
import machine
import report
from goals import verdicts
from grid import CASES, CELLS, QUICK, THREADS, Case, make_input, make_spec
from ours import Ours
from results import OURS
from runtimes import PEERS_OF, STEPS_ONLY, peers_of

import rnn_native as rn
from rnn_native.benchmark.child import Child, ChildError, choose_cpus, start_team
from rnn_native.benchmark.precision import PRECISIONS
from rnn_native.benchmark.rounds import ROUNDS, SAMPLES, Measured, take_turns, write_data

HERE = Path(__file__).resolve().parent
NATIVE = "rnn_native.benchmark.runtimes.native"
OF_PEERS = {"bfloat16-widened": "bfloat16"}
"""What peers are asked for where it is not what ours is."""
WHAT = ("sequences", "steps", "training")
LEAST_ROUNDS = 10
"""Of two builds, from which on an interval says something."""
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
    add("--precision", choices=list(PRECISIONS), help="default float32")
    every = list(dict.fromkeys(name for kind in ("float32", *PEERS_OF) for name in peers_of(kind)))
    add("--peers", type=list_of(one_of(every)), help=f"default {','.join(every)}")
    add("--rounds", type=int, help=f"default {ROUNDS}; of two builds {LEAST_ROUNDS}, at least")
    add("--samples", type=int, default=SAMPLES, help=f"of a round; default {SAMPLES}")
    add("--cpus", type=list_of(int), help="processors to pin to; default the first of each core")
    add(
        "--out", type=Path, help="folder; default build/bench, build/bench-int8, build/bench-builds"
    )
    add("--quick", action="store_true", help="a handful of cases and three rounds: a look only")
    add("--builds", type=Path, nargs=2, metavar=("A", "B"), help="two builds, in place of peers")
    add(
        "--builds-c",
        type=Path,
        nargs=2,
        metavar=("A", "B"),
        help="folders that CMake built, for steps in C; default the source in the packages",
    )
    add("--what", type=list_of(one_of(WHAT)), help=f"of two builds; default {','.join(WHAT)}")
    arguments = parser.parse_args(given)
    if not arguments.cells:
        parser.error("argument --cells: expected at least one")
    for name in ("rounds", "samples", "threads"):
        values = getattr(arguments, name)
        if values is None:
            continue
        if min(values if isinstance(values, list) else [values], default=0) < 1:
            parser.error(f"argument --{name}: expected at least 1")
    (complete_for_builds if arguments.builds else complete)(parser, arguments)
    return arguments


def complete(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """The defaults beside peers."""
    for name in ("what", "builds_c"):
        if getattr(arguments, name):
            parser.error(f"argument --{name.replace('_', '-')}: expected --builds beside it")
    arguments.rounds = arguments.rounds or ROUNDS
    if arguments.quick:
        arguments.rounds = min(arguments.rounds, 3)
    arguments.cases = arguments.cases or list(QUICK if arguments.quick else CASES)
    arguments.precision = arguments.precision or "float32"
    known = peers_of(arguments.precision)
    arguments.peers = list(known) if arguments.peers is None else arguments.peers
    for name in arguments.peers:
        if name not in known:
            parser.error(f"argument --peers: {name} has no {arguments.precision}")
    reduced = "" if arguments.precision == "float32" else f"-{arguments.precision}"
    arguments.out = arguments.out or Path(f"build/bench{reduced}")


def complete_for_builds(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """The defaults of two builds; without --cases, ``builds`` has those of everything."""
    for name in ("peers", "precision", "quick"):
        if getattr(arguments, name):
            parser.error(f"argument --{name}: not allowed with --builds")
    arguments.rounds = arguments.rounds or LEAST_ROUNDS
    if arguments.rounds < LEAST_ROUNDS:
        parser.error(f"argument --rounds: expected at least {LEAST_ROUNDS} with --builds")
    arguments.what = arguments.what or list(WHAT)
    arguments.out = arguments.out or Path("build/bench-builds")


def measure_case(
    children: Sequence[Child],
    cell: str,
    case: Case,
    arguments: argparse.Namespace,
    precisions: Mapping[str, str],
    folder: Path,
) -> dict[str, Measured]:
    spec = make_spec(cell, case)
    model, data = folder / "model.safetensors", folder / "data.npz"
    rn.Model(spec).save(model)
    x, states = make_input(cell, case)
    write_data(data, spec, x, states)
    able = [child for child in children if case.is_step or child.name not in STEPS_ONLY]
    rounds, samples = arguments.rounds, arguments.samples
    return take_turns(able, model, data, rounds, samples, precisions)


def measure_limits(
    out: Path, plan: dict[int, list[int]], precision: str
) -> tuple[dict[int, limits.Limits], str | None]:
    """By number of threads, and why there are none, or none of this precision."""
    program = limits.compile_program(out)
    if isinstance(program, str):
        return {}, program
    found = {threads: limits.measure(program, threads, cpus) for threads, cpus in plan.items()}
    wanted = PRECISIONS[precision].arithmetic
    if all(wanted in limit.peaks for limit in found.values()):
        return found, None
    return found, f"the compiler or this CPU has no instruction that multiplies {wanted}"


def run(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    (out / "logs").mkdir(parents=True, exist_ok=True)
    plan = {threads: choose_cpus(threads, arguments.cpus) for threads in arguments.threads}
    ours = Ours.of(arguments.precision)
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "precision": ours.precision,
        "cpus": {str(threads): cpus for threads, cpus in plan.items()},
        "rounds": arguments.rounds,
        "samples": arguments.samples,
        "versions": {},
        "missing": {OURS: ours.refused} if ours.refused else {},
    }
    found, why = measure_limits(out, plan, ours.precision)
    if why:
        results["missing"]["limits"] = why
    results["limits"] = {str(threads): asdict(limit) for threads, limit in found.items()}
    results["cases"] = cases = []
    told = dict(results["missing"])

    asked = OF_PEERS.get(ours.precision, ours.precision)
    precisions = ours.precisions | dict.fromkeys(arguments.peers, asked)
    modules = dict.fromkeys(ours.precisions, NATIVE)
    modules |= {name: peers_of(ours.precision)[name] for name in arguments.peers}
    for threads, cpus in plan.items():
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            team = start_team(stack, modules, threads, cpus, HERE, out / "logs")
            results["versions"] |= team.versions
            results["missing"] |= team.missing
            for name, reason in (told | team.missing).items():
                print(f"left out: {name}: {reason}", flush=True)
            told = {}
            for cell in arguments.cells:
                for case in arguments.cases:
                    measured = measure_case(
                        team.children, cell, case, arguments, precisions, folder
                    )
                    for name in ours.precisions:
                        if measured[name].failure:
                            why = f"{name}: {cell} {case.name}: {measured[name].failure}"
                            raise ChildError(why)
                    limit = found.get(threads)
                    cases.append({
                        "cell": cell, "case": case.name, "threads": threads,
                        "precision": ours.precision, "flops": case.flops(cell),
                        "limit": limit.seconds(cell, case, ours.precision) if limit else None,
                        "memory": ours.memory(make_spec(cell, case)),
                        "runtimes": {name: asdict(it) for name, it in measured.items()},
                    })  # fmt: skip
                    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
                    print(report.one_line(cases[-1]), flush=True)

    for verdict in verdicts(cases):
        if not verdict.is_met:
            print(f"goal not met: {report.one_verdict(verdict)}")
    for path in report.write(results, out):
        print(path)


def main() -> int:
    arguments = parse_arguments()
    try:
        if arguments.builds:
            import builds

            return builds.run(arguments)
        run(arguments)
    except (rn.RnnError, OSError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
