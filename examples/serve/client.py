"""A client that comes back: its answers are those of one unbroken stream, whatever breaks.

    client = Client("ws://127.0.0.1:8765/stream", "int16")
    running = asyncio.create_task(client.run())
    client.feed(samples)  # bytes, whenever there are some
    client.finish()
    await running
    client.answers  # of all steps

It keeps the sound that the server may ask for again, and takes no answer twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from time import monotonic

import protocol
from protocol import FORMATS, Welcome
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

FINAL = {protocol.WRONG_TYPE, protocol.WRONG_DATA, protocol.POLICY, 1009}


class LostError(Exception):
    """The stream cannot go on: the server refuses it, or needs what is kept no longer."""


class Client:
    """One stream. ``on_answers`` is called with the first step and the answers of this one and of
    others behind it, as they come; without it they are kept in ``answers``."""

    def __init__(
        self,
        url: str,
        format: str,
        *,
        message: int = 512,
        patience: float = 30.0,
        on_answers: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self.answers = bytearray()
        self.steps = 0  # answered
        self.welcome: Welcome | None = None
        self.connections = 0
        self._url = url
        self._format = format
        self._sample = FORMATS[format].itemsize
        self._message = message * self._sample
        self._patience = patience
        self._on_answers = on_answers or self._keep
        self._history = bytearray()  # sound from byte ``_forgotten`` on
        self._forgotten = 0
        self._acknowledged = 0  # steps, in this connection
        self._finished = False
        self._more = asyncio.Event()
        self.connection: ClientConnection | None = None

    @property
    def _end(self) -> int:
        """Where whole samples end, in bytes of the stream."""
        return self._forgotten + len(self._history) // self._sample * self._sample

    def feed(self, samples: bytes) -> None:
        """Sound that comes next; a sample may come in two pieces."""
        self._history += samples
        self._more.set()

    def finish(self) -> None:
        self._finished = True
        self._more.set()

    async def run(self) -> None:
        """Until all is answered; raises ``LostError``."""
        since = monotonic()  # without an answer
        while True:
            had = self.steps
            try:
                async with connect(self._url, compression=None, close_timeout=2) as connection:
                    self.connection = connection
                    self.connections += 1
                    if await self._talk(connection):
                        return
                    why = f"{connection.close_code} {connection.close_reason}"
            except (OSError, InvalidMessage, EOFError, TimeoutError) as error:
                why = str(error)
            except InvalidStatus as error:
                why = f"HTTP {error.response.status_code}"
                if error.response.status_code != 503:
                    raise LostError(why) from error
            except InvalidHandshake as error:
                why = str(error)
            finally:
                self.connection = None
            if self.steps > had:
                since = monotonic()
            if monotonic() - since > self._patience:
                raise LostError(f"no answer for {self._patience:g} s: {why}")
            await asyncio.sleep(random.uniform(0.05, 0.3))

    async def _talk(self, connection: ClientConnection) -> bool:
        """One connection; whether all is answered now."""
        sending: asyncio.Task[None] | None = None
        try:
            await connection.send(self._hello())
            self.welcome = welcome = protocol.read_welcome(await connection.recv())
            self._acknowledged = min(welcome.step, self.steps)
            position = welcome.step * welcome.window * self._sample
            if position < self._forgotten:
                raise LostError(f"the server goes on at step {welcome.step}, whose sound is gone")
            sending = asyncio.create_task(self._send(connection, position))
            async for message in connection:
                if isinstance(message, bytes):
                    await self._take(connection, message)
                else:
                    self._forget(protocol.json_of(message)["saved"])
        except ConnectionClosed:
            pass
        finally:
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        code = connection.close_code
        if code == protocol.NO_STREAM:
            if self._forgotten:
                raise LostError("the server knows the stream no more, whose beginning is gone")
            self.welcome = None  # and all of it once more
        elif code in FINAL:
            raise LostError(f"{code} {connection.close_reason}")
        return code == protocol.ENDED and self._finished

    def _hello(self) -> str:
        if self.welcome is None:
            return protocol.say(format=self._format, resume=True)
        return protocol.say(resume=self.welcome.token, answered=self.steps)

    async def _send(self, connection: ClientConnection, position: int) -> None:
        while True:
            self._more.clear()
            while position < self._end:
                begin = position - self._forgotten
                end = min(begin + self._message, self._end - self._forgotten)
                message = bytes(self._history[begin:end])
                await connection.send(message)
                position += len(message)
            if self._finished:
                await connection.send(protocol.say(end=self._end // self._sample))
                return
            await self._more.wait()

    async def _take(self, connection: ClientConnection, message: bytes) -> None:
        assert self.welcome is not None
        step, data = protocol.read_answer(message)
        size = self.welcome.values * FORMATS[self.welcome.answers].itemsize
        if step > self.steps:
            raise LostError(f"expected the answer of step {self.steps}, got that of {step}")
        new = data[(self.steps - step) * size :]
        if new:  # or else a server that was killed has gone back
            before = self.steps
            self.steps += len(new) // size
            self._on_answers(before, new)
            if self.welcome.saved is None:
                self._forget(self.steps)
        until = step + len(data) // size
        if until - self._acknowledged >= max(1, self.welcome.keep // 4):
            self._acknowledged = until
            with contextlib.suppress(ConnectionClosed):  # other answers may still be there to read
                await connection.send(protocol.say(answered=until))

    def _keep(self, step: int, answers: bytes) -> None:
        self.answers += answers

    def _forget(self, step: int) -> None:
        """Sound before this step is not asked for again."""
        assert self.welcome is not None
        until = min(step * self.welcome.window * self._sample, self._end)
        if until > self._forgotten:
            del self._history[: until - self._forgotten]
            self._forgotten = until
