"""TorchScript programs, archives of ``torch.jit.save``: their weights, and what their code says.

The modules of a program are in ``data.pkl``, as objects whose attributes are parameters, buffers
and other modules. The code, text in the folder ``code``, is not run: where a class calls
``torch.rnn_relu``, and ``torch.rnn_tanh`` nowhere, that is the nonlinearity of its RNN.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ...errors import UnsupportedError
from .archive import Archive
from .flat import Flat
from .values import Tensor

_CALLED = re.compile(rb"\btorch\.rnn_(relu|tanh)(?:_cell)?\(")
_MAX_CODE: Final = 2**20  # bytes of the code of a class
_READ: Final = 1000  # classes whose code is looked at


def is_program(archive: Archive, root: str) -> bool:
    return f"{root}/constants.pkl" in archive


def check(found: Flat[Tensor]) -> None:
    """``UnsupportedError`` where no weight of a program has a name."""
    if not found.named:
        raise UnsupportedError(
            "a TorchScript program whose modules have no weights: torch.jit.freeze, and "
            "optimize_for_inference, turn them into constants without names; save the program from "
            "before, or its state_dict"
        )


def add_said(archive: Archive, root: str, found: Flat[Any]) -> None:
    """Adds what the code of modules with a ``weight_ih`` says of them."""
    read: dict[str, str | None] = {}
    for prefix, source in found.sources.items():
        if "nonlinearity" in found.said.get(prefix, {}):
            continue
        if not any(f"{prefix}weight_ih{end}" in found.named for end in ("", "_l0")):
            continue
        path = f"{root}/code/{source.module.replace('.', '/')}.py"
        if path not in read and len(read) < _READ:
            read[path] = _nonlinearity(archive, path)
        if (said := read.get(path)) is not None:
            found.said.setdefault(prefix, {})["nonlinearity"] = said


def _nonlinearity(archive: Archive, path: str) -> str | None:
    if path not in archive:
        return None
    called = set(_CALLED.findall(archive.inflate(path, _MAX_CODE)))
    return called.pop().decode() if len(called) == 1 else None
