"""Clients and their streams: who may connect, what they say, who goes on after a break."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import numpy as np
import protocol
import snapshots
from batcher import Batcher
from connection import Connection
from metrics import Metrics
from networks import Network
from protocol import Hello, RefusedError, Welcome
from streams import Limits, Stream
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import rnn_native as rn


@dataclass(frozen=True)
class Options:
    max_clients: int
    max_streams: int
    queue_seconds: float
    keep_seconds: float
    idle_seconds: float
    grace_seconds: float
    collect_seconds: float
    deadline_seconds: float
    most_rows: int
    threads: int
    hello_seconds: float = 10.0
    batch_seconds: float = 1.0  # of one stream, in one batch


class Service:
    def __init__(self, network: Network, options: Options, snapshot: Path | None = None) -> None:
        self.metrics = Metrics()
        self.stopping = False
        self._network = network
        self._options = options
        self._snapshot = snapshot
        self._pool = rn.StreamPool(network.model, options.max_streams, options.threads)
        self.batcher = Batcher(
            network,
            self._pool,
            self.metrics,
            collect=options.collect_seconds,
            deadline=options.deadline_seconds,
            most_rows=options.most_rows,
        )
        per_second = network.rate / network.window
        self._limits = Limits(
            queue=max(1, round(options.queue_seconds * per_second)),
            keep=max(2, round(options.keep_seconds * per_second)),
            batch=max(1, round(options.batch_seconds * per_second)),
        )
        self.saves_regularly = False
        self._connections: set[Connection] = set()  # all that are let in
        self._streams: set[Stream] = set()
        self._by_token: dict[str, Stream] = {}
        self._client_of: dict[Stream, Connection] = {}
        self._opening = 0
        self._saving = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.metrics.clients.set_function(lambda: len(self._connections))
        self.metrics.streams.set_function(lambda: len(self._streams))
        self.metrics.queued.set_function(lambda: sum(s.waiting for s in list(self._streams)))

    # ---- HTTP ----

    def request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers /metrics and /health, lets a client of /stream in, or not."""
        assert isinstance(connection, Connection)
        path = request.path.partition("?")[0]
        if path == "/metrics":
            return connection.respond(HTTPStatus.OK, self.metrics.text())
        if path not in ("/health", "/stream"):
            return connection.respond(HTTPStatus.NOT_FOUND, "there is /stream, /metrics, /health\n")
        if self.stopping:
            return self._unavailable(connection, "the server is about to stop")
        if path == "/health":
            return connection.respond(HTTPStatus.OK, "ok\n")
        if len(self._connections) >= self._options.max_clients:
            places = f"all {self._options.max_clients} places are taken"
            return self._unavailable(connection, places)
        self._connections.add(connection)
        connection.gone = lambda: self._connections.discard(connection)
        return None

    def _unavailable(self, connection: Connection, why: str) -> Response:
        self.metrics.refused.labels("503").inc()
        response = connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"{why}\n")
        response.headers["Retry-After"] = "1"
        return response

    # ---- a client ----

    async def client(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Connection)
        stream: Stream | None = None
        try:
            stream = await self._begin(connection)
            await self._listen(connection, stream)
        except RefusedError as refused:
            self.metrics.refused.labels(str(refused.code)).inc()
            await connection.close(refused.code, refused.reason)
            if stream is not None and self._client_of.get(stream) is connection:
                await self._remove(stream)
        except ConnectionClosed:
            pass
        finally:
            if stream is not None and self._client_of.get(stream) is connection:
                await self._leave(connection, stream)

    async def _begin(self, connection: Connection) -> Stream:
        try:
            async with asyncio.timeout(self._options.hello_seconds):
                hello = protocol.read_hello(await connection.recv())
        except TimeoutError:
            raise RefusedError(protocol.POLICY, "expected a first message sooner") from None
        if self.stopping:
            raise RefusedError(protocol.RESTART, "the server is about to stop")
        if isinstance(hello.resume, str):
            stream = await self._resume(connection, hello, hello.resume)
        else:
            stream = await self._open(connection, hello)
        return stream

    async def _open(self, connection: Connection, hello: Hello) -> Stream:
        if len(self._streams) + self._opening >= self._options.max_streams:
            raise RefusedError(
                protocol.TRY_AGAIN, f"all {self._options.max_streams} streams are in use"
            )
        self._opening += 1
        try:
            id = await self.batcher.in_worker(self._open_id)
        finally:
            self._opening -= 1
        assert hello.format is not None
        token = secrets.token_urlsafe(16) if hello.resume else None
        stream = self._new_stream(id, hello.format, token)
        self._attach(connection, stream)
        broadcast([connection], protocol.welcome_text(self._welcome(stream)))
        return stream

    def _open_id(self) -> int:
        """In the worker: a stream of the pool's, and nothing of who had its place before."""
        id = self._pool.open()
        for array in self._network.memory.values():
            array[id] = 0
        return int(id)

    def _new_stream(self, id: int, format: str, token: str | None) -> Stream:
        kind = format if self._network.answers_are_sound else "float32"
        size = self._network.values * protocol.FORMATS[kind].itemsize
        stream = Stream(id, format, token, self._network.window, size, self._limits)
        stream.when_done = lambda: self._finish(stream)
        self._streams.add(stream)
        if token is not None:
            self._by_token[token] = stream
        return stream

    async def _resume(self, connection: Connection, hello: Hello, token: str) -> Stream:
        async with self.batcher.between:  # so that its step is the one it goes on with
            stream = self._by_token.get(token)
            if stream is None:
                raise RefusedError(
                    protocol.NO_STREAM, "resume: no such stream, or its time is over"
                )
            stream.resume(hello.answered)
            before = self._client_of.get(stream)
            if before is not None:
                self._detach(stream)
                reason = "another connection goes on with the stream"
                self._start(before.close(protocol.POLICY, reason))
            self._attach(connection, stream)
            broadcast([connection], protocol.welcome_text(self._welcome(stream)))
            stream.send_again()
        self.metrics.resumed.inc()
        self._finish(stream)
        return stream

    def _welcome(self, stream: Stream) -> Welcome:
        network = self._network
        return Welcome(
            network=network.name,
            rate=network.rate,
            window=network.window,
            values=network.values,
            late=network.late,
            format=stream.format,
            answers=stream.format if network.answers_are_sound else "float32",
            token=stream.token,
            step=stream.step,
            keep=0 if stream.token is None else self._limits.keep,
            saved=stream.saved if self.saves_regularly else None,
        )

    def _attach(self, connection: Connection, stream: Stream) -> None:
        def paused(blocked: bool) -> None:
            stream.blocked = blocked
            if not blocked:
                self.batcher.offer(stream)

        def gone() -> None:
            self._connections.discard(connection)
            if self._client_of.get(stream) is connection:
                stream.send = None
                stream.forget_sound()

        self._client_of[stream] = connection
        stream.attach(lambda message: broadcast([connection], message))
        connection.gone = gone
        connection.paused_changed = paused
        self.batcher.company += 1

    def _detach(self, stream: Stream) -> None:
        connection = self._client_of.pop(stream)
        connection.paused_changed = None
        stream.send = None
        stream.active = monotonic()
        self.batcher.company -= 1
        self.batcher.withdraw(stream)
        stream.forget_sound()

    async def _listen(self, connection: Connection, stream: Stream) -> None:
        async for message in connection:
            if stream.send is None or self._client_of.get(stream) is not connection:
                return  # what is left of a connection that is lost, which is said again in the next
            if self.stopping:
                continue  # the client sends it again
            if isinstance(message, bytes):
                protocol.check_samples(message, stream.format)
                stream.hear(message)
            else:
                what, count = protocol.read_control(message)
                if what == "end":
                    stream.end(count, self._network.late)
                    self._finish(stream)
                else:
                    stream.acknowledge(count)
            self.batcher.offer(stream)
            await stream.room()

    def _finish(self, stream: Stream) -> None:
        """Closes the connection of a stream whose last answer is on its way."""
        connection = self._client_of.get(stream)
        if stream.done and connection is not None:
            self._start(connection.close(protocol.ENDED, "all is answered"))

    async def _leave(self, connection: Connection, stream: Stream) -> None:
        """Of a connection that is closed: a stream that can go on is kept for a while. One whose
        client has closed it, or has seen its end, is over."""
        over = connection.close_code == protocol.ENDED
        if stream.token is None or over:
            await self._remove(stream)
        else:
            self._detach(stream)

    async def _remove(self, stream: Stream) -> None:
        if stream in self._client_of:
            self._detach(stream)
        self._streams.discard(stream)
        if stream.token is not None:
            self._by_token.pop(stream.token, None)
        await self.batcher.in_worker(self._pool.close, stream.id)

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- time ----

    async def look_after(self) -> None:
        """Once a second: streams of clients that did not come back, and idle ones."""
        options = self._options
        while True:
            await asyncio.sleep(min(1.0, options.idle_seconds / 4, options.grace_seconds / 4))
            now = monotonic()
            for stream in list(self._streams):
                connection = self._client_of.get(stream)
                if connection is None and now - stream.active > options.grace_seconds:
                    await self._remove(stream)
                elif connection is not None and now - stream.active > options.idle_seconds:
                    why = "nothing was heard"
                    if stream.waiting:
                        why = f"its answers were not {'read' if stream.blocked else 'acknowledged'}"
                    self.metrics.refused.labels(str(protocol.POLICY)).inc()
                    stream.active = now
                    reason = f"{why} for {options.idle_seconds:g} s"
                    self._start(connection.close(protocol.POLICY, reason))

    # ---- snapshots ----

    async def save(self) -> None:
        """Writes a snapshot, and tells clients what a server that is killed would go on with."""
        async with self._saving:
            await self._save()

    async def _save(self) -> None:
        assert self._snapshot is not None
        async with self.batcher.between:
            begun = perf_counter()
            streams = list(self._by_token.values())
            answers = [bytes(stream.kept) for stream in streams]
            about = [
                snapshots.Saved(
                    s.id, token, s.format, s.step, s.answered, s.done, len(stream_answers)
                )
                for (token, s), stream_answers in zip(self._by_token.items(), answers, strict=True)
            ]
            memory, pool = await self.batcher.in_worker(self._state, [s.id for s in streams])
            self.metrics.snapshot_seconds.observe(perf_counter() - begun)
        snapshot = snapshots.Snapshot(self._network.name, about, b"".join(answers), memory, pool)
        await asyncio.to_thread(snapshots.write, self._snapshot, snapshot)
        self.metrics.snapshots.inc()
        for stream, step in zip(streams, [saved.step for saved in about], strict=True):
            stream.saved = step
            connection = self._client_of.get(stream)
            if connection is not None and not stream.blocked:
                broadcast([connection], protocol.say(saved=step))

    def _state(self, ids: list[int]) -> tuple[dict[str, Any], bytes]:
        """In the worker: what a snapshot has of these streams, beside what is known here."""
        rows = {name: array[ids] for name, array in self._network.memory.items()}
        return rows, self._pool.snapshot()

    def restore(self) -> int:
        """Takes up the streams of the snapshot, if there is one; they wait for their clients."""
        if self._snapshot is None or not self._snapshot.exists():
            return 0
        snapshot = snapshots.read(self._snapshot, self._network.name)
        self._pool.restore(snapshot.pool)
        ids = [saved.id for saved in snapshot.streams]
        for id in np.setdiff1d(self._pool.ids, ids):
            self._pool.close(int(id))
        for name, array in self._network.memory.items():
            array[ids] = snapshot.memory[name]
        begin = 0
        for saved in snapshot.streams:
            stream = self._new_stream(saved.id, saved.format, saved.token)
            stream.step = stream.saved = saved.step
            stream.answered, stream.ended = saved.answered, saved.ended
            stream.kept += snapshot.kept[begin : begin + saved.kept]
            begin += saved.kept
        return len(ids)

    async def stop(self, seconds: float) -> None:
        """What has been heard is answered, in so many seconds at most, then saved."""
        self.stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.batcher.idle:
                    await asyncio.sleep(0.005)
        if self._snapshot is not None:
            await self.save()
