"""Shared set-up: lets test files import their neighbours, and sets how hypothesis runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# `--import-mode=importlib` puts no test folder on the path; `import strategies` needs this one.
sys.path.insert(0, str(Path(__file__).parent))

# Threads that a test asks for come, however busy the machine is; test_threading.py does without.
os.environ.setdefault("RNN_NATIVE_DYNAMIC", "0")

settings.register_profile("local", deadline=None)  # no test here is timed
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs ``rnn-native run`` in the folder of the test; its status and what it printed."""

    def call(*arguments: object) -> tuple[int, str, str]:
        from rnn_native import cli

        before = Path.cwd()
        os.chdir(tmp_path)
        try:
            status = cli.main(["run", *map(str, arguments)])
        finally:
            os.chdir(before)
        return (status, *capsys.readouterr())

    return call
