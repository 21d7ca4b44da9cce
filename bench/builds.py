"""Measures two builds of rnn_native in turn: what ``compare.py --builds A B`` does.

Each round has processes and copies of the files of its own, and in it the cases follow each other;
the two builds measure a case one right after the other, in an order that alternates.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import machine
import numpy as np
import verdict
from grid import CASES, TINY, TRAINING, TRAINING_PRODUCTS, Case, make_input, make_spec
from tqdm import tqdm
from verdict import Outcome, Run

import rnn_native as rn
from rnn_native import benchmark
from rnn_native.benchmark.child import Child, ChildError, choose_cpus, environment, pinned
from rnn_native.benchmark.rounds import Measured, take_turns

HERE = Path(__file__).resolve().parent
NAMES = ("A", "B")
IN_C = {"step in C": 1, "step of 100 in C": 100}
"""By kind, how many steps are one call (bench/steps.c)."""
MOST_UNITS_IN_C = 256
SPEED = 5e10  # operations a second: what the cost of a case is guessed by
TURN = 0.5  # seconds that the samples of one build may take, where two of them do not take more


def outcomes_of(arguments: argparse.Namespace) -> list[Outcome]:
    """The cases that were asked for, those of one number of threads behind each other."""
    given = arguments.cases
    found = []
    for threads in arguments.threads:
        for cell in arguments.cells:
            kinds: dict[str, Sequence[Case]] = {}
            if "sequences" in arguments.what:
                kinds["sequence"] = given or CASES
            if "steps" in arguments.what:
                steps = [case for case in given or (*TINY, *CASES) if case.is_step]
                streams = [case for case in steps if not case.bidirectional]
                kinds["step"] = streams
                alone = [case for case in streams if case.batch == case.layers == 1]
                for kind in IN_C if threads == 1 else ():
                    kinds[kind] = [case for case in alone if case.hidden <= MOST_UNITS_IN_C]
            if "training" in arguments.what:
                kinds["training"] = [case for case in given or TRAINING if not case.is_step]
            found += [
                Outcome(kind, cell, case.name, threads)
                for kind, cases in kinds.items()
                for case in cases
            ]
    return found


def cost(outcome: Outcome) -> float:
    """A guess at the seconds of a call."""
    flops = Case.parse(outcome.case).flops(outcome.cell)
    return flops * (TRAINING_PRODUCTS if outcome.kind == "training" else 1) / SPEED


def samples_of(outcome: Outcome, most: int) -> int:
    """Fewer where a call takes long: the noise of a long one is small."""
    return max(min(most, 2), min(most, int(TURN / cost(outcome))))


def interpreter(path: Path) -> Path:
    """The Python of an environment, or what is one itself."""
    for file in (path, path / "bin/python", path / "Scripts/python.exe"):
        if file.is_file():
            return file.absolute()  # its links stay: they tell which environment it is
    raise rn.OptionError(f"builds: expected a Python or the folder of an environment, got {path}")


class Builds:
    """Two installed builds, and the programs of bench/steps.c with the library of each."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self._arguments = arguments
        self._folder = folder
        self._pythons = [interpreter(path) for path in arguments.builds]
        self._written: dict[tuple[str, str, str], tuple[Path, Path]] = {}
        self.programs: dict[str, Path] = {}
        self.told: dict[str, dict[str, Any]] = {}
        with ExitStack() as stack:
            for child in self._start(stack, 1, None):
                self.told[child.name] = child.ask("hello")
        files = [told["file"] for told in self.told.values()]
        if files[0] == files[1]:
            raise rn.OptionError(f"builds: expected two, got one: both import {files[0]}")
        with ExitStack() as stack:
            for child in self._start(stack, 1, self._copies(stack)):
                try:
                    child.ask("hello")
                except ChildError as error:
                    raise rn.OptionError(
                        f"builds: {child.name}: expected an installed wheel, whose folder can be "
                        f"copied; a copy of {self.told[child.name]['file']} says: {error}"
                    ) from None

    def compile(self) -> str:
        """The programs; why there are none, if so."""
        if not (compiler := shutil.which(os.environ.get("CC", "cc"))):
            return "no C compiler"
        folders = self._arguments.builds_c or [None, None]
        for name, built in zip(NAMES, folders, strict=True):
            source = Path(self.told[name]["file"]).parent / "embedded"
            if (packed := source / "rnn_native.c.xz").exists():
                source = self._folder / f"source-{name}"
                shutil.copytree(packed.parent, source)
                (source / "rnn_native.c").write_bytes(lzma.decompress(packed.read_bytes()))
            if not built and not (source / "rnn_native.c").exists():
                return f"{name} has no rnn_native/embedded; --builds-c takes its CMake build"
            program = self._folder / f"steps-{name}"
            tqdm.write(f"{name}: compiling bench/steps.c with {built or source}")
            compile_steps(compiler, program, built, source)
            self.programs[name] = program
        return ""

    def measure(self, outcomes: Sequence[Outcome]) -> None:
        """See ``verdict.Measure``."""
        times: dict[int, dict[str, list[float]]] = {}
        rounds, most = self._arguments.rounds, self._arguments.samples
        costs = [2 * (most + 3) * max(0.015, cost(outcome)) for outcome in outcomes]
        work = list(enumerate(outcomes))
        form = "{percentage:3.0f}% {desc}: {elapsed}, {remaining} left"
        with tqdm(total=rounds * sum(costs), bar_format=form, mininterval=1) as progress:
            for number in range(rounds):
                progress.set_description(f"{len(outcomes)} cases, round {number + 1} of {rounds}")
                for threads, group in groupby(work, key=lambda pair: pair[1].threads):
                    for index, outcome, measured in self._round(number, threads, list(group)):
                        self._take(outcome, measured, times.setdefault(index, {}))
                        progress.update(costs[index])
        for index, outcome in work:
            if not outcome.failures:
                outcome.runs.append(Run(times[index]["A"], times[index]["B"]))

    def _round(
        self, number: int, threads: int, work: Sequence[tuple[int, Outcome]]
    ) -> Iterator[tuple[int, Outcome, Mapping[str, Measured]]]:
        """Every case once; after one that failed, processes are new."""
        waiting = list(work)
        while waiting:
            with ExitStack() as stack:
                fresh = self._copies(stack)
                children = self._start(stack, threads, fresh)
                while waiting:
                    index, outcome = waiting.pop(0)
                    if outcome.failures:
                        continue
                    order = -1 if (number + index) % 2 else 1
                    measured = self._turns(outcome, children[::order], fresh)
                    yield index, outcome, measured
                    if any(it.failure for it in measured.values()):
                        break

    def _turns(
        self, outcome: Outcome, children: Sequence[Child], fresh: Path
    ) -> Mapping[str, Measured]:
        if outcome.kind in IN_C:
            return {
                child.name: self._in_c(outcome, fresh / self.programs[child.name].name)
                for child in children
            }
        model, data = self._write(outcome)
        return take_turns(children, model, data, 1, samples_of(outcome, self._arguments.samples))

    def _in_c(self, outcome: Outcome, program: Path) -> Measured:
        units = str(Case.parse(outcome.case).hidden)
        command = [str(program), outcome.cell, units, str(IN_C[outcome.kind])]
        with pinned(choose_cpus(1, self._arguments.cpus)):
            done = subprocess.run(command, env=environment(1), capture_output=True, check=False)
        if done.returncode:
            return Measured(failure=f"its process ended with status {done.returncode}")
        time, found = done.stdout.split()
        return Measured(rounds=[float(time) * 1e-9], digest=found.decode())

    def _take(
        self, outcome: Outcome, measured: Mapping[str, Measured], times: dict[str, list[float]]
    ) -> None:
        outcome.failures |= {name: it.failure for name, it in measured.items() if it.failure}
        if outcome.failures:
            return
        if outcome.same_bits and len({it.digest for it in measured.values()}) > 1:
            outcome.same_bits = False
            tqdm.write(f"other bits: {outcome.name}")
        for name, it in measured.items():
            times.setdefault(name, []).extend(it.rounds)

    def _copies(self, stack: ExitStack) -> Path:
        """A folder with copies of both packages and programs, which are gone with the stack.

        The pages of a file stay where they are in memory as long as they are cached, and an unlucky
        place costs single steps half their speed: new files get new places.
        """
        fresh = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
        for name, told in self.told.items():
            package = Path(told["file"]).parent
            for part in package.parent.glob("rnn_native*"):  # a wheel may have rnn_native.libs
                if part.is_dir() and part.suffix != ".dist-info":
                    shutil.copytree(part, fresh / name / part.name)
        for program in self.programs.values():
            shutil.copy(program, fresh / program.name)
        return fresh

    def _start(self, stack: ExitStack, threads: int, fresh: Path | None) -> list[Child]:
        """Both builds; ``fresh``: from copies of theirs (see ``_copies``)."""
        cpus = choose_cpus(threads, self._arguments.cpus)
        worker = ["-P", str(HERE / "build_worker.py"), str(Path(benchmark.__file__).parent)]
        children = []
        for name, python in zip(NAMES, self._pythons, strict=True):
            packages = [] if fresh is None else [str(fresh / name)]
            log = self._arguments.out / "logs" / f"{name}.txt"
            child = Child(name, [str(python), *worker, *packages], threads, cpus, log)
            children.append(stack.enter_context(child))
        return children

    def _write(self, outcome: Outcome) -> tuple[Path, Path]:
        """The model and the data of a case, once."""
        key = (outcome.kind, outcome.cell, outcome.case)
        if key not in self._written:
            case = Case.parse(outcome.case)
            base = self._folder / "-".join(key)
            model, data = base.with_suffix(".safetensors"), base.with_suffix(".npz")
            rn.Model(make_spec(outcome.cell, case)).save(model)
            x, states = make_input(outcome.cell, case)
            arrays = {f"state_{i}": array for i, array in enumerate(states or ())}
            np.savez(data, x=x, kind=np.array(outcome.kind), **arrays)
            self._written[key] = model, data
        return self._written[key]


def compile_steps(compiler: str, program: Path, built: Path | None, source: Path) -> None:
    """bench/steps.c with the library of a CMake build or, where there is none, with the source that
    a package carries (``rnn_native/embedded``), made for this machine."""
    command = [compiler, "-std=c11", "-O3", str(HERE / "steps.c"), "-o", str(program)]
    if built is None:
        native = [] if platform.machine() == "arm64" else ["-march=native"]
        tries = [[*native, f"-I{source}", str(source / "rnn_native.c"), "-lm"]]
    else:
        cache = (built / "CMakeCache.txt").read_text().splitlines()
        home = next(line for line in cache if line.startswith("CMAKE_HOME_DIRECTORY:"))
        library = [f"-I{home.partition('=')[2]}/src/include", str(built / "librnn_native.a"), "-lm"]
        tries = [library, [*library, "-fopenmp"]]
    for more in tries:
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        if not done.returncode:
            return
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    raise ChildError(f"{compiler} cannot build bench/steps.c with {built or source}: {lines[-1]}")


def run(arguments: argparse.Namespace) -> int:
    """Measure, write results.json and report.md; the exit status."""
    out: Path = arguments.out
    (out / "logs").mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "cpus": {str(n): choose_cpus(n, arguments.cpus) for n in arguments.threads},
        "rounds": arguments.rounds,
        "samples": arguments.samples,
        "missing": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        builds = Builds(arguments, Path(folder))
        results["builds"] = {
            name: f"{told['version']}, {told['file']}" for name, told in builds.told.items()
        }
        outcomes = outcomes_of(arguments)
        if any(outcome.kind in IN_C for outcome in outcomes) and (why := builds.compile()):
            results["missing"]["steps in C"] = why
            outcomes = [outcome for outcome in outcomes if outcome.kind not in IN_C]
        if not outcomes:
            raise rn.OptionError("nothing to measure: no case is of what was asked for")

        def measure(some: Sequence[Outcome]) -> None:
            builds.measure(some)
            results["cases"] = [asdict(outcome) for outcome in outcomes]
            (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
            verdict.write(out / "report.md", results, outcomes)

        verdict.judge(outcomes, measure)
    for line in verdict.findings(outcomes):
        print(line)
    print(out / "report.md")
    if not any(outcome.runs for outcome in outcomes):
        raise ChildError("nothing could be measured")
    return verdict.exit_status(outcomes)
