"""Fuzzes every reader of a model file: a mutated file is a model or an error of ours, nothing else.

    python tests/fuzz/fuzz_readers.py --seconds 600

Needs the package, h5py and onnx. Files that our own writers and the tests' builders make are
mutated, as bytes and as what they are (readers/mutations.py), and read in forked processes whose
memory and time are bounded (readers/bounded.py). A mutant that ends in a place where none before
it ended is mutated further. What is found lies in the folder of --findings: the file, and a text
that says what happened and with which options; the exit code is then 1. tests/fuzz/corpus/<format>
has small mutants, which tests/python/test_fuzz_corpus.py replays; --keep writes such files, and
--replay FILE... reads files as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # before NumPy; it is forked
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]

from readers.bounded import Batch, Outcome, read_batch  # noqa: E402
from readers.seeds import OPTIONS, corpus, seeds  # noqa: E402

_LARGEST = 2**16  # bytes of a mutant that is mutated further
_TOLD = 30  # seconds between two lines of progress


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, help="of the mutations (default: another each time)")
    parser.add_argument("--format", action="append", help="only this one; may be repeated")
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz-readers"))
    parser.add_argument("--keep", type=Path, help="write the smallest mutant of each ending here")
    parser.add_argument(
        "--replay", type=Path, nargs="+", metavar="FILE",
        help="only read these; the name of a file or of its folder begins with the format",
    )  # fmt: skip
    options = parser.parse_args()
    if options.replay:
        return replay(options.replay)
    seed = int.from_bytes(os.urandom(4), "little") if options.seed is None else options.seed
    pool = {name: files for name, files in seeds().items() if name in (options.format or [name])}
    if not pool:
        parser.error(f"--format: expected one of {', '.join(seeds())}")
    print(f"seed {seed}; seeds: {', '.join(f'{n} {len(files)}' for n, files in pool.items())}")
    fuzz = _Fuzz(pool, options.findings)
    begin = told = time.monotonic()
    number = 0
    while (now := time.monotonic()) - begin < options.seconds:
        for name in pool:
            number += 1
            fuzz.run(name, f"{seed}/{number}")
        if now - told > _TOLD:
            told = now
            print(fuzz.report(), flush=True)
    print(fuzz.report())
    if options.keep:
        fuzz.keep(options.keep)
    return 1 if fuzz.found else 0


def replay(paths: list[Path]) -> int:
    """Reads files as they are; how many of them are no model and no error of ours, at most 1."""
    wrong = 0
    for name, path in sorted((_format_of(path), path) for path in paths):
        outcomes = read_batch(Batch(name, "", [path.read_bytes()]))
        problems = {outcome.problem for outcome in outcomes if outcome.problem}
        wrong += bool(problems)
        for problem in problems:
            print(f"{path}: {problem}")
    print(f"{len(paths)} files, {wrong} wrong")
    return min(wrong, 1)


def _format_of(path: Path) -> str:
    for text in (path.parent.name, path.name.partition("-")[0]):
        if text in OPTIONS:
            return text
    raise SystemExit(f"--replay: {path}: no format in its name, one of {', '.join(OPTIONS)}")


class _Fuzz:
    """What has been seen so far."""

    def __init__(self, pool: dict[str, list[bytes]], findings: Path) -> None:
        self._pool = pool
        self._corpus = {name: corpus(name) for name in pool}
        self._findings = findings
        self._fresh: dict[str, dict[str, bytes]] = {name: {} for name in pool}  # by the ending
        self._counts = {name: Counter[str]() for name in pool}
        self.found: Counter[str] = Counter()

    def run(self, name: str, seed: str) -> None:
        """One process's worth of files."""
        fresh = self._fresh[name]
        further = self._corpus[name] + [d for d in fresh.values() if len(d) <= _LARGEST]
        known = {ending: len(data) for ending, data in fresh.items()}
        for outcome in read_batch(Batch(name, seed, self._pool[name], further, known)):
            self._counts[name].update(outcome.counts)
            if outcome.problem:
                self._report(name, outcome)
            elif outcome.data is not None:
                fresh[outcome.ending] = outcome.data

    def _report(self, name: str, outcome: Outcome) -> None:
        key = f"{name}-{outcome.ending}"
        self.found[key] += 1
        if self.found[key] == 1 and outcome.data is not None:
            self._findings.mkdir(parents=True, exist_ok=True)
            (self._findings / key).write_bytes(outcome.data)
            (self._findings / f"{key}.txt").write_text(f"{outcome.options}\n{outcome.problem}\n")
            print(f"FOUND {self._findings / key}: {outcome.problem.splitlines()[-1]:.300}")

    def report(self) -> str:
        lines = []
        for name, counts in self._counts.items():
            said = ", ".join(f"{what} {count}" for what, count in counts.most_common())
            lines.append(f"{name}: {said}; {len(self._fresh[name])} endings")
        lines += [f"found {count} times: {key}" for key, count in self.found.items()]
        return "\n".join(lines)

    def keep(self, folder: Path) -> None:
        for name, fresh in self._fresh.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            for ending, data in fresh.items():
                (folder / name / ending).write_bytes(data)


if __name__ == "__main__":
    if not sys.platform.startswith("linux"):
        sys.exit("fuzz_readers.py: expected Linux, whose processes can be forked and bounded")
    sys.exit(main())
