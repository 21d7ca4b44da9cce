"""Programs of examples/scale, run as they stand on clusters of processes on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "scale"
sys.path.insert(0, str(EXAMPLES))

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "SPARK_LOCAL_IP": "127.0.0.1",
}
NOT_OURS = ("OMP_NUM_THREADS", "RNN_NATIVE_NUM_THREADS")  # what the engines set is looked at

Program = Callable[..., str]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Runs a program of examples/scale, or one beside this file; it has to succeed. ``marker`` has
    one of its workers killed, and is there afterwards. It runs elsewhere: Ray's workers import from
    the current folder first, and this project's has sources that are not built."""

    def run(name: str, *arguments: object, marker: Path | None = None) -> str:
        path = next(folder / name for folder in (EXAMPLES, HERE) if (folder / name).exists())
        variables = {k: v for k, v in os.environ.items() if k not in NOT_OURS} | SETTINGS
        if marker is not None:
            variables |= {"KILL_ONCE": str(marker), "PYTHONPATH": str(HERE / "kill_once")}
        done = subprocess.run(
            [sys.executable, path, *map(str, arguments)],
            capture_output=True, text=True, timeout=900, env=variables, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-5000:]
        return done.stdout

    return run
