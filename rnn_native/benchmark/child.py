"""Starts the process of one runtime, pinned and with its number of threads, and asks it things."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final

from ..errors import OptionError, RnnError

REMOVED: Final = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_DYNAMIC_CORE")
"""These would hold OpenBLAS, in whichever runtime, back from its best kernels for this CPU."""

THREADS: Final = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RNN_NATIVE_NUM_THREADS"
)  # fmt: skip


class ChildError(RnnError):
    """A runtime could not do what it was asked; one line says why."""


def environment(threads: int, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a child that uses that many threads."""
    kept = {name: value for name, value in base.items() if name not in REMOVED}
    return kept | dict.fromkeys(THREADS, str(threads))


def _siblings(cpu: int) -> str:
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def choose_cpus(count: int, among: Sequence[int] | None = None) -> list[int]:
    """``count`` of the processors this process may use, of different cores as far as possible.

    Empty where processes cannot be pinned. ``OptionError`` where there are fewer.
    """
    if not hasattr(os, "sched_getaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0))
    cpus = list(among or allowed)
    if unknown := sorted(set(cpus) - set(allowed)):
        raise OptionError(f"cpus: this process may use {allowed}, not {unknown}")
    if len(cpus) < count:
        raise OptionError(f"threads: expected at most {len(cpus)}, one a processor; got {count}")
    cores: dict[str, list[int]] = {}
    for cpu in cpus:
        cores.setdefault(_siblings(cpu), []).append(cpu)
    rank = {cpu: place for core in cores.values() for place, cpu in enumerate(core)}
    return sorted(cpus, key=lambda cpu: (rank[cpu], cpus.index(cpu)))[:count]


@contextmanager
def pinned(cpus: Sequence[int]) -> Iterator[None]:
    """What is started meanwhile runs on these: set before any library counts the processors."""
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def runtime_command(module: str, folder: Path | None = None) -> list[str]:
    """What starts a runtime's module, imported from ``folder`` if need be (see ``worker``)."""
    arguments = [module] if folder is None else [module, str(folder)]
    return [sys.executable, "-P", "-m", "rnn_native.benchmark.worker", *arguments]


class Child:
    """A runtime in a process of its own, which stands still except when it is asked something.

    Parameters
    ----------
    name
        For messages.
    command
        What starts a process that answers as ``serving`` does.
    threads, cpus
        How many threads it may use, and the processors that it is pinned to.
    log
        A file for what it prints; None: nowhere.
    variables
        What its environment has besides.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        threads: int,
        cpus: Sequence[int],
        log: Path | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.threads = threads
        with pinned(cpus), open(log or os.devnull, "wb") as printed:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                env=environment(threads) | dict(variables),
                encoding="utf-8",
            )

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """A request and its reply; ``ChildError`` where it failed."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._signal("SIGCONT")
            print(json.dumps({"op": op, **arguments}), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ChildError(f"its process ended with status {self._process.wait()}")
        self._signal("SIGSTOP")  # threads that wait by spinning would take others' turns
        reply: dict[str, Any] = json.loads(line)
        if "failure" in reply:
            raise ChildError(reply["failure"])
        return reply

    def _signal(self, name: str) -> None:
        if hasattr(signal, name) and self._process.poll() is None:
            self._process.send_signal(getattr(signal, name))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # what it did not live to read
                if pipe:
                    pipe.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


@dataclass
class Team:
    """The children that are there, the versions of their runtimes, and why others are not."""

    children: list[Child] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def start_team(
    stack: ExitStack,
    modules: Mapping[str, str],
    threads: int,
    cpus: Sequence[int],
    folder: Path | None = None,
    logs: Path | None = None,
) -> Team:
    """A child for each runtime's module, by name. The first one has to be there: ``ChildError``."""
    team = Team()
    for name, module in modules.items():
        log = None if logs is None else logs / f"{name}-{threads}.txt"
        child = stack.enter_context(
            Child(name, runtime_command(module, folder), threads, cpus, log)
        )
        try:
            team.versions[name] = child.ask("hello")["version"]
        except ChildError as error:
            if not team.children:
                raise ChildError(f"{name}: {error}") from None
            team.missing[name] = str(error)
        else:
            team.children.append(child)
    return team
