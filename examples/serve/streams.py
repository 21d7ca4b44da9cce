"""What the server keeps of one stream: sound that waits for its step, and answers that may be
asked for again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from protocol import FORMATS, POLICY, RefusedError, answer


@dataclass(frozen=True)
class Limits:
    """Bounds of a stream, in steps."""

    queue: int  # sound that waits; past it the socket is not read
    keep: int  # answers that are kept for a client that comes back
    batch: int  # steps of one stream in one batch, so that none holds up the others


class Stream:
    """One stream of a client's: ``step`` steps of it were run."""

    def __init__(
        self, id: int, format: str, token: str | None, window: int, answer_size: int, limits: Limits
    ) -> None:
        self.id = id  # of the pool
        self.format = format
        self.token = token
        self.limits = limits
        self.step = 0
        self.answered = 0  # steps whose answers the client says it has
        self.saved = 0  # steps in the last snapshot
        self.kept = bytearray()  # answers of the steps from ``answered`` to ``step``
        self.ended = False
        self.send: Callable[[bytes], None] | None = None  # None: no client is connected
        self.when_done: Callable[[], None] = lambda: None
        self.blocked = False  # the client does not read: nothing more is written
        self.active = monotonic()  # when something was heard or stepped, or the client left
        self._window = window
        self._window_bytes = window * FORMATS[format].itemsize
        self._answer_size = answer_size
        self._sample_bytes = FORMATS[format].itemsize
        self._sound = bytearray()
        self._times: deque[float] = deque()  # when each window that waits was complete
        self._taken = 0  # steps that a batch runs
        self._room: asyncio.Future[None] | None = None

    # ---- sound ----

    @property
    def waiting(self) -> int:
        """Windows that wait for their step."""
        return len(self._times)

    @property
    def oldest(self) -> float:
        """When the window that comes next was complete."""
        return self._times[0] if self._times else monotonic()

    @property
    def done(self) -> bool:
        """The client has said all, and every step of it was run."""
        return self.ended and not self._times and not self._taken

    def hear(self, samples: bytes) -> None:
        if self.ended:
            raise RefusedError(POLICY, "sound came behind the end")
        self.active = monotonic()
        self._sound += samples
        complete = len(self._sound) // self._window_bytes - len(self._times)
        self._times.extend([self.active] * complete)

    def end(self, samples: int, late: int) -> None:
        """The client has said all, so many samples in its whole life: the last window is filled up
        with silence, and ``late`` windows behind it."""
        if self.ended:
            return
        heard = (self.step + self._taken) * self._window + len(self._sound) // self._sample_bytes
        steps = -(-samples // self._window) + late
        again = not self._sound and samples < heard <= steps * self._window  # silence is behind it
        if heard != samples and not again:
            raise RefusedError(
                POLICY, f"end: expected the {heard} samples that came, got {samples}"
            )
        self.hear(bytes((steps * self._window - heard) * self._sample_bytes))
        self.ended = True

    def forget_sound(self) -> None:
        """Of a client that has gone: it sends again what no step has seen."""
        if self._times:
            self.ended = False
        self._sound.clear()
        self._times.clear()
        self.wake()

    def ready(self) -> int:
        """Steps that a batch may take now."""
        if self.send is None or self.blocked:
            return 0
        count = min(len(self._times), self.limits.batch)
        if self.token is not None:
            count = min(count, self.limits.keep - (self.step - self.answered))
        return max(count, 0)

    def take(self, count: int) -> tuple[bytes, list[float]]:
        """The sound of the next ``count`` steps, and when it was there."""
        size = count * self._window_bytes
        sound = bytes(self._sound[:size])
        del self._sound[:size]
        self._taken += count
        return sound, [self._times.popleft() for _ in range(count)]

    async def room(self) -> None:
        """Returns once less than the bound waits: until then the caller reads no more."""
        while len(self._times) >= self.limits.queue:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def wake(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    # ---- answers ----

    def stepped(self, count: int, answers: bytes | memoryview) -> None:
        """``count`` steps were run: what is new to the client is sent."""
        first = self.step
        self.step += count
        self._taken -= count
        self.active = monotonic()
        new = min(count, max(self.step - self.answered, 0))
        answers = answers[(count - new) * self._answer_size :]
        if self.token is not None:
            self.kept += answers
        if self.send is not None and new:
            self.send(answer(first + count - new, answers))
        if self.done:
            self.when_done()
        self.wake()

    def acknowledge(self, answered: int) -> None:
        """The client has the answers of so many steps."""
        if answered > max(self.step, self.answered):
            raise RefusedError(POLICY, f"answered: {answered} steps, of {self.step} that were run")
        if answered > self.answered:
            del self.kept[: (answered - self.answered) * self._answer_size]
            self.answered = answered

    def resume(self, answered: int) -> None:
        """A client is back, and has the answers of so many steps: more than were run, maybe, of a
        server that was killed."""
        if answered < self.answered:
            raise RefusedError(
                POLICY, f"answered: those up to step {self.answered} are kept no longer"
            )
        self.acknowledge(min(answered, self.step))
        self.answered = answered

    def attach(self, send: Callable[[bytes], None]) -> None:
        self.send, self.blocked, self.active = send, False, monotonic()

    def send_again(self) -> None:
        """The answers that the client does not have."""
        if self.kept and self.send is not None:
            self.send(answer(self.answered, bytes(self.kept)))
