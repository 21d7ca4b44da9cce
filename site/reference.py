"""Pages that Sphinx fills with docstrings: one for each group of public names."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import rnn_native as rn
from rnn_native.spec import layers

GROUPS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "running": ("Load and run", ("load", "Model", "Stream", "StreamPool", "show_config",
                                 "set_num_threads", "get_num_threads")),
    "modules": ("Modules and PyTorch", ("LSTM", "GRU", "RNN",
                                        "from_torch", "accelerate", "restore")),
    "files": ("Files", ("read_arrays", "quantize", "export_c", "keras_weights")),
    "description": ("A model as data", ("ModelSpec", "Activation", "Static")),
}  # fmt: skip
MODULES: Final[Mapping[str, Sequence[str]]] = {
    "reference": ("run", "trace"),
    "plot": ("trace", "history"),
}
"""The public names of modules that have no ``__all__``."""


def write_reference(out: Path) -> None:
    out.mkdir(parents=True)
    written = []
    for name, title, body in _pages():
        (out / f"{name}.rst").write_text(f"{title}\n{'=' * len(title)}\n\n{body}", encoding="utf-8")
        written.append(name)
    listed = "\n".join(f"   {name}" for name in written)
    (out / "index.rst").write_text(
        "Reference\n=========\n\nEvery public name of ``rnn_native``, as its docstring has it. "
        "``import rnn_native as rn`` is how examples call it. The C interface is its header, "
        ":doc:`rnn_native.h </src/include/rnn_native.h>`.\n\n"
        f".. toctree::\n   :maxdepth: 2\n\n{listed}\n",
        encoding="utf-8",
    )


def _pages() -> Iterator[tuple[str, str, str]]:
    """Name, title and directives of each page; every public name is on one of them."""
    left = dict.fromkeys(rn.__all__)
    for name, (title, names) in GROUPS.items():
        yield name, title, _directives("rnn_native", names, members=True)
        _take(left, names)
    yield "layers", "Layers", _directives("rnn_native", layers.__all__)
    _take(left, layers.__all__)
    errors = [name for name in left if _is_error(getattr(rn, name))]
    yield "errors", "Errors", _directives("rnn_native", sorted(errors, key=_depth))
    _take(left, errors)
    for name in [name for name in left if isinstance(getattr(rn, name), ModuleType)]:
        module = getattr(rn, name)
        names = getattr(module, "__all__", MODULES.get(name))
        yield name, f"rn.{name}", _module(module, names)
        left.pop(name)
    if left:
        yield "more", "More", _directives("rnn_native", list(left), members=True)


def _take(left: dict[str, None], names: Sequence[str]) -> None:
    for name in names:
        left.pop(name)


def _is_error(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


def _depth(name: str) -> tuple[int, str]:
    """The common base comes first."""
    return len(getattr(rn, name).__mro__), name


def _module(module: ModuleType, names: Sequence[str]) -> str:
    head = f".. automodule:: {module.__name__}\n\n"
    return head + _directives(module.__name__, names, members=True)


def _directives(module: str, names: Sequence[str], members: bool = False) -> str:
    text = f".. currentmodule:: {module}\n\n"
    home = rn if module == "rnn_native" else getattr(rn, module.partition(".")[2])
    for name in names:
        value = getattr(home, name)
        if not inspect.isclass(value):
            text += f".. autofunction:: {name}\n\n"
        elif _is_error(value):
            text += f".. autoexception:: {name}\n   :show-inheritance:\n\n"
        else:
            text += f".. autoclass:: {name}\n"
            if members:
                text += "   :members:\n   :inherited-members: object\n"
                text += "   :special-members: __call__\n"
            text += "\n"
    return text
