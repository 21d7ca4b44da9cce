"""Files read in a forked process, within bounds of memory and of processor time.

A batch of mutants is made and read by one process, one after another. The bounds hold for each
file: address space beyond what the process has when it begins to read, and seconds of its own
processor time, so that a busy machine changes nothing. Past the first bound Python raises
MemoryError, which is a finding; a process that dies, of a signal or of its time, leaves the file
that it was reading.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import RnnError
from rnn_native.formats import safetensors
from rnn_native.formats.recognised import recognised
from rnn_native.spec import ModelSpec

from .mutations import mutate
from .seeds import BESIDE, OPTIONS

SECONDS = 1.0  # of processor time for one file
MEMORY, MEMORY_BY_BYTE = 64 * 2**20, 40  # and so many more for each byte of the file
LONGEST_MESSAGE = 10_000  # characters
for _entry in formats.FORMATS.values():  # here, and not in each process
    importlib.import_module(f"rnn_native.formats.{_entry.module}")

_KILLED_AFTER = 5 * SECONDS
_FILES = 200  # of a batch
_VERIFIED = 0.3  # of the models are made and replay what they carry


@dataclass(frozen=True)
class Batch:
    """Mutants of ``seeds`` and of ``further``; ``known`` endings with the size of their file.
    Without a ``seed`` the files of ``seeds`` as they are, with every option of their format."""

    format: str
    seed: str
    seeds: Sequence[bytes]
    further: Sequence[bytes] = ()
    known: Mapping[str, int] = field(default_factory=dict)

    def files(self) -> Iterator[tuple[bytes, dict[str, Any], bool]]:
        """Each with options to read it with, and whether to verify what it carries."""
        if not self.seed:
            every = {json.dumps(options): options for options in OPTIONS[self.format]}
            yield from ((data, options, True) for data in self.seeds for options in every.values())
            return
        rng = random.Random(self.seed)
        for _ in range(_FILES):
            source = self.further if self.further and rng.random() < 0.5 else self.seeds
            data = mutate(rng, self.format, rng.choice(source), self.seeds)
            yield data, rng.choice(OPTIONS[self.format]), rng.random() < _VERIFIED


@dataclass
class Outcome:
    """How reading ended. ``problem`` is empty for a model or an error of ours; ``ending`` names
    the place, ``data`` is the file where it is the first or smallest that ended there."""

    ending: str
    data: bytes | None = None
    problem: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def read_batch(batch: Batch) -> Iterator[Outcome]:
    """Makes and reads the files of a batch in a process of their own."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        process = os.fork()
        if process == 0:
            _child(batch, Path(folder))
        status = os.waitpid(process, 0)[1]
        told = Path(folder, "outcomes")
        if told.exists():
            yield from pickle.loads(told.read_bytes())
        if status:
            yield _of_death(Path(folder), status)


def read_one(format: str, data: bytes, folder: Path, options: dict[str, Any], verify: bool) -> str:
    """Reads a file that may be anything, in this process; a word for how it ended.

    Raises whatever a reader lets pass that is no error of ours, also a warning of others'.
    """
    path = folder / "model"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        for tell in (formats.strings, formats.beside, formats.choices, formats.read_arrays):
            with suppress(RnnError):
                tell(path, format)
        recognised(path)
        try:
            spec = formats.read(path, format, **options)
            assert isinstance(spec, ModelSpec)
            safetensors.dumps(spec)
            if verify:
                rn.load(path, format=format, verify=True, **options)
        except RnnError as error:
            if len(str(error)) > LONGEST_MESSAGE:
                raise AssertionError(f"a message of {len(str(error))} characters") from error
            return f"{type(error).__name__}-{_place(error)}"
        return "-".join(
            ["read", *dict.fromkeys(type(layer).__name__ for layer, _ in spec.nodes.values())]
        )


def bounded(size: int) -> None:
    """From here on this process may take as much memory as reading ``size`` bytes may."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY + MEMORY_BY_BYTE * size
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def unbounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _child(batch: Batch, folder: Path) -> None:
    """Never returns."""
    code = 1
    try:
        known = dict(batch.known)
        outcomes: list[Outcome] = []
        work = folder / "work"
        work.mkdir()
        for name, data in BESIDE.items():
            (work / name).write_bytes(data)
        counts: Counter[str] = Counter()
        for data, options, verify in batch.files():
            (folder / "options").write_text(json.dumps(options))
            outcome = _attempt(batch.format, data, work, options, verify)
            counts[outcome.ending.partition("-")[0]] += 1
            if outcome.problem or len(data) < known.get(outcome.ending, sys.maxsize):
                known[outcome.ending] = len(data)
                outcomes.append(outcome)
        outcomes.append(Outcome("", counts=counts))
        (folder / "outcomes").write_bytes(pickle.dumps(outcomes))
        code = 0
    except BaseException:  # a fault of the fuzzer's own
        traceback.print_exc()
    finally:
        os._exit(code)


def _attempt(
    format: str, data: bytes, folder: Path, options: dict[str, Any], verify: bool
) -> Outcome:
    problem = ""
    signal.setitimer(signal.ITIMER_PROF, _KILLED_AFTER)
    begin = time.process_time()
    try:
        bounded(len(data))
        ending = read_one(format, data, folder, options, verify)
    except Exception as error:
        unbounded()
        ending = f"{type(error).__name__}-{_place(error)}"
        problem = "".join(traceback.format_exception(error))
    finally:
        unbounded()
        signal.setitimer(signal.ITIMER_PROF, 0)
    used = time.process_time() - begin
    if not problem and used > SECONDS:
        problem, ending = f"{used:.2f} seconds of processor time", f"slow-{ending}"
    return Outcome(ending, data, problem, options)


def _of_death(folder: Path, status: int) -> Outcome:
    path = folder / "work" / "model"
    data = path.read_bytes() if path.exists() else b""
    killed = os.WIFSIGNALED(status)
    what = signal.Signals(os.WTERMSIG(status)).name if killed else f"exit code {status >> 8}"
    options = folder / "options"
    return Outcome(
        f"{what.replace(' ', '_')}-{hashlib.sha256(data).hexdigest()[:8]}",
        data,
        f"the process ended with {what}",
        json.loads(options.read_text()) if options.exists() else {},
        Counter({"died": 1}),
    )


def _place(error: BaseException) -> str:
    """Module, function and line within it, of the deepest frame of ours."""
    origin = error
    while isinstance(origin.__cause__, RnnError):
        origin = origin.__cause__
    frames = list(traceback.walk_tb(origin.__traceback__))
    ours = [frame for frame in frames if "rnn_native" in frame[0].f_code.co_filename]
    frame, line = (ours or frames)[-1]
    code = frame.f_code
    name = code.co_name.strip("<>")
    return f"{Path(code.co_filename).stem}-{name}-{line - code.co_firstlineno}"
