"""What a server refuses and how it says so; what clients that misbehave cost the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import protocol
import pytest
import snapshots
from serving import EXAMPLES, Client, Server, Whole, run_clients, value_of, wait_until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

Serve = Callable[..., Server]
Sounds = Callable[..., list[bytes]]
WholeOf = Callable[[str], Whole]

HELLO = '{"format": "float32"}'
TO_GO_ON = '{"format": "int16", "resume": true}'
WINDOW = bytes(2 * 512)


async def closed_by(connection: ClientConnection) -> tuple[int | None, str | None]:
    try:
        async with asyncio.timeout(20):
            async for _ in connection:
                pass
    except ConnectionClosed:
        pass
    return connection.close_code, connection.close_reason


@pytest.mark.parametrize(
    ("messages", "code", "reason"),
    [
        ([b"\0\0"], 1003, "in a text message first, got sound"),
        (["no json"], 1007, "expected JSON"),
        (["[" * 5000], 1007, "expected JSON"),
        (["[1]"], 1007, "expected a JSON object, got list"),
        (["{}"], 1003, "format: expected one of int16, float32"),
        (['{"format": ["int16"]}'], 1003, "format: expected one of int16, float32"),
        (['{"format": "int16", "rate": 8000}'], 1008, "got 'rate'"),
        (['{"format": "int16", "resume": 1}'], 1008, "resume: expected true, or a token"),
        (['{"resume": "token", "format": "int16"}'], 1008, "format: a stream that goes on"),
        (['{"resume": "token", "answered": -1}'], 1008, "answered: expected a count of steps"),
        (['{"resume": "token"}'], 4404, "no such stream"),
        ([HELLO, b"\0\0\0"], 1007, "expected whole samples of float32, got 3 bytes"),
        ([HELLO, np.array([0, np.nan], "<f4").tobytes()], 1007, "expected finite samples"),
        ([HELLO, np.array([np.inf], "<f4").tobytes()], 1007, "expected finite samples"),
        ([HELLO, "{}"], 1008, 'expected {"answered": STEPS} or {"end": SAMPLES}'),
        ([HELLO, '{"answered": 1}'], 1008, "answered: 1 steps, of 0 that were run"),
        ([HELLO, '{"answered": true}'], 1008, "answered: expected a count of steps"),
        ([HELLO, bytes(8), '{"end": 3}'], 1008, "end: expected the 2 samples that came, got 3"),
        ([HELLO, bytes(8), '{"end": 2}', bytes(8)], 1008, "sound came behind the end"),
        ([HELLO, bytes(65540)], 1009, ""),
    ],
)  # fmt: skip
def test_what_a_client_says_wrong(
    messages: list[str | bytes], code: int, reason: str, one_server: Server
) -> None:
    async def say() -> tuple[int | None, str | None]:
        async with connect(one_server.url) as connection:
            for message in messages:
                await connection.send(message)
            return await closed_by(connection)

    told, why = asyncio.run(say())
    assert told == code
    assert reason in str(why)
    assert value_of(one_server, "rnn_streams") == 0


def test_pages(one_server: Server) -> None:
    address = one_server.url.replace("ws:", "http:").replace("/stream", "")
    with urlopen(f"{address}/health", timeout=10) as page:
        assert page.read() == b"ok\n"
    with urlopen(f"{address}/metrics", timeout=10) as page:
        assert "rnn_latency_seconds_bucket" in page.read().decode()
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{address}/other", timeout=10)
    with pytest.raises(HTTPError, match="426"):  # a page is no WebSocket
        urlopen(f"{address}/stream", timeout=10)


def test_too_many_clients(serve: Serve) -> None:
    server = serve("--max-clients", 3, "--max-streams", 2)

    async def run() -> None:
        async with connect(server.url) as first, connect(server.url) as second:
            for connection in (first, second):
                await connection.send(HELLO)
                await connection.recv()
            async with connect(server.url) as third:
                await third.send(HELLO)
                code, reason = await closed_by(third)
                assert (code, reason) == (1013, "all 2 streams are in use")
            async with connect(server.url):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(server.url)
                response = refused.value.response
                assert response.status_code == 503
                assert response.body == b"all 3 places are taken\n"
                assert response.headers["Retry-After"] == "1"
        async with connect(server.url) as again:  # places are free again
            await again.send(HELLO)
            assert json.loads(await again.recv())["step"] == 0

    asyncio.run(run())


def test_idle_clients_are_closed_and_streams_forgotten(serve: Serve) -> None:
    server = serve("--idle-seconds", 0.4, "--grace-seconds", 0.8)

    async def run() -> None:
        async with connect(server.url) as connection:
            await connection.send(TO_GO_ON)
            token = json.loads(await connection.recv())["token"]
            assert await closed_by(connection) == (1008, "nothing was heard for 0.4 s")
        async with connect(server.url) as connection:  # it is kept for a while
            await connection.send(protocol.say(resume=token))
            assert json.loads(await connection.recv())["token"] == token
            connection.transport.abort()
        await asyncio.to_thread(wait_until, lambda: value_of(server, "rnn_streams") == 0)
        async with connect(server.url) as connection:
            await connection.send(protocol.say(resume=token))
            assert (await closed_by(connection))[0] == 4404

    asyncio.run(run())


def test_a_stream_has_one_client(serve: Serve) -> None:
    """The one that came last; what the first says from then on is not heard."""
    server = serve()

    async def run() -> None:
        async with connect(server.url) as first:
            await first.send(TO_GO_ON)
            token = json.loads(await first.recv())["token"]
            await first.send(WINDOW)
            await first.recv()
            await first.send(protocol.say(answered=1))
            await first.ping()
            async with connect(server.url) as other:
                await other.send(protocol.say(resume=token))  # as if it had no answer
                code, reason = await closed_by(other)
                assert (code, reason) == (1008, "answered: those up to step 1 are kept no longer")
            async with connect(server.url) as second:
                await second.send(protocol.say(resume=token, answered=1))
                assert json.loads(await second.recv())["step"] == 1
                code, reason = await closed_by(first)
                assert (code, reason) == (1008, "another connection goes on with the stream")
                await second.send(WINDOW)
                await second.send(protocol.say(end=2 * 512))
                answer = await second.recv()
                assert isinstance(answer, bytes)
                assert protocol.read_answer(answer)[0] == 1
                assert (await closed_by(second))[0] == 1000
        assert value_of(server, "rnn_batch_steps_sum") == 2

    asyncio.run(run())


def test_answers_that_are_not_acknowledged_stop_a_stream(serve: Serve) -> None:
    """Not sooner than it was told; once they are, it goes on."""
    server = serve("--keep-seconds", 0.32)  # 10 steps

    async def run() -> None:
        async with connect(server.url) as connection:
            await connection.send(TO_GO_ON)
            assert json.loads(await connection.recv())["keep"] == 10
            await connection.send(WINDOW * 25)
            steps = 0
            for goal in (10, 20, 25):
                while steps < goal:
                    answer = await connection.recv()
                    assert isinstance(answer, bytes)
                    first, values = protocol.read_answer(answer)
                    assert first == steps
                    steps += len(values) // 4
                assert steps == goal
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await connection.recv()
                await connection.send(protocol.say(answered=steps))

    asyncio.run(run())


def test_a_client_that_reads_nothing(serve: Serve, sounds: Sounds, whole: WholeOf) -> None:
    """It is held back, at a bounded cost of memory, and holds up no other; once it reads, its
    answers are all there."""
    server = serve("--network", "nsnet2")
    (sound,) = sounds(1, 60.0)
    recordings = sounds(20, 1.0)

    async def run() -> None:
        sock = socket.socket()
        for side in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, side, 8192)
        sock.connect(("127.0.0.1", server.port))
        sock.setblocking(False)
        async with connect(server.url, sock=sock, max_queue=1, write_limit=4096) as connection:
            await connection.send('{"format": "int16"}')
            await connection.recv()
            before = server.memory()
            said = 0
            with contextlib.suppress(TimeoutError):
                while said < len(sound):
                    async with asyncio.timeout(2):
                        await connection.send(sound[said : said + 320])
                    said += 320
            # 2 s that wait, what the system buffers for both sides, and what was answered
            assert said < len(sound) * 0.7
            clients = await run_clients(server.url, recordings)
            for client, recording in zip(clients, recordings, strict=True):
                assert bytes(client.answers) == whole("nsnet2")(recording, "int16")
            assert server.memory() - before < 20e6
            answers = bytearray()
            expected = whole("nsnet2")(sound[:said], "int16")
            while len(answers) < said:
                answer = await connection.recv()
                assert isinstance(answer, bytes)
                step, values = protocol.read_answer(answer)
                assert step * 320 == len(answers)
                answers += values
            assert expected.startswith(bytes(answers[:said]))

    asyncio.run(run())


def test_clients_that_are_killed_leave_nothing(serve: Serve, tmp_path: Path) -> None:
    """A process of a hundred clients, in the middle of what they say."""
    server = serve("--grace-seconds", 0.5)
    url = server.url
    program = (
        "import asyncio; from serving import run_clients;"
        f"asyncio.run(run_clients({url!r}, [bytes(640000)] * 100, pause=0.02))"
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", program], env=os.environ | {"PYTHONPATH": ":".join(sys.path)}
    )
    wait_until(lambda: value_of(server, "rnn_batch_steps_sum") >= 500)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: value_of(server, "rnn_streams") + value_of(server, "rnn_clients") == 0)
    assert server.end() == 0


def server_says(*options: object) -> tuple[int, str]:
    command = [sys.executable, EXAMPLES / "serve" / "server.py", "--port", 0, *options]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr


def test_wrong_options_and_snapshots(serve: Serve, sounds: Sounds, tmp_path: Path) -> None:
    """Are said in a line, and nothing is served; a snapshot that cannot be read stays as it is."""
    file = tmp_path / "streams.npz"
    server = serve("--snapshot", file)

    async def run() -> None:
        client = Client(server.url, "int16", patience=0.1)
        task = asyncio.create_task(client.run())
        client.feed(sounds(1, 1.0)[0])
        while client.steps < 10:
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(server.end) == 0
        task.cancel()

    asyncio.run(run())
    good = file.read_bytes()
    assert len(snapshots.read(file, "silero").streams) == 1
    cases: list[tuple[bytes, list[Any], str]] = [
        (good[:-1], [], "expected a whole snapshot, this one is damaged"),
        (good[:60] + bytes([good[60] ^ 1]) + good[61:], [], "this one is damaged"),
        (good[1:], [], "expected a snapshot of this version"),
        (good, ["--network", "nsnet2"], "expected streams of nsnet2, got those of silero"),
    ]
    for data, options, reason in cases:
        file.write_bytes(data)
        status, said = server_says("--snapshot", file, *options)
        assert (status, said.count("\n")) == (2, 1), said
        assert reason in said
        assert file.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        status, said = server_says("--port", taken.getsockname()[1])
        assert status == 2
        assert "in use" in said
    assert "expected --snapshot FILE" in server_says("--snapshot-every", 1)[1]
    assert "--max-clients: expected more, got 0" in server_says("--max-clients", 0)[1]
