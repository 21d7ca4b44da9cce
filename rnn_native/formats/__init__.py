"""File formats: each reads into a ModelSpec, and some write out of one.

To add a format: write a module or a folder here with ``read(path, **options) -> ModelSpec``; where
it can write, ``write(spec, path)``, with ``strings`` where the file has a place for some; where a
file says something of itself, ``strings(path)``, and ``read_all(path, **options)``, which gives the
spec and the strings of ours; where it names others that hold a part of it, ``beside(path)``;
``arrays(path)``, every array that it holds; and ``choices(path)``, options that choose a part of
it, where these are not prefixes. Enter it in ``FORMATS``, and in ``recognised`` where its content
tells; add its tests. It is imported when a file of that format is first read or written, and may
then import what the format needs.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, Final

from numpy.typing import NDArray

from ..errors import FormatError, OptionError, RnnError, UnsupportedError
from ..spec import ModelSpec

PathLike = str | os.PathLike[str]

_LONGEST: Final = 2000  # characters of a message


@dataclass(frozen=True)
class Format:
    """What the registry knows of a format before its module is imported.

    ``module`` lies in this package; the suffixes are lower case; ``options`` are the keywords of
    the module's ``read``. ``writes`` says whether the module does, ``carries`` whether its
    ``write`` takes strings that the file is to carry, ``graphs`` whether it takes what is no chain,
    ``keeps`` whether ``ModelSpec.keep``, ``hint`` what there is in the place of a file.
    """

    module: str
    suffixes: tuple[str, ...]
    options: tuple[str, ...] = ()
    writes: bool = True
    carries: bool = False
    graphs: bool = False
    keeps: bool = False
    hint: str = ""


_OF_STATE_DICTS: Final = (
    "cell", "nonlinearity", "reset_after", "output_nonlinearity", "prefix", "chain",
)  # fmt: skip
_OF_KERAS: Final = (
    "node", "between", "config", "cell", "activation", "recurrent_activation", "reset_after",
)  # fmt: skip

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "safetensors": Format(
            "safetensors", (".safetensors",), _OF_STATE_DICTS, carries=True, graphs=True, keeps=True
        ),
        "npz": Format("npz", (".npz",), _OF_STATE_DICTS, carries=True, graphs=True, keeps=True),
        "onnx": Format(
            "onnx", (".onnx",), ("node", "between", "given", "shapes"), carries=True, graphs=True
        ),
        "tflite": Format(
            "tflite",
            (".tflite", ".lite"),
            ("node", "between", "given", "shapes"),
            writes=False,
            hint="a .onnx has the model for converters to TensorFlow Lite",
        ),
        "torch": Format("torch", (".pt", ".pth"), _OF_STATE_DICTS, carries=True),
        "pickle": Format(
            "pickled",
            (".pkl", ".pickle"),
            _OF_STATE_DICTS,
            writes=False,
            hint="a .npz has the arrays by the same names",
        ),
        "flax": Format(
            "flax_file",
            (".msgpack",),
            _OF_STATE_DICTS,
            writes=False,
            hint="a .npz has the arrays by names",
        ),
        "keras": Format(
            "keras",
            (".keras", ".h5", ".hdf5"),
            _OF_KERAS,
            writes=False,
            hint="rnn_native.keras_weights gives the arrays for a Keras layer's set_weights",
        ),
        "json": Format("json_files", (".json",), (*_OF_STATE_DICTS, "node", "between")),
        "rtneural": Format("json_files.rtneural", ()),
        "guitarml": Format("json_files.guitarml", (), writes=False, hint="rtneural has LSTM, GRU"),
        "state-dict-json": Format("json_files.state_dict", (), _OF_STATE_DICTS, carries=True),
        "tfjs": Format("json_files.tfjs", (), ("node", "between"), writes=False),
        "nam": Format("json_files.nam", (".nam",)),
        "rnnoise": Format("rnnoise", (".rnnn",), writes=False),
    }
)
"""Every format by the name that ``format=`` takes."""


def read(path: PathLike, format: str | None = None, **options: Any) -> ModelSpec:
    """Read the model in a file.

    Parameters
    ----------
    path
        The file. Its suffix, in any case, says the format unless ``format`` does; where there is
        none, or an unknown one, the content does.
    format
        A name in ``FORMATS``.
    options
        For ``safetensors``, ``npz``, ``torch``, ``pickle`` and ``flax`` files that hold a PyTorch
        ``state_dict`` and no description of the layers: ``cell``, ``nonlinearity``,
        ``reset_after``, ``output_nonlinearity``, ``prefix``, see ``formats.plain``, and ``chain``,
        the modules that run in their order, see ``formats.chain``. For ``onnx``: ``node`` or
        ``between``, a part of the graph, ``given`` and ``shapes``, values and sizes of its inputs,
        see ``formats.onnx``; for ``tflite`` likewise. For ``keras``: ``node`` and ``between`` of
        layers and, of weights alone, ``config``, ``cell`` and more, see ``formats.keras``. For
        ``json``, which is several formats: those of a ``state_dict`` or, of TensorFlow.js, ``node``
        and ``between``. None
        means not given.

    Raises
    ------
    FormatError
        Neither suffix nor content is known, or the file is malformed; begins with the path.
    OptionError
        ``format`` or an option is unknown, or contradicts the file.
    UnsupportedError
        The file is well formed, but its format or something in it cannot be served.
    OSError
        As Python raises it: ``FileNotFoundError`` and so on.
    """
    return read_all(path, format, **options)[0]


def read_all(
    path: PathLike, format: str | None = None, **options: Any
) -> tuple[ModelSpec, Mapping[str, str]]:
    """What :func:`read` gives, and the strings that the file carries beside the layers, under keys
    of ``metadata.CARRIED`` among others; maybe none."""
    name, entry = find(path, format)
    given = {key: value for key, value in options.items() if value is not None}
    unknown = [key for key in options if key not in entry.options]
    if unknown:
        raise OptionError(
            f"format {name}: unknown option {', '.join(unknown)}; "
            f"known are {', '.join(entry.options) or 'none'}"
        )
    module = importlib.import_module(f".{entry.module}", __name__)
    with naming(path):
        if not hasattr(module, "read_all"):
            return module.read(path, **given), {}
        spec, carried = module.read_all(path, **given)
    return spec, carried


def strings(path: PathLike, format: str | None = None) -> dict[str, str]:
    """What a file says of itself: who made it, whatever strings it carries; maybe nothing.

    ``producer`` is the program that made it, with its version, where the format tells. Keys that
    begin with ``rnn_native.`` are those of docs/file-format.md. Errors are those of :func:`read`.
    """
    entry = find(path, format)[1]
    module = importlib.import_module(f".{entry.module}", __name__)
    if not hasattr(module, "strings"):
        return {}
    with naming(path):
        found: dict[str, str] = module.strings(path)
    return found


def beside(path: PathLike, format: str | None = None) -> list[Path]:
    """The other files of which a file says that they hold a part of it, whether or not they are
    there. Errors are those of :func:`read`."""
    entry = find(path, format)[1]
    module = importlib.import_module(f".{entry.module}", __name__)
    if not hasattr(module, "beside"):
        return []
    with naming(path):
        return [Path(path).parent / location for location in module.beside(path)]


def read_arrays(path: PathLike, format: str | None = None) -> dict[str, NDArray[Any]]:
    """Every array of a file by name: see ``rn.read_arrays``."""
    name, entry = find(path, format)
    module = importlib.import_module(f".{entry.module}", __name__)
    if not hasattr(module, "arrays"):
        raise UnsupportedError(f"{os.fspath(path)}: the arrays of the format {name} are not read")
    with naming(path):
        found: dict[str, NDArray[Any]] = module.arrays(path)
    return found


def choices(path: PathLike, format: str | None = None) -> list[dict[str, str]]:
    """Options with each of which :func:`read` may read a part of a file: its recurrent modules,
    nodes or layers. Errors are those of :func:`read_arrays`."""
    name, entry = find(path, format)
    module = importlib.import_module(f".{entry.module}", __name__)
    if hasattr(module, "choices"):
        with naming(path):
            found: list[dict[str, str]] = module.choices(path)
            return found
    if "prefix" not in entry.options:
        return []
    from .calculated import prefixes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays = read_arrays(path, name)
    with naming(path):
        return prefixes(arrays)


def write(
    spec: ModelSpec,
    path: PathLike,
    format: str | None = None,
    strings: Mapping[str, str] | None = None,
) -> None:
    """Write a model to a file, which is replaced as a whole or left as it was.

    The suffix of ``path`` says the format unless ``format`` does. ``strings`` are what the file
    is to carry beside the model, under keys of ``metadata.CARRIED``. Raises ``FormatError`` for an
    unknown suffix, ``OptionError`` for an unknown ``format``, ``UnsupportedError`` for a format
    that is only read or has no place for strings, ``OSError`` as Python raises it.
    """
    name, entry = find_to_write(path, format)
    if not entry.writes:
        raise UnsupportedError(
            f"{os.fspath(path)}: writing the format {name} ({', '.join(entry.suffixes)}) is not "
            f"supported; these can be written: {_list_formats('writes')}"
            + (f"; {entry.hint}" if entry.hint else "")
        )
    if strings and not entry.carries:
        raise UnsupportedError(
            f"{os.fspath(path)}: the format {name} has no place for {', '.join(strings)}; "
            f"these have: {_list_formats('carries')}"
        )
    if not entry.graphs and not spec.is_chain:
        raise UnsupportedError(
            f"{os.fspath(path)}: the format {name} has no place for a graph, here of "
            f"{len(spec.nodes)} nodes; these have: {_list_formats('graphs')}"
        )
    if not entry.keeps and spec.keep:
        raise UnsupportedError(
            f"{os.fspath(path)}: the format {name} has no place for which layers keep their "
            f"matrices, here {', '.join(spec.keep)}; these have: {_list_formats('keeps')}"
        )
    module = importlib.import_module(f".{entry.module}", __name__)
    if strings:
        module.write(spec, path, strings)
    else:
        module.write(spec, path)


def find(path: PathLike, format: str | None = None) -> tuple[str, Format]:
    """The format of a file that is read: the stated one, else by its suffix, else by its content.
    Errors as of :func:`read`."""
    named = _named(path, format)
    if named is not None:
        return named, FORMATS[named]
    recognised = importlib.import_module(".recognised", __name__).recognised
    try:
        found: str | None = recognised(path)
    except OSError:  # a folder, or what several files are called
        _refuse_known(path)
        raise
    if found is None:
        _refuse_known(path)
        raise _unknown(path, "and its content is not recognised; ")
    return found, FORMATS[found]


def find_to_write(path: PathLike, format: str | None = None) -> tuple[str, Format]:
    """The format of a file by its suffix, or the stated one; errors as of :func:`write`."""
    named = _named(path, format)
    if named is None:
        raise _unknown(path)
    return named, FORMATS[named]


def _named(path: PathLike, format: str | None) -> str | None:
    if format is not None:
        if format not in FORMATS:
            raise OptionError(f"format: expected one of {', '.join(FORMATS)}; got {format!r}")
        return format
    suffix = PurePath(path).suffix.lower()
    return next((name for name, entry in FORMATS.items() if suffix in entry.suffixes), None)


def _refuse_known(path: PathLike) -> None:
    refused = importlib.import_module(".tensorflow", __name__).refusal(path)
    if refused is not None:
        raise UnsupportedError(f"{os.fspath(path)}: {refused}")


def _unknown(path: PathLike, why: str = "") -> FormatError:
    known = ", ".join(suffix for entry in FORMATS.values() for suffix in entry.suffixes)
    return FormatError(
        f"{os.fspath(path)}: the suffix {PurePath(path).suffix.lower()!r} is of no known format; "
        f"{why}expected one of {known}, or format= one of {', '.join(FORMATS)}"
    )


def _list_formats(ability: str) -> str:
    return ", ".join(name for name, entry in FORMATS.items() if getattr(entry, ability))


@contextmanager
def naming(path: PathLike) -> Iterator[None]:
    """Errors begin with the path of the file, and are of bounded length whatever is in it."""
    try:
        yield
    except RnnError as error:
        text = str(error)
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}... (and {len(text) - _LONGEST} characters more)"
        raise type(error)(f"{os.fspath(path)}: {text}") from error
