"""Scripts that check the instruction set of their process, each run in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def start(name: str, isa: str) -> subprocess.CompletedProcess[str]:
    """Runs ``name``, a script of this folder, with the kernels of ``isa``."""
    return subprocess.run(
        [sys.executable, "-P", str(Path(__file__).parent / name)],
        env=os.environ | {"RNN_NATIVE_ISA": isa},
        capture_output=True,
        text=True,
        timeout=600,
    )


def passes(name: str, isa: str) -> str:
    """What it prints behind ``<isa>:``, with which it begins; fails where the script does."""
    done = start(name, isa)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.startswith(f"{isa}:")
    return done.stdout.removeprefix(f"{isa}:")
