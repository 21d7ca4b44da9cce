"""The load generator finds all answers, and says which are missing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from serving import EXAMPLES, Server, value_of, wait_until

LOAD = [sys.executable, str(EXAMPLES / "serve" / "load.py")]


def test_load_of_a_server_of_its_own(tmp_path: Path) -> None:
    figures = tmp_path / "load.json"
    done = subprocess.run(
        [*LOAD, "--clients", "5", "40", "--seconds", "1.5", "--message", "800", "--processes", "2",
         "--json", figures, "--", "--collect-ms", "2"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(figures.read_text())
    assert [row["clients"] for row in rows] == [5, 40]
    for row in rows:
        assert row["lost"] == row["wrong"] == 0
        assert row["answers"] == row["clients"] * 47  # windows in 1.5 s, the last one filled up
        times = row["latency_ms"]
        assert 0 < times["p50"] <= times["p99"] <= times["p99.9"] <= times["max"]
        assert row["cpu_percent_of_one"] > 0
    assert done.stdout.count("\n| ") == 3


def test_lost_answers_are_counted(serve: Callable[..., Server]) -> None:
    server = serve()
    load = subprocess.Popen(
        [*LOAD, "--url", server.url, "--clients", "8", "--seconds", "30"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    # 938 of these steps are one client's alone
    wait_until(lambda: value_of(server, "rnn_batch_steps_sum") >= 1500)
    assert load.poll() is None
    server.end(signal.SIGKILL)
    said, _ = load.communicate(timeout=120)
    assert load.returncode == 1
    row = json.loads(said.splitlines()[0])
    assert row["lost"] == 8
    assert row["closed"]
