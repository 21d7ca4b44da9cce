"""What a model takes of a microcontroller: constants in flash, and RAM, where pointers have four
bytes, as the C source of ``rnn-native export-c`` states them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ..export import device_memory
from ..models.architecture import with_activation
from .contenders import Contender
from .cost import INPUT, OUTPUT, flops_per_step

SIZES: Final = (16, 32, 64, 128, 256)
CODE_BYTES: Final = 20_000
"""About what a whole program has of code on a Cortex-M4F, libc and libm included: GCC 12, -O2
(docs/cortex-m.md)."""


def measure(contenders: Iterable[Contender]) -> dict[str, dict[str, dict[str, Any]]]:
    """By cell and hidden units: bytes of weights and of RAM, FLOPs of a step."""
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for contender in contenders:
        for units in SIZES:
            net = contender.model(INPUT, units, OUTPUT, "softmax").initial_network(0)
            memory = device_memory(with_activation(net.spec, "softmax"))
            table.setdefault(contender.name, {})[str(units)] = {
                "weight_bytes": memory.constants,
                "ram_bytes": memory.ram,
                "flops_per_step": flops_per_step(net.spec),
            }
    return table
