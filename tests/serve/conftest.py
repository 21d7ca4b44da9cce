"""What the tests of examples/serve share: servers, recordings, and what these run whole give."""

from __future__ import annotations

import signal
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "serve"))
sys.path.append(str(Path(__file__).parents[2] / "examples" / "denoise"))

from protocol import encoded
from serving import EXAMPLES, Server, Whole


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts a server; what still runs at the end is ended."""
    servers: list[Server] = []

    def start(*options: object, before: Server | None = None) -> Server:
        servers.append(Server(*options) if before is None else before.again())
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)
        assert server.process.stdout is not None
        server.process.stdout.close()


@pytest.fixture(scope="session")
def one_server() -> Iterator[Server]:
    """For tests that leave nothing behind."""
    server = Server()
    yield server
    assert server.end() == 0
    assert server.process.stdout is not None
    server.process.stdout.close()


@pytest.fixture(scope="session")
def speech() -> NDArray[np.int16]:
    with wave.open(str(EXAMPLES / "denoise" / "speech.wav")) as file:
        assert file.getframerate() == 16_000
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.fixture(scope="session")
def whole() -> Callable[[str], Whole]:
    made: dict[str, Whole] = {}
    return lambda name: made.setdefault(name, Whole(name))


@pytest.fixture(scope="session")
def sounds(speech: NDArray[np.int16]) -> Callable[..., list[bytes]]:
    """So many recordings of about so many seconds, each another part of the speech."""

    def make(count: int, seconds: float, format: str = "int16", seed: int = 0) -> list[bytes]:
        rng = Random(seed)
        result = []
        for _ in range(count):
            size = round(16_000 * seconds * rng.uniform(0.7, 1.3))
            part = np.resize(np.roll(speech, rng.randrange(len(speech))), size)
            result.append(encoded(part.astype(np.float32) / np.float32(32768), format))
        return result

    return make
