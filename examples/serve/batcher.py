"""The heart of the server: what has arrived of all streams is stepped in one call.

A batch begins when its oldest window has waited for ``collect`` seconds, or as soon as every client
has a window there. One worker thread owns the pool and does all that is done to it, in order; its
calls leave Python's GIL to the event loop, which goes on hearing and collects the next batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from time import monotonic, perf_counter
from typing import NamedTuple, TypeVar

import numpy as np
from metrics import Metrics
from networks import Network
from protocol import encoded, samples_of
from streams import Stream

import rnn_native as rn

T = TypeVar("T")


class Part(NamedTuple):
    """What a batch has of one stream."""

    stream: Stream
    sound: bytes
    times: list[float]


class Batcher:
    def __init__(
        self,
        network: Network,
        pool: rn.StreamPool,
        metrics: Metrics,
        *,
        collect: float,
        deadline: float,
        most_rows: int,
    ) -> None:
        self.company = 0  # clients that could have a window in a batch
        self.between = asyncio.Lock()  # who holds it knows that no batch is on its way
        self._network = network
        self._pool = pool
        self._metrics = metrics
        self._collect = collect
        self._deadline = deadline
        self._most_rows = most_rows
        self._worker = ThreadPoolExecutor(1, "pool")
        self._ready: dict[Stream, None] = {}  # in the order of their arrival
        self._some = asyncio.Event()
        self._enough = asyncio.Event()

    @property
    def idle(self) -> bool:
        return not self._ready and not self.between.locked()

    async def in_worker(self, function: Callable[..., T], *arguments: object) -> T:
        """Calls a function of the pool between batches."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, function, *arguments)

    def close(self) -> None:
        self._worker.shutdown()

    def offer(self, stream: Stream) -> None:
        """Something of a stream has changed: it takes part in the next batch if it can."""
        if stream not in self._ready and stream.ready():
            self._ready[stream] = None
            self._some.set()
            if len(self._ready) >= min(self.company, self._most_rows):
                self._enough.set()

    def withdraw(self, stream: Stream) -> None:
        self._ready.pop(stream, None)

    async def run(self) -> None:
        while True:
            await self._some.wait()
            await self._wait_for_company()
            async with self.between:
                parts = self._take()
                if parts:
                    answers = await self.in_worker(self._step, parts)
                    self._deliver(parts, answers)

    async def _wait_for_company(self) -> None:
        if self._ready:
            oldest = next(iter(self._ready)).oldest
            wait = oldest + self._collect - monotonic()
            if wait > 0:
                try:
                    async with asyncio.timeout(wait):
                        await self._enough.wait()
                except TimeoutError:
                    pass

    def _take(self) -> list[Part]:
        parts = []
        rows = 0
        for stream in list(self._ready):
            if rows >= self._most_rows:
                break
            del self._ready[stream]
            count = min(stream.ready(), self._most_rows - rows)
            if count:
                parts.append(Part(stream, *stream.take(count)))
                rows += count
        self._enough.clear()
        if not self._ready:
            self._some.clear()
        return parts

    def _step(self, parts: list[Part]) -> list[bytes | memoryview]:
        """In the worker: the answers of each part."""
        network = self._network
        ids = np.array([part.stream.id for part in parts], np.int32)
        counts = np.array([len(part.times) for part in parts], np.int32)
        sound = np.concatenate(
            [
                samples_of(b"".join(part.sound for part in same), format)
                for format, same in groupby(parts, lambda part: part.stream.format)
            ]
        )
        x = network.features(ids, counts, sound.reshape(-1, network.window))
        begun = perf_counter()
        if len(x) == len(ids):
            y = self._pool.step(ids, x)
        else:
            y = np.concatenate(self._pool.push(ids, np.split(x, np.cumsum(counts)[:-1])))
        self._metrics.step_seconds.observe(perf_counter() - begun)
        self._metrics.rows.observe(len(x))
        values = network.answers(ids, counts, y)

        kinds = [p.stream.format if network.answers_are_sound else "float32" for p in parts]
        data = {kind: memoryview(encoded(values, kind)) for kind in set(kinds)}
        answers: list[bytes | memoryview] = []
        row = 0
        for kind, count in zip(kinds, counts.tolist(), strict=True):
            size = len(data[kind]) // len(values)
            answers.append(data[kind][row * size : (row + count) * size])
            row += count
        return answers

    def _deliver(self, parts: list[Part], answers: list[bytes | memoryview]) -> None:
        for part, answer in zip(parts, answers, strict=True):
            part.stream.stepped(len(part.times), answer)
            self.offer(part.stream)  # if it has more
        now = monotonic()
        late = 0
        for part in parts:
            for time in part.times:
                self._metrics.latency.observe(now - time)
                late += now - time > self._deadline
        self._metrics.misses.inc(late)
