"""Many clients that play a WAV in real time, and how long their answers take.

    python examples/serve/load.py --clients 100 500 --seconds 30
    python examples/serve/load.py --url ws://127.0.0.1:8765/stream --pid 1234 --json load.json

Without ``--url`` it starts a server of its own; what stands behind ``--`` goes to that. Each client
begins at a random time, sends a message whenever the sound of one has passed, and waits for no
answer, so that a slow server cannot slow down what is asked of it. The latency of a step is the
time from sending the last sample of its window to the arrival of its answer. Frames are made
beforehand, so that the generator takes little of the machine that it shares with the server. Exit
status: 0 where each answer came and was right, 1 where one was not, 2 where something is missing or
wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import struct
import subprocess
import sys
import wave
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, sleep
from urllib.parse import urlsplit

import numpy as np
import protocol

SPEECH = Path(__file__).parents[1] / "denoise" / "speech.wav"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PERCENTILES = {"p50": 50, "p99": 99, "p99.9": 99.9, "max": 100}


def frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame; its mask is zero, which changes nothing."""
    if len(payload) < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | len(payload))
    elif len(payload) < 2**16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, len(payload))
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, len(payload))
    return head + bytes(4) + payload


@dataclass(frozen=True)
class Play:
    """What the clients of one process do."""

    host: str
    port: int
    clients: int
    sound: bytes  # int16
    message: int  # samples
    rate: int
    speed: float
    seed: int


@dataclass
class Played:
    latencies: list[float]
    lag: list[float]  # by which messages left too late
    answers: list[bytes]  # of each client
    closed: list[str]  # why connections ended before their time


class Player(asyncio.Protocol):
    """One client, on a bare connection."""

    def __init__(self, latencies: list[float], message: int) -> None:
        loop = asyncio.get_running_loop()
        self.welcomed: asyncio.Future[protocol.Welcome] = loop.create_future()
        self.closed: asyncio.Future[str] = loop.create_future()
        self.answers = bytearray()
        self.sent: list[float] = []  # when each message was
        self._latencies = latencies
        self._message = message
        self._step = 0
        self._data = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            b"GET /stream HTTP/1.1\r\nHost: load\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9hZC1nZW5lcmF0b3IhIQ==\r\n\r\n"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"connection lost {exc or ''}")

    def _end(self, why: str) -> None:
        if not self.closed.done():
            self.closed.set_result(why)
        if not self.welcomed.done():
            self.welcomed.set_exception(ConnectionError(why))

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        if not self._upgraded:
            head, separator, rest = data.partition(b"\r\n\r\n")
            if not separator:
                self._data = data
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._end(data.decode(errors="replace").strip())
                return
            self._upgraded = True
            self.transport.write(frame(TEXT, protocol.say(format="int16").encode()))
            data = rest
        at = 0
        while len(data) - at >= 2:
            opcode, size = data[at] & 15, data[at + 1]
            payload = at + 2
            if size >= 126:
                wide = 2 if size == 126 else 8
                size = int.from_bytes(data[payload : payload + wide])
                payload += wide
            if len(data) < payload + size:
                break
            self._frame(opcode, data[payload : payload + size])
            at = payload + size
        self._data = data[at:]

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == BINARY:
            now = perf_counter()
            welcome = self.welcomed.result()
            step, values = protocol.read_answer(payload)
            if step != self._step:
                self._end(f"step {self._step} has no answer")
            size = welcome.values * protocol.FORMATS[welcome.answers].itemsize
            for _ in range(len(values) // size):
                self._step += 1
                message = (self._step * welcome.window - 1) // self._message
                self._latencies.append(now - self.sent[min(message, len(self.sent) - 1)])
            self.answers += values
        elif opcode == TEXT and not self.welcomed.done():
            self.welcomed.set_result(protocol.read_welcome(payload))
        elif opcode == PING:
            self.transport.write(frame(PONG, payload))
        elif opcode == CLOSE:
            self._end(f"{int.from_bytes(payload[:2])} {payload[2:].decode()}")


async def play(task: Play) -> Played:
    played = Played([], [], [], [])
    loop = asyncio.get_running_loop()
    players = []
    for _ in range(task.clients):
        _, player = await loop.create_connection(
            lambda: Player(played.latencies, task.message), task.host, task.port
        )
        players.append(player)
        rate = (await player.welcomed).rate
        if rate != task.rate:
            raise ValueError(f"--rate: expected {rate} samples a second, got {task.rate}")
    size = 2 * task.message
    frames = [frame(BINARY, task.sound[i : i + size]) for i in range(0, len(task.sound), size)]
    period = task.message / task.rate / task.speed
    rng = random.Random(task.seed)
    phases = sorted(rng.uniform(0, period) for _ in players)
    begin = perf_counter() + 0.1
    for number, message in enumerate(frames):
        if all(player.closed.done() for player in players):
            break
        for phase, player in zip(phases, players, strict=True):
            due = begin + phase + number * period
            if (wait := due - perf_counter()) > 0:
                await asyncio.sleep(wait)
            if not player.closed.done():
                now = perf_counter()
                played.lag.append(now - due)
                player.sent.append(now)
                player.transport.write(message)
    end = frame(TEXT, protocol.say(end=len(task.sound) // 2).encode())
    for player in players:
        player.sent.append(perf_counter())
        player.transport.write(end)
    waiting = [player.closed for player in players]
    await asyncio.wait(waiting, timeout=10)
    for player in players:
        why = player.closed.result() if player.closed.done() else "no end"
        if not why.startswith("1000 "):
            played.closed.append(why)
        played.answers.append(bytes(player.answers))
        player.transport.close()
    return played


def run_play(task: Play) -> Played:
    return asyncio.run(play(task))


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, in user and system mode; Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_sound(path: Path, seconds: float, rate: int) -> bytes:
    """So many seconds of a WAV, which begins again where it ends."""
    with wave.open(str(path)) as file:
        is_as = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if is_as != (1, 2, rate):
            raise ValueError(f"{path}: expected mono, 16 bits, {rate} Hz, got {is_as}")
        sound: bytes = file.readframes(file.getnframes())
    size = 2 * round(seconds * rate)
    return (sound * (size // len(sound) + 1))[:size]


def measure(args: argparse.Namespace, url: str, pid: int | None, clients: int) -> dict[str, object]:
    where = urlsplit(url)
    assert where.hostname is not None
    sound = read_sound(args.wav, args.seconds, args.rate)
    processes = min(args.processes, clients)
    counts = [len(part) for part in np.array_split(range(clients), processes)]
    tasks = [
        Play(where.hostname, where.port or 80, n, sound, args.message, args.rate, args.speed, seed)
        for seed, n in enumerate(counts)
    ]
    alone = Play(where.hostname, where.port or 80, 1, sound, args.message, args.rate, 50.0, 0)
    (expected,) = run_play(alone).answers
    used, begun = cpu_seconds(pid) if pid else 0.0, perf_counter()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        results = list(pool.map(run_play, tasks))
    seconds = perf_counter() - begun
    used = (cpu_seconds(pid) if pid else 0.0) - used
    latencies = np.concatenate([result.latencies for result in results]) * 1000
    if not len(latencies):
        raise OSError(f"no answer came: {sorted({why for r in results for why in r.closed})}")
    answers = [a for result in results for a in result.answers]
    row: dict[str, object] = {"clients": clients, "answers": len(latencies)}
    row["lost"] = sum(len(a) < len(expected) for a in answers)
    row["wrong"] = sum(not expected.startswith(a) for a in answers)
    row["closed"] = sorted({why for result in results for why in result.closed})
    row["latency_ms"] = {
        name: round(float(np.percentile(latencies, q)), 3) for name, q in PERCENTILES.items()
    }
    lag = np.concatenate([result.lag for result in results]) * 1000
    row["lag_p99_ms"] = round(float(np.percentile(lag, 99)), 3)
    if pid:
        row["cpu_percent_of_one"] = round(100 * used / seconds, 1)
        row["cpu_percent_per_client"] = round(100 * used / seconds / clients, 4)
    return row


def table(rows: Sequence[dict[str, object]]) -> str:
    lines = ["| clients | p50 | p99 | p99.9 | largest | answers | lost | CPU | CPU per client |"]
    lines.append("|" + "---|" * 9)
    for row in rows:
        latency = row["latency_ms"]
        assert isinstance(latency, dict)
        times = " | ".join(f"{latency[name]:.1f} ms" for name in PERCENTILES)
        cpu = [
            f"{row[name]} %" if name in row else "–"
            for name in ("cpu_percent_of_one", "cpu_percent_per_client")
        ]
        counts = f"{row['answers']} | {row['lost']}"
        lines.append(f"| {row['clients']} | {times} | {counts} | {cpu[0]} | {cpu[1]} |")
    return "\n".join(lines)


def start_server(options: Sequence[str]) -> tuple[subprocess.Popen[str], str]:
    server_py = str(Path(__file__).with_name("server.py"))
    command = [sys.executable, server_py, "--port", "0", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    found = re.search(r"ws://\S+?(?=,)", server.stdout.readline())
    if found is None:
        raise OSError(f"the server did not start: exit status {server.wait()}")
    return server, found[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--url", help="of a server that runs")
    add("--pid", type=int, help="its process, whose CPU time is measured")
    add("--clients", type=int, nargs="+", default=[100, 500])
    add("--seconds", type=float, default=30.0, help="of sound that each of them plays")
    add("--wav", type=Path, default=SPEECH)
    add("--rate", type=int, default=16_000)
    add("--message", type=int, default=512, help="samples")
    add("--speed", type=float, default=1.0, help="times real time")
    add("--processes", type=int, default=1, help="of clients")
    add("--json", type=Path, help="a file for the figures")
    add("server", nargs="*", help="options of a server that is started; -- before them")
    args = parser.parse_args()
    if args.url is None and args.pid is not None:
        parser.error("--pid: expected --url of that server as well")
    if args.url is not None and args.server:
        parser.error(f"{' '.join(args.server)}: expected no --url, for they start a server")
    server, pid, url = None, args.pid, args.url
    rows: list[dict[str, object]] = []
    try:
        if url is None:
            server, url = start_server(args.server)
            pid = server.pid
        for clients in args.clients:
            rows.append(measure(args, url, pid, clients))
            print(json.dumps(rows[-1]), flush=True)
            sleep(1)
    except (OSError, ValueError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    finally:
        if server is not None:
            server.terminate()
            server.wait()
    print("\n" + table(rows))
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return (
        0 if all(not row["lost"] and not row["wrong"] and not row["closed"] for row in rows) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
