"""What a model takes of a microcontroller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...answer import TITLES
from ...cost import INPUT, OUTPUT
from ...device import CODE_BYTES
from ..blocks import Section, Table, Text


def section(results: Mapping[str, Any]) -> Section | None:
    table = results["device"]
    if not table:
        return None
    sizes = list(next(iter(table.values())))
    rows = [
        [
            TITLES[cell],
            *(
                f"{by_units[units]['weight_bytes'] / 1024:.1f} / "
                f"{by_units[units]['ram_bytes'] / 1024:.2f} / "
                f"{by_units[units]['flops_per_step'] / 1000:.0f}"
                for units in sizes
            ),
        ]
        for cell, by_units in table.items()
    ]
    head = ["flash KiB / RAM KiB / thousand FLOPs a step", *(f"{units} units" for units in sizes)]
    about = Text(
        f"float32, {INPUT} features in and {OUTPUT} out, as the C source of rnn-native export-c "
        f"takes them where a pointer has four bytes: weights as constants in flash, and all RAM "
        f"that a stream needs beside the stack. Code comes on top once, about {CODE_BYTES:,} bytes "
        "on a Cortex-M4F with libc and libm. No time is told: no such device was at hand."
    )
    return Section("device", "On a microcontroller", [about, Table(head, rows)])
