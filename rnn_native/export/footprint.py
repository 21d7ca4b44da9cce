"""How much memory a stream or a run needs on a target with pointers of another width.

Most of it is arrays of floats, which have one size everywhere. The rest are a few blocks of structs
(stream.c, run.c and lane.c carve them), each block rounded up to a multiple of 64 bytes.
"""

from __future__ import annotations

from typing import Any, Final

from .. import _core

ALIGN: Final = 64
SLACK: Final = ALIGN - 1  # up to the first aligned byte of the caller's memory

# Members of each struct, rnnat_NAME in C, all of which have four bytes where pointers have.
_MEMBERS: Final = {"stream": 26, "once": 70, "cell_state": 9, "lane": 22}
_BARRIERS: Final = 3  # rnnat_crew_barriers here; exported C has no threads and none


class Footprint:
    """The need of one kind of memory: ``arrays`` bytes, and blocks of (struct, count)."""

    def __init__(self, need: int, blocks: list[tuple[str, int]]) -> None:
        """``need``: what the core states on this machine."""
        here = _core.struct_sizes()
        self._blocks = blocks
        self._arrays = need - SLACK - self._structs(here)

    def _structs(self, sizes: dict[str, int]) -> int:
        return sum(-(-sizes[name] * count // ALIGN) * ALIGN for name, count in self._blocks)

    def need(self, pointer: int) -> int:
        """Bytes where pointers have 4 or 8 of them: exact with structs laid out as usual."""
        here = _core.struct_sizes()
        if pointer != here["pointer"]:
            here = {name: count * pointer for name, count in _MEMBERS.items()}
        here["barrier"] = 0
        return self._arrays + self._structs(here) + SLACK

    def exact(self) -> str:
        """The same as a constant expression of the C that sees the structs."""
        terms = [
            f"({count} * sizeof(rnnat_{name}) + {ALIGN - 1}) / {ALIGN} * {ALIGN}"
            for name, count in self._blocks
            if name in _MEMBERS
        ]
        return " + ".join([f"{self._arrays + SLACK}u", *terms])


def of_stream(
    packed: _core.PackedModel, facts: dict[str, Any], batch: int, steps: int
) -> Footprint:
    """Of a stream of ``batch`` rows, ``steps`` steps at a time."""
    blocks = [
        ("stream", 1),
        ("once", facts["num_ops"]),
        ("barrier", _BARRIERS),
        ("cell_state", facts["num_cells"]),
    ]
    return Footprint(packed.stream_bytes(batch, steps), blocks)


def of_run(packed: _core.PackedModel, facts: dict[str, Any], batch: int, steps: int) -> Footprint:
    """Of a run over sequences of up to ``steps`` steps, in one thread."""
    blocks = [("barrier", _BARRIERS), ("lane", 1), ("cell_state", facts["num_cells"])]
    return Footprint(packed.run_bytes(batch, steps), blocks)
