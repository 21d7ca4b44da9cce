"""Every ISA that was compiled and that this machine has agrees with the reference.

An ISA is chosen when the process starts, so each is tested in a process of its own.
"""

from __future__ import annotations

import pytest
import sweeps

import rnn_native as rn

CONFIG = rn.show_config(mode="dicts")


@pytest.mark.parametrize("isa", CONFIG["isas_available"])
def test_isa_agrees_with_the_reference(isa: str) -> None:
    sweeps.passes("isa_sweep.py", isa)


@pytest.mark.parametrize(
    "isa",
    sorted({"baseline", "avx2", "avx512", "avx512_amx", "neon"} - set(CONFIG["isas_available"])),
)
def test_isa_that_this_machine_lacks_is_refused(isa: str) -> None:
    done = sweeps.start("isa_sweep.py", isa)
    assert done.returncode != 0
    assert "RNN_NATIVE_ISA" in done.stderr
    assert isa in done.stderr
