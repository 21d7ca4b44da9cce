"""What a caller states of a graph's inputs: their values, which makes them constants, or sizes that
the file leaves open."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import index
from typing import Any

import numpy as np

from ...errors import OptionError
from ...spec.keys import MAX_SIZE
from ..names import suggest
from .graph import Anything, Graph, Info
from .operators.common import DTYPES


def with_given(graph: Graph, given: Mapping[str, Any]) -> Graph:
    """The graph with these values in the place of the inputs of these names.

    Raises ``OptionError`` for what is no input, and for a value of another type or shape.
    """
    known = {**graph.inputs, **graph.optional}
    _check_names("given", given, known)
    stated = {name: _value(name, value, known[name]) for name, value in given.items()}
    return replace(
        graph,
        inputs={name: info for name, info in graph.inputs.items() if name not in stated},
        optional={name: info for name, info in graph.optional.items() if name not in stated},
        constants=ChainMap(stated, graph.constants),  # type: ignore[arg-type]
    )


def with_shapes(graph: Graph, shapes: Mapping[str, Sequence[int | None]]) -> Graph:
    """The graph with these sizes of the inputs of these names, None for one that stays open.

    Raises ``OptionError`` for what is no input, and for sizes that are not those of the file.
    """
    _check_names("shapes", shapes, graph.inputs)
    stated = {name: _described(name, shapes[name], graph.inputs[name]) for name in shapes}
    return replace(graph, inputs={**graph.inputs, **stated})


def check_stated(option: str, value: Any) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        what = "values" if option == "given" else "sizes"
        raise OptionError(f"{option}: expected {what} by the names of inputs, got {value!r:.200}")


def _check_names(option: str, stated: Mapping[str, Any], known: Mapping[str, Info]) -> None:
    for name in stated:
        if name not in known:
            listed = ", ".join(map(repr, known)) or "none"
            raise OptionError(
                f"{option}: the graph has no input {name!r}{suggest(name, known)}; "
                f"its inputs are {listed}"
            )


def _described(name: str, sizes: Any, info: Info) -> Info:
    """What the file says of an input, with the sizes that are stated."""
    where = f"shapes: the input {name!r}"
    try:
        if any(isinstance(size, (bool, np.bool_)) for size in sizes):
            raise TypeError
        found = tuple(None if size is None else index(size) for size in sizes)
    except TypeError:
        raise OptionError(f"{where}: expected integers or None, got {sizes!r:.200}") from None
    if any(size is not None and not 1 <= size <= MAX_SIZE for size in found):
        raise OptionError(f"{where}: expected sizes of 1 to {MAX_SIZE}, got {found!r:.200}")
    own = (None,) * len(found) if info.sizes is None else info.sizes
    if len(own) != len(found) or any(
        None not in (a, b) and a != b for a, b in zip(own, found, strict=True)
    ):
        raise OptionError(f"{where}: expected {_shown(own)}, as the file has it, got {found}")
    sizes = tuple(a if b is None else b for a, b in zip(own, found, strict=True))
    symbols = info.symbols or ("",) * len(sizes)
    kept = tuple(s if size is None else "" for s, size in zip(symbols, sizes, strict=True))
    return Info(info.element, sizes, kept)


def _shown(sizes: Sequence[int | None]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in sizes)})"


def _value(name: str, value: Any, info: Info) -> Anything:
    """The value as the file describes the input; one number also stands for a tensor of one."""
    where = f"given: the input {name!r}"
    if info.element not in DTYPES:
        raise OptionError(f"{where}: element type {info.element}")
    dtype = np.dtype(DTYPES[info.element])
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise OptionError(f"{where}: expected numbers, got {value!r:.200}") from error
    if array.dtype.kind not in "biuf":
        raise OptionError(f"{where}: expected numbers, got {value!r:.200}")
    sizes = info.sizes
    if sizes is not None and array.size == 1 and all(size in (None, 1) for size in sizes):
        array = array.reshape((1,) * len(sizes))
    if sizes is not None and (
        len(sizes) != array.ndim
        or any(size not in (None, got) for size, got in zip(sizes, array.shape, strict=True))
    ):
        raise OptionError(f"{where}: expected shape {_shown(sizes)}, got {array.shape}")
    with np.errstate(all="ignore"):
        made = array.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(made, array):
        raise OptionError(f"{where}: expected {dtype}, got {value!r:.200}")
    return made
