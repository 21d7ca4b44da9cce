"""A server process, clients that play to it, and what recordings run whole give."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import numpy as np
from client import Client, LostError
from features import HOP, features_of, signal_of, spectrum_of, with_gain
from networks import NETWORKS, Nsnet2, Silero
from numpy.typing import NDArray
from protocol import encoded, samples_of

EXAMPLES = Path(__file__).parents[2] / "examples"
__all__ = [
    "EXAMPLES",
    "Client",
    "LostError",
    "Server",
    "Whole",
    "feed",
    "run_clients",
    "value_of",
    "wait_until",
]


class Server:
    """A server process at a port that a second one can take again."""

    def __init__(self, *options: object, port: int = 0) -> None:
        command = [sys.executable, EXAMPLES / "serve" / "server.py", "--port", port, *options]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"(ws://[\d.]+:(\d+)/stream), (\d+) streams", line)
        assert found, f"the server did not start: {line!r}, {self.process.wait()}"
        self.url, self.port, self.restored = found[1], int(found[2]), int(found[3])
        self.options = options

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def again(self) -> Server:
        """Another one in its place."""
        return Server(*self.options, port=self.port)

    def memory(self) -> int:
        """Bytes of it that are resident."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def value_of(server: Server, name: str) -> float:
    """A number of /metrics."""
    page = urlopen(server.url.replace("ws:", "http:").replace("/stream", "/metrics"), timeout=10)
    lines = page.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Looks again and again; ``AssertionError`` where it never holds."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it never came to that"
        sleep(0.02)


class Whole:
    """A network over a whole recording, in one call of its model."""

    def __init__(self, name: str) -> None:
        self.network = NETWORKS[name](1)

    def __call__(self, sound: bytes, format: str) -> bytes:
        signal = samples_of(sound, format)
        if isinstance(self.network, Silero):
            return self._silero(self.network, signal).tobytes()
        return encoded(self._nsnet2(self.network, signal), format)

    def _silero(self, network: Silero, signal: NDArray[Any]) -> NDArray[Any]:
        frames = np.pad(signal, (0, -signal.size % network.window)).reshape(-1, network.window)
        before = np.vstack([np.zeros((1, 64), np.float32), frames[:-1, -64:]])
        y, _ = network.model(np.hstack([before, frames])[:, np.newaxis])
        return np.asarray(y[:, 0])

    def _nsnet2(self, network: Nsnet2, signal: NDArray[Any]) -> NDArray[Any]:
        """As the demo denoises a file, with a frame of half silence before it."""
        spectrum = spectrum_of(np.concatenate([np.zeros(HOP), signal.astype(np.float64)]))
        gains, _ = network.model(features_of(spectrum)[:, np.newaxis])
        cleaned = signal_of(with_gain(spectrum, gains[:, 0]), HOP * len(spectrum))
        cleaned[:HOP] += 0.0  # as a stream adds its first frame to silence: -0.0 becomes 0.0
        return cleaned.astype(np.float32)


async def feed(client: Client, sound: bytes, rng: Random, pause: float) -> None:
    """In pieces of any size, whole samples or not at their ends, in any rhythm."""
    begin = 0
    while begin < len(sound):
        size = rng.randrange(1, 2800)
        client.feed(sound[begin : begin + size])
        begin += size
        await asyncio.sleep(rng.uniform(0, 2 * pause))
    client.finish()


async def run_clients(
    url: str,
    recordings: Sequence[bytes],
    format: str = "int16",
    *,
    pause: float = 0.01,
    meanwhile: Callable[[list[Client]], Any] | None = None,
    patience: float = 30.0,
) -> list[Client]:
    """Clients that play these recordings; ``meanwhile`` is a coroutine that does them harm."""
    clients = [Client(url, format, patience=patience) for _ in recordings]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    tasks += [
        asyncio.create_task(feed(client, sound, Random(seed), pause))
        for seed, (client, sound) in enumerate(zip(clients, recordings, strict=True))
    ]
    if meanwhile is not None:
        tasks.append(asyncio.create_task(meanwhile(clients)))
    try:
        async with asyncio.timeout(120):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return clients
