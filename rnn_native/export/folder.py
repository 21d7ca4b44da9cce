"""The folder of exported C: one library, with just the options that its models need, and each
model's own two files. All of it is written, or nothing, unless a file that is written already
cannot take its place at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import _core
from ..errors import OptionError
from ..formats.files import replacing
from .library import library_text
from .source import MARK, TITLE

LIBRARY: Final = ("rnn_native.h", "rnn_native_internal.h", "rnn_native.c")
CONFIG: Final = "rnn_native_config.h"

_MODEL: Final = re.compile(r" \*   (\w+), (\w+):((?: \w+=[01])+)")
_HIDDEN: Final = """\
/* One shared library does not see another's: each has its own library within. Another
 * RNNAT_API, "default", shows the functions of rnn_native.h. */
#ifndef RNNAT_API
#if defined(__GNUC__) && !defined(_WIN32) && (!defined(RNNAT_GNU) || RNNAT_GNU)
#define RNNAT_API __attribute__((visibility("hidden")))
#else
#define RNNAT_API
#endif
#endif
"""


@dataclass(frozen=True)
class Library:
    """The kernels that a model is packed for, and options: 1, or 0 where it does without."""

    isa: str
    options: Mapping[str, int]


@dataclass(frozen=True)
class Exported:
    """A model's two files, and what it needs of the library."""

    name: str
    header: str
    source: str
    library: Library


def write(folder: Path, exported: Exported, force: bool) -> list[Path]:
    """Writes or adds the model; returns the paths of all files. ``OptionError`` where that would
    overwrite a file that is not ours, or drop models of another version, without ``force``, or mix
    what does not fit."""
    models = {exported.name: exported.library}
    config = folder / CONFIG
    dropped: list[Path] = []
    if _is_ours(config) and not _is_current(config):
        dropped = _of_another_version(folder, exported.name, force)
    elif _is_ours(config):
        others = _models(config)
        others.pop(exported.name, None)
        _check_others(config, others, exported)
        models |= others
    texts = {
        **{name: _library(name) for name in LIBRARY},
        CONFIG: _config(models),
        f"{exported.name}.h": exported.header,
        f"{exported.name}.c": exported.source,
    }
    paths = {name: folder / name for name in texts}
    for path in paths.values():
        if path.is_dir() or (path.exists() and not force and not _is_ours(path)):
            raise OptionError(f"{path} is there and was not written by export-c")
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            for name, path in paths.items():
                data = texts[name].encode()
                if not path.is_file() or path.read_bytes() != data:
                    stack.enter_context(replacing(path)).write(data)
    except BaseException:
        with suppress(OSError):  # a file that has taken its place
            for path in made:
                path.rmdir()
        raise
    for path in dropped:
        path.unlink(missing_ok=True)
    return [*paths.values()]


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(MARK)) == MARK.encode()


def _is_current(config: Path) -> bool:
    return config.read_text(encoding="utf-8", errors="replace").startswith(TITLE)


def _of_another_version(folder: Path, name: str, force: bool) -> list[Path]:
    """The files of the other models, which the library of this version cannot serve."""
    found = (path for path in folder.glob("*.c") if path.name not in LIBRARY and _is_ours(path))
    others = sorted(path.stem for path in found if path.stem.lower() != name.lower())
    if others and not force:
        raise OptionError(
            f"{folder / CONFIG} is of another version than {_core.version()}, and so are the "
            f"models {', '.join(others)}: force removes them, to be exported again; or choose "
            "another folder"
        )
    files = (folder / f"{other}.{end}" for other in others for end in ("c", "h"))
    return [path for path in files if _is_ours(path)]


def _models(config: Path) -> dict[str, Library]:
    """The models that a library of this version in a folder is for."""
    text = config.read_text(encoding="utf-8", errors="replace")
    models = {}
    for name, isa, options in _MODEL.findall(text.partition("*/")[0]):
        pairs = (option.split("=") for option in options.split())
        models[name] = Library(isa, {key: int(value) for key, value in pairs})
    return models


def _check_others(config: Path, others: Mapping[str, Library], exported: Exported) -> None:
    for name, library in others.items():
        if name.lower() == exported.name.lower():
            raise OptionError(f"name: {config} has {name}, which differs in case alone")
        if library.isa != exported.library.isa:
            raise OptionError(
                f"isa: expected {library.isa}, which the model {name} in {config} has; got "
                f"{exported.library.isa}"
            )


def _config(models: Mapping[str, Library]) -> str:
    lines = [TITLE, " * The options of the library, of which its models need:", " *"]
    each: dict[str, int] = {}
    for name, library in sorted(models.items()):
        pairs = " ".join(f"{key}={on}" for key, on in library.options.items())
        lines.append(f" *   {name}, {library.isa}: {pairs}")
        each |= {key: max(on, each.get(key, 0)) for key, on in library.options.items()}
    lines += [" */", "#ifndef RNN_NATIVE_CONFIG_H", "#define RNN_NATIVE_CONFIG_H", ""]
    for key, on in sorted(each.items()):
        define = f"#define {key} {on}"
        # Both forms have the same structs and the same bits: a choice of who compiles.
        lines += [f"#ifndef {key}", define, "#endif"] if key == "RNNAT_SMALL" else [define]
    return "\n".join([*lines, "", _HIDDEN, "#endif", ""])


def _library(name: str) -> str:
    return f'{TITLE} */\n#include "{CONFIG}"\n\n{library_text(name)}'
