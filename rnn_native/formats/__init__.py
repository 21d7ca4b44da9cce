"""File formats: each reads into a ModelSpec, and some write out of one.

To add a format: write a module here with ``read(path, **options) -> ModelSpec`` and, where it can
write, ``write(spec, path)``; enter it in ``FORMATS``; add its tests. Its module is imported when
a file of that format is first read or written, and may then import what the format needs.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

from ..errors import FormatError, OptionError, RnnError, UnsupportedError
from ..spec import ModelSpec

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Format:
    """What the registry knows of a format before its module is imported.

    ``module`` lies in this package; the suffixes are lower case; ``options`` are the keywords of
    the module's ``read``. ``reads`` and ``writes`` say whether the module does, ``hint`` what there
    is for those who want to write.
    """

    module: str
    suffixes: tuple[str, ...]
    options: tuple[str, ...] = ()
    reads: bool = True
    writes: bool = True
    hint: str = ""


_OF_STATE_DICTS: Final = (
    "cell", "nonlinearity", "reset_after", "output_nonlinearity", "prefix",
)  # fmt: skip
_OF_KERAS: Final = (
    "node", "between", "config", "cell", "activation", "recurrent_activation", "reset_after",
)  # fmt: skip

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "safetensors": Format("safetensors", (".safetensors",), _OF_STATE_DICTS),
        "npz": Format("npz", (".npz",), _OF_STATE_DICTS),
        "onnx": Format("onnx", (".onnx",), ("input", "output"), writes=False),
        "torch": Format("torch", (".pt", ".pth"), reads=False, writes=False),
        "keras": Format(
            "keras",
            (".keras", ".h5", ".hdf5"),
            _OF_KERAS,
            writes=False,
            hint="rnn_native.keras_weights gives the arrays for a Keras layer's set_weights",
        ),
    }
)
"""Every format by the name that ``format=`` takes."""


def read(path: PathLike, format: str | None = None, **options: Any) -> ModelSpec:
    """Read the model in a file.

    Parameters
    ----------
    path
        The file. Its suffix, in any case, says the format unless ``format`` does.
    format
        A name in ``FORMATS``.
    options
        For ``safetensors`` and ``npz`` files that hold a PyTorch ``state_dict`` and no
        description of the layers: ``cell``, ``nonlinearity``, ``reset_after``,
        ``output_nonlinearity``, ``prefix``, see ``formats.plain``. For ``onnx``: ``input`` and
        ``output``, see ``formats.onnx``. None means not given.

    Raises
    ------
    FormatError
        The suffix is unknown, or the file is malformed; begins with the path.
    OptionError
        ``format`` or an option is unknown, or contradicts the file.
    UnsupportedError
        The file is well formed, but its format or something in it cannot be served.
    OSError
        As Python raises it: ``FileNotFoundError`` and so on.
    """
    name, entry = _find(path, format)
    if not entry.reads:
        raise UnsupportedError(
            f"{os.fspath(path)}: reading the format {name} ({', '.join(entry.suffixes)}) is not "
            f"supported yet; these can be read: {_list_formats('reads')}"
        )
    given = {key: value for key, value in options.items() if value is not None}
    unknown = [key for key in options if key not in entry.options]
    if unknown:
        raise OptionError(
            f"format {name}: unknown option {', '.join(unknown)}; "
            f"known are {', '.join(entry.options)}"
        )
    module = importlib.import_module(f".{entry.module}", __name__)
    try:
        spec: ModelSpec = module.read(path, **given)
    except RnnError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from error
    return spec


def write(spec: ModelSpec, path: PathLike, format: str | None = None) -> None:
    """Write a model to a file, which is replaced as a whole or left as it was.

    The suffix of ``path`` says the format unless ``format`` does. Raises ``FormatError`` for an
    unknown suffix, ``OptionError`` for an unknown ``format``, ``UnsupportedError`` for a format
    that is only read, ``OSError`` as Python raises it.
    """
    name, entry = _find(path, format)
    if not entry.writes:
        raise UnsupportedError(
            f"{os.fspath(path)}: writing the format {name} ({', '.join(entry.suffixes)}) is not "
            f"supported; these can be written: {_list_formats('writes')}"
            + (f"; {entry.hint}" if entry.hint else "")
        )
    importlib.import_module(f".{entry.module}", __name__).write(spec, path)


def _find(path: PathLike, format: str | None) -> tuple[str, Format]:
    if format is not None:
        if format not in FORMATS:
            raise OptionError(f"format: expected one of {', '.join(FORMATS)}; got {format!r}")
        return format, FORMATS[format]
    suffix = PurePath(path).suffix.lower()
    for name, entry in FORMATS.items():
        if suffix in entry.suffixes:
            return name, entry
    known = ", ".join(suffix for entry in FORMATS.values() for suffix in entry.suffixes)
    raise FormatError(
        f"{os.fspath(path)}: the suffix {suffix!r} is of no known format; "
        f"expected one of {known}, or format= one of {', '.join(FORMATS)}"
    )


def _list_formats(ability: str) -> str:
    return ", ".join(name for name, entry in FORMATS.items() if getattr(entry, ability))
