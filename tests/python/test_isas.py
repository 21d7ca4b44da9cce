"""Every ISA that was compiled and that this machine has agrees with the reference.

An ISA is chosen when the process starts, so each is tested in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rnn_native as rn

SWEEP = Path(__file__).parent / "isa_sweep.py"
CONFIG = rn.show_config(mode="dicts")


def start(isa: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", str(SWEEP)],
        env=os.environ | {"RNN_NATIVE_ISA": isa},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.parametrize("isa", CONFIG["isas_available"])
def test_isa_agrees_with_the_reference(isa: str) -> None:
    done = start(isa)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.startswith(f"{isa}:")


@pytest.mark.parametrize(
    "isa", sorted({"baseline", "avx2", "avx512", "neon"} - set(CONFIG["isas_available"]))
)
def test_isa_that_this_machine_lacks_is_refused(isa: str) -> None:
    done = start(isa)
    assert done.returncode != 0
    assert "RNN_NATIVE_ISA" in done.stderr
    assert isa in done.stderr
