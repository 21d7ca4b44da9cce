"""The constants of a packed model as C: arrays, and the core's structs that point to them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .. import _core
from . import numbers
from .literals import literal

_ARRAYS: Final = {
    "nodes": "rnnat_node",
    "values": "rnnat_value",
    "outputs": "int32_t",
    "names": "char *const",
    "buffers": "rnnat_buffer",
    "states": "rnnat_state_shape",
}
"""Members of a model that point to arrays: of structs, numbers or texts."""

_KINDS: Final = {
    "float32": "float",
    "float64": "double",
    "uint16": "uint16_t",
    "int8": "int8_t",
    "int32": "int32_t",
}
"""C's names of what arrays have."""


class Constants:
    """C source of a model's constants, one line after the other, and how many bytes they are."""

    def __init__(self, name: str, told: _core.Told, kernels: str, vectors: bool) -> None:
        """``kernels``: the table that runs it; ``vectors``: whether these read arrays by vectors,
        which are faster where none lies across two lines of the cache."""
        self._name = name
        self._told = told
        self._kernels = kernels
        self._storage = "static const _Alignas(64)" if vectors else "static const"
        self.bytes = 0
        """Of the arrays."""
        self._structs: list[str] = []
        """Names of the constants that are structs, texts, or arrays of these."""
        self.has_names = False
        """Whether macros of <math.h> are among the numbers. Arrays alone may hold infinity or NaN:
        no layer has them as alpha, beta or clip, but a clip of 0 where there is no bound."""
        self.lines = [*self._all()]
        text = "\n".join(self.lines).encode()
        identity = blake2b(text, digest_size=8).hexdigest()
        self.lines[-1:-1] = [f"    .identity = 0x{identity}u,"]

    def _all(self) -> Iterator[str]:
        name = self._name
        members: list[str] = []
        for member, value in self._told.members:
            if member not in _ARRAYS:
                yield from self._member(name, member, value, members)
            elif value:
                yield from self._array_of(_ARRAYS[member], f"{name}_{member}", value)
                members.append(f".{member} = {name}_{member}")
        structs = [f"sizeof {struct}" for struct in self._structs]
        sizes = "\n                       + ".join(
            [f"{self.bytes}u", "sizeof(rnnat_model)", *structs]
        )
        yield ""
        yield f"const rnnat_model {name}_model = {{"
        yield f"    .kernels = {self._kernels},"
        for text in members:
            if text.startswith(".info = {"):
                text = (
                    ".info = {.struct_size = sizeof(rnnat_model_info),\n             "
                    + text.removeprefix(".info = {").removesuffix("}")
                    + f",\n             .memory = {sizes}}}"
                )
            yield f"    {text},"
        yield "};"

    def _array_of(self, kind: str, name: str, elements: _core.Struct) -> Iterator[str]:
        """An array; the arrays of its structs, and what they point to, before it."""
        texts: list[str] = []
        for index, (_, element) in enumerate(elements):
            if isinstance(element, bytes):
                self._structs.append(f"{name}_{index}")
                yield f"static const char {name}_{index}[] = {literal(element)};"
                element = f"{name}_{index}"
            if not isinstance(element, _core.Struct):
                texts.append(f"    {element},")
                continue
            members: list[str] = []
            for member, value in element:
                if isinstance(value, _core.Struct) and value.type:
                    yield from self._pointed_to(f"{name}_{index}_{member}", value)
                    members.append(f".{member} = &{name}_{index}_{member}")
                else:
                    yield from self._member(f"{name}_{index}", member, value, members)
            texts.append("    {" + ", ".join(members or ["0"]) + "},")
        self._structs.append(name)
        yield f"static const {kind} {name}[] = {{"
        yield from texts
        yield "};"

    def _pointed_to(self, name: str, value: _core.Struct) -> Iterator[str]:
        members: list[str] = []
        yield from self._members(name, value, members)
        self._structs.append(name)
        yield f"static const {value.type} {name} = {{"
        yield from (f"    {text}," for text in members)
        yield "};"

    def _members(self, name: str, struct: _core.Struct, out: list[str]) -> Iterator[str]:
        for index, (member, value) in enumerate(struct):
            yield from self._member(f"{name}_{member or index}", member, value, out)

    def _member(self, name: str, member: str, value: Any, out: list[str]) -> Iterator[str]:
        """Yields the arrays of one member, and adds its initialiser; one of 0 needs none."""
        initial = f".{member} = " if member else ""
        if isinstance(value, _core.Struct) and value.is_block:
            yield from self._block(name, value)
            out.append(f"{initial}&{name}")
        elif isinstance(value, _core.Struct):
            inside: list[str] = []
            yield from self._members(name, value, inside)
            out.append(f"{initial}{{{', '.join(inside or ['0'])}}}")
        elif isinstance(value, np.ndarray):
            yield from self._array(name, value)
            out.append(f"{initial}{name}")
        elif isinstance(value, str):
            out.append(f"{initial}&{value}")
        elif value or not member:
            out.append(f"{initial}{numbers.number(value) if type(value) is float else value}")

    def _array(self, name: str, array: NDArray[Any]) -> Iterator[str]:
        yield f"{self._storage} {_KINDS[array.dtype.name]} {name}[{array.size}] = {{"
        yield from self._numbers(array)
        yield "};"

    def _numbers(self, array: NDArray[Any]) -> Iterator[str]:
        self.bytes += array.nbytes
        self.has_names = self.has_names or not np.isfinite(array).all()
        yield from numbers.lines(array)

    def _block(self, name: str, block: _core.Struct) -> Iterator[str]:
        """Memory that bytes point to: its pieces are structs of arrays, which follow each other
        without a gap. Those of one shape are an array, and big-endian targets read them, too."""
        pieces = [piece for _, piece in block]
        runs = [(shape, [*run]) for shape, run in groupby(pieces, _shape)]
        before = self.bytes
        yield f"{self._storage} struct {{"
        for index, (shape, run) in enumerate(runs):
            members = " ".join(f"{kind} {member}[{size}];" for kind, member, size in shape)
            yield f"    struct {{ {members} }} of_{index}[{len(run)}];"
        yield f"}} {name} = {{"
        for _, run in runs:
            yield "{"
            for piece in run:
                for index, (_, array) in enumerate(piece):
                    yield "}, {" if index else "{{"
                    yield from self._numbers(array)
                yield "}},"
            yield "},"
        yield "};"
        yield f'_Static_assert(sizeof {name} == {self.bytes - before}u, "{name}");'


def _shape(piece: _core.Struct) -> list[tuple[str, str, int]]:
    """The type, name and size of each array of a struct."""
    return [(_KINDS[array.dtype.name], member, array.size) for member, array in piece]
