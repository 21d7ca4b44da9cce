"""What many clients are answered is what their recordings run whole give, bit for bit, whatever
breaks in the middle."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from serving import Client, LostError, Server, Whole, run_clients, value_of

Serve = Callable[..., Server]
Sounds = Callable[..., list[bytes]]
WholeOf = Callable[[str], Whole]


def assert_whole(
    clients: list[Client], recordings: list[bytes], whole: Whole, format: str = "int16"
) -> None:
    for number, (client, sound) in enumerate(zip(clients, recordings, strict=True)):
        assert bytes(client.answers) == whole(sound, format), f"client {number}"


def test_three_hundred_clients(serve: Serve, sounds: Sounds, whole: WholeOf) -> None:
    server = serve()
    recordings = sounds(300, 3.0)
    clients = asyncio.run(run_clients(server.url, recordings, pause=0.05))
    assert_whole(clients, recordings, whole("silero"))
    assert {client.connections for client in clients} == {1}
    steps = sum(client.steps for client in clients)
    assert value_of(server, "rnn_batch_steps_sum") == steps  # nothing was run twice
    assert value_of(server, "rnn_latency_seconds_count") == steps
    assert value_of(server, "rnn_batch_steps_count") < steps / 4  # they were run together
    assert value_of(server, "rnn_streams") == value_of(server, "rnn_clients") == 0
    assert server.end() == 0


@pytest.mark.parametrize(("network", "format"), [("nsnet2", "int16"), ("nsnet2", "float32"),
                                                 ("silero", "float32")])  # fmt: skip
def test_networks_and_formats(
    network: str, format: str, serve: Serve, sounds: Sounds, whole: WholeOf
) -> None:
    server = serve("--network", network)
    recordings = sounds(20, 1.5, format)
    clients = asyncio.run(run_clients(server.url, recordings, format))
    assert_whole(clients, recordings, whole(network), format)


def test_formats_beside_each_other(serve: Serve, sounds: Sounds, whole: WholeOf) -> None:
    """In the same batches; the shorter ones of a format do not take those of the other."""
    server = serve("--network", "nsnet2", "--collect-ms", 20)
    of = {format: sounds(10, 1.0, format) for format in ("int16", "float32")}

    async def run() -> dict[str, list[Client]]:
        both = [run_clients(server.url, recordings, format) for format, recordings in of.items()]
        return dict(zip(of, await asyncio.gather(*both), strict=True))

    for format, clients in asyncio.run(run()).items():
        assert_whole(clients, of[format], whole("nsnet2"), format)


def broken(rng: Random, times: int, pause: float) -> Callable[[list[Client]], Any]:
    """Aborts connections of any client, at any time."""

    async def harm(clients: list[Client]) -> None:
        for _ in range(times):
            await asyncio.sleep(rng.uniform(0, pause))
            connection = rng.choice(clients).connection
            if connection is not None:
                connection.transport.abort()

    return harm


@pytest.mark.parametrize("network", ["silero", "nsnet2"])
def test_connections_that_break(network: str, serve: Serve, sounds: Sounds, whole: WholeOf) -> None:
    server = serve("--network", network)
    recordings = sounds(60, 3.0)
    harm = broken(Random(1), 300, 0.01)
    clients = asyncio.run(run_clients(server.url, recordings, pause=0.03, meanwhile=harm))
    assert_whole(clients, recordings, whole(network))
    assert sum(client.connections for client in clients) > 100
    assert value_of(server, "rnn_batch_steps_sum") == sum(c.steps for c in clients)


@pytest.mark.parametrize("network", ["silero", "nsnet2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_servers_that_end(
    number: int, network: str, serve: Serve, sounds: Sounds, whole: WholeOf, tmp_path: Path
) -> None:
    """And connections break beside it. One that is killed goes back to its last snapshot."""
    options = ["--network", network, "--snapshot", tmp_path / "streams.npz"]
    options += ["--snapshot-every", 0.2] if number == signal.SIGKILL else []
    server = serve(*options)
    recordings = sounds(150 if network == "silero" else 40, 4.0)
    restored = 0

    async def harm(clients: list[Client]) -> None:
        nonlocal server, restored
        breaking = asyncio.create_task(broken(Random(2), 100, 0.05)(clients))
        for _ in range(3):
            await asyncio.sleep(0.9)
            status = await asyncio.to_thread(server.end, number)
            assert status == (0 if number == signal.SIGTERM else -signal.SIGKILL)
            server = await asyncio.to_thread(serve, before=server)
            restored += server.restored
        await breaking

    clients = asyncio.run(run_clients(server.url, recordings, pause=0.06, meanwhile=harm))
    assert_whole(clients, recordings, whole(network))
    assert restored > len(recordings)  # streams went on
    assert max(client.connections for client in clients) >= 3


def test_answers_are_told_as_they_come(serve: Serve, sounds: Sounds, whole: WholeOf) -> None:
    """Before all has been said, each step once, in order."""
    server = serve()
    (sound,) = sounds(1, 1.0)
    told: list[tuple[int, bytes]] = []

    async def run() -> None:
        client = Client(server.url, "int16", on_answers=lambda *answer: told.append(answer))
        task = asyncio.create_task(client.run())
        client.feed(sound[:20_000])
        while client.steps < 19:
            await asyncio.sleep(0.01)
        client.feed(sound[20_000:])
        client.finish()
        await task
        assert not client.answers

    asyncio.run(run())
    at = 0
    for step, answers in told:
        assert step == at
        at += len(answers) // 4
    assert b"".join(answers for _, answers in told) == whole("silero")(sound, "int16")


def test_a_stream_without_snapshots_begins_anew_or_says_that_it_cannot(
    serve: Serve, sounds: Sounds
) -> None:
    """Sound that was answered is kept by no client, so that it cannot be said again."""
    server = serve()
    (sound,) = sounds(1, 2.0)

    async def run() -> None:
        client = Client(server.url, "int16")
        task = asyncio.create_task(client.run())
        client.feed(sound[: len(sound) // 2])
        while client.steps < 10:
            await asyncio.sleep(0.01)
        server.end(signal.SIGKILL)
        serve(before=server)
        with pytest.raises(LostError, match="knows the stream no more"):
            await task

    asyncio.run(run())
