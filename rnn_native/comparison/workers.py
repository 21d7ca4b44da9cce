"""Jobs in several processes; a job gives the same bits in any of them."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UnsupportedError
from .plan import Job
from .runs import Record, digest, run
from .task import Splits, Task


@dataclass
class Workshop:
    """Where jobs are done: ``out`` has their records, and data that took long to read."""

    out: Path
    scale: str
    num_threads: int
    _data: dict[str, Splits] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    def load(self, task: Task) -> Splits:
        """A task's data; those of the last one are kept, since its jobs follow each other."""
        if task.name not in self._data:
            self._data.clear()
            try:
                self._data[task.name] = task.load(self.out / "cache")
            except ImportError as error:  # a package that is there, but not with what it needs
                raise UnsupportedError(
                    f"{task.family}: what it needs cannot be imported: {error}; --tasks leaves "
                    "it out"
                ) from None
        return self._data[task.name]

    def digest(self, task: Task) -> str:
        """What tells the task's data from others."""
        if task.name not in self._digests:
            self._digests[task.name] = digest(self.load(task))
        return self._digests[task.name]

    def do(self, job: Job) -> Record:
        return run(job, self.out / "runs", self.load, self.num_threads, self.scale)


_mine: list[Workshop] = []  # of a process of the pool: the one that its jobs share


def _begin(out: Path, scale: str, num_threads: int) -> None:
    _mine.append(Workshop(out, scale, num_threads))


def _do(job: Job) -> Record:
    return _mine[-1].do(job)


def do_all(shop: Workshop, jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Record]]:
    """Each job with its record, as they are finished; in this process where one is asked for."""
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, shop.do(job)
        return
    begin = (shop.out, shop.scale, shop.num_threads)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(processes, len(jobs)), context, _begin, begin)
    try:
        with _interrupts_held():
            waiting = {pool.submit(_do, job): job for job in jobs}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BaseException:  # Ctrl-C too: what is under way goes on from its checkpoint next time
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits for the end of the block, and processes begun in it never see it: a terminal
    tells all of them, and each would answer with a traceback of its own."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
