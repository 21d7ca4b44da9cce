"""What there is to tell of a file of a known format that ``rn.load`` does not read as it is: why,
which parts of it are read and what to type for them, and its arrays."""

from __future__ import annotations

import argparse
import shlex
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .. import formats
from ..errors import FormatError, OptionError, RnnError
from ..formats import metadata
from ..formats.metadata import describe
from .arguments import reader_options
from .text import in_bytes, row

TRIED: Final = 12  # parts of a file
_LINES: Final = 2000  # characters of a reason


def facts_of(arguments: argparse.Namespace, error: RnnError) -> dict[str, Any]:
    """As --json gives them; ``error``, why the file is not loaded, is raised where it is not of the
    file: where an option is wrong, or no model's arrays are in it."""
    if isinstance(error, OptionError) and reader_options(arguments):
        raise error
    arrays, refused = _arrays(arguments)
    if isinstance(error, FormatError) and not arrays:
        raise error
    format, _ = formats.find(arguments.file, arguments.format)
    strings = _strings(arguments)
    return {
        "file": str(arguments.file),
        "format": format,
        "version": version_of(strings),
        "bytes": arguments.file.stat().st_size,
        "producer": strings.get("producer"),
        "loads": False,
        "refused": {"error": type(error).__name__, "reason": _without_path(arguments, error)},
        "parts": _parts(arguments),
        "arrays": {name: told(array) for name, array in arrays.items()},
        "arrays_refused": refused,
        "strings": {
            key: text
            for key, text in strings.items()
            if key != "producer" and not key.startswith(metadata.PREFIX)
        },
    }


def version_of(strings: Mapping[str, str]) -> str | None:
    """Of the format, as far as the file tells."""
    for name, key in (
        ("rnn_native", f"{metadata.PREFIX}version"), ("opset", "opset"),
        ("schema", "schema_version"), ("", "container"), ("", "version"),
    ):  # fmt: skip
        if key in strings:
            return f"{name} {strings[key]}".strip()
    return None


def told(array: NDArray[np.generic]) -> dict[str, Any]:
    return {"shape": list(array.shape), "dtype": array.dtype.name}


def _arrays(arguments: argparse.Namespace) -> tuple[dict[str, NDArray[Any]], str | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return formats.read_arrays(arguments.file, arguments.format), None
    except RnnError as error:
        return {}, _without_path(arguments, error)


def _strings(arguments: argparse.Namespace) -> dict[str, str]:
    try:
        return formats.strings(arguments.file, arguments.format)
    except RnnError:
        return {}


def _without_path(arguments: argparse.Namespace, error: RnnError) -> str:
    return str(error).removeprefix(f"{arguments.file}: ")


def _parts(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Options that choose a part, each with the layers that it then is or why it is not read."""
    try:
        choices = formats.choices(arguments.file, arguments.format)
    except RnnError:
        return []
    from ..sequence_files import states

    parts: list[dict[str, Any]] = []
    for options in choices[:TRIED]:
        part: dict[str, Any] = {"options": options}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                spec = formats.read(arguments.file, arguments.format, **options)
            part["layers"] = [describe(node.layer) for node in spec.nodes.values()]
            part["state"] = states.shapes(spec)
        except RnnError as error:
            part["refused"] = _without_path(arguments, error)
        parts.append(part)
    return parts


def lines_of(facts: Mapping[str, Any]) -> Iterator[str]:
    made = f", made by {facts['producer']}" if facts["producer"] else ""
    version = f" ({facts['version']})" if facts["version"] else ""
    size = in_bytes(facts["bytes"])
    yield row("file", f"{facts['file']}: {facts['format']}{version}, {size}{made}")
    yield row("loads", f"no: {facts['refused']['reason']}", _LINES)
    for part in facts["parts"]:
        typed = " ".join(f"--{key} {shlex.quote(value)}" for key, value in part["options"].items())
        if "refused" in part:
            yield row("part", f"{typed}  not read: {part['refused']}")
            continue
        shapes = [f"{name} [{', '.join(map(str, s))}]" for name, s in part["state"].items()]
        yield row("part", f"{typed}  {', '.join(part['layers'])}; state {', '.join(shapes)}")
    readable = [part for part in facts["parts"] if "layers" in part]
    if readable:
        key, value = next(iter(readable[0]["options"].items()))
        file = shlex.quote(facts["file"])
        yield row("type", f"rnn-native info {file} --{key} {shlex.quote(value)}")
        yield row("", f"rn.load({facts['file']!r}, {key}={value!r})")
    if facts["arrays"]:
        yield row("type", f"rn.read_arrays({facts['file']!r}) for its arrays")
    for key, text in facts["strings"].items():
        yield row("says", f"{key}: {text}")
    if facts["arrays_refused"]:
        yield row("arrays", f"not read: {facts['arrays_refused']}", _LINES)
    yield from array_lines(facts["arrays"])


def array_lines(arrays: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if arrays:
        yield ""
    for name, array in arrays.items():
        shape = ", ".join(map(str, array["shape"]))
        yield row("array", f"{name} {array['dtype']} [{shape}]")
