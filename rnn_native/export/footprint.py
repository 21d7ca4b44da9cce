"""How much memory a stream or a run needs on a target with pointers of another width.

Most of it is arrays of floats, which have one size everywhere. The rest are a few arrays of
structs, which the core names, each rounded up to a multiple of 64 bytes; ``Layout`` knows how long
one is.
"""

from __future__ import annotations

import re
from math import prod
from typing import Final

from .. import _core
from .library import library_text

ALIGN: Final = 64
SLACK: Final = ALIGN - 1  # up to the first aligned byte of the caller's memory
_OF_THREADS: Final = ("rnnat_barrier", "rnnat_operands", "atomic_bool")
"""Which exported C does without."""

_STRUCT: Final = re.compile(r"(?:typedef )?struct (\w+) \{(.*?)\n\}", re.DOTALL)
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_DECLARATOR: Final = re.compile(r"(\*?)\s*(?:const )?\w+((?:\[[^]]+\])*)$")


class Layout:
    """Sizes of the core's structs where a pointer, like an int32_t and an enum, has four bytes: as
    many words as they have members, counted in the header that exported C is compiled with."""

    def __init__(self) -> None:
        text = _COMMENT.sub("", library_text("rnn_native_internal.h"))
        self._structs = dict(_STRUCT.findall(text))
        self._numbers = dict(re.findall(r"\b(RNNAT_\w+)(?: =)? (\d+)", text))

    def size(self, name: str) -> int:
        """Bytes of ``name``, a struct or ``rnnat_pointer``."""
        return 4 * self._words(name)

    def _words(self, name: str) -> int:
        words = flags = 0
        for line in self._structs.get(name, "rnnat_pointer itself").split(";"):
            kind, _, rest = " ".join(line.split()).removeprefix("const ").partition(" ")
            for declarator in filter(None, rest.split(",")):
                found = _DECLARATOR.search(declarator)
                if not found:
                    raise ValueError(f"rnn_native_internal.h: expected a member, got {line!r}")
                pointer, dimensions = found.groups()
                count = prod(map(self._number, re.findall(r"\[([^]]+)\]", dimensions)))
                if kind == "bool" and not pointer:  # four in a row share a word
                    flags += count
                    continue
                words += -(-flags // 4) + count * (
                    self._words(kind) if kind in self._structs and not pointer else 1
                )
                flags = 0
        return words + -(-flags // 4)

    def _number(self, text: str) -> int:
        """Of elements: a number, a constant, or one less than it."""
        name, _, less = text.partition(" - ")
        return int(self._numbers.get(name, name)) - int(less or 0)


class Footprint:
    """The need of one kind of memory: ``arrays`` bytes, and blocks of structs."""

    def __init__(self, need: int, blocks: list[tuple[str, int, int]]) -> None:
        """``need`` bytes on this machine, among them blocks of (struct, count, bytes of one)."""
        self._blocks = [block for block in blocks if block[0] not in _OF_THREADS]
        self._arrays = need - SLACK - sum(_rounded(size * count) for _, count, size in blocks)

    def need(self, pointer: int) -> int:
        """Bytes where pointers have 4 or 8 of them: exact with structs laid out as usual."""
        layout = Layout() if pointer == 4 else None
        structs = sum(
            _rounded((layout.size(name) if layout else size) * count)
            for name, count, size in self._blocks
        )
        return self._arrays + structs + SLACK

    def exact(self) -> str:
        """The same as a constant expression of the C that sees the structs."""
        terms = [
            f"({count} * sizeof({name}) + {ALIGN - 1}) / {ALIGN} * {ALIGN}"
            for name, count, _ in self._blocks
        ]
        return " + ".join([f"{self._arrays + SLACK}u", *terms])


def _rounded(size: int) -> int:
    return -(-size // ALIGN) * ALIGN


def of_stream(packed: _core.PackedModel, batch: int, steps: int) -> Footprint:
    """Of a stream of ``batch`` rows, ``steps`` steps at a time."""
    return Footprint(*packed.stream_memory(batch, steps))


def of_run(packed: _core.PackedModel, batch: int, steps: int) -> Footprint:
    """Of a run over sequences of up to ``steps`` steps, in one thread."""
    return Footprint(*packed.run_memory(batch, steps))
