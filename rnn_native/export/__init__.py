"""Models as C source: constant weights, static memory, sizes known to the compiler."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import _core
from ..errors import OptionError
from ..formats.safetensors import parts
from ..model import Model, as_dtype
from ..packed import check_range
from ..spec import ModelSpec
from . import folder as folders
from . import names, source, targets


def export_c(
    model: Model | ModelSpec,
    folder: str | os.PathLike[str],
    name: str = "model",
    *,
    isa: str = "scalar",
    batch: int = 1,
    max_steps: int = 1,
    dtype: DTypeLike | None = None,
    force: bool = False,
) -> list[Path]:
    """Write a model as C source that needs no file system, no heap and nothing but libc and libm.

    The folder gets ``<name>.c`` and ``<name>.h``, the model, and ``rnn_native.c`` with its headers,
    the library without what the model does not need. ``docs/embedded.md`` shows how to use them.
    The functions of a model with several inputs or outputs take arrays of pointers to all of them,
    in the order of ``spec.inputs`` and ``spec.outputs``. The same model gives the same bytes.

    Parameters
    ----------
    model
        What to export.
    folder
        Made where it is not there. Where it has exported models of other names, this one joins
        them, and one library serves all.
    name
        Of the files, and the beginning of every name in them: a letter and up to 39 letters, digits
        or underscores.
    isa
        For which kernels the weights are packed: ``"scalar"``, plain C11, which every compiler
        takes; ``"baseline"``, vectors of 16 bytes as GCC and Clang have them for any target;
        ``"neon"``, ``"avx2"``, ``"avx512"``.
    batch
        Rows that are run side by side.
    max_steps
        Steps that are run at once: more take more memory and less time. Of a model with a layer
        that runs in reverse, the longest sequence.
    dtype
        ``"float32"`` or ``"float64"``: what is computed in. None: a Model's own, and for a
        ModelSpec float32. Weights of a Model's ``weight_dtype`` are written in it, as they were
        rounded; what they multiply is not rounded, as int8 and ``compute`` do.
    force
        Whether files may be overwritten that were not written by this function, and other models
        in the folder removed that another version wrote.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OptionError
        An option has a value that does not exist; a file in the folder is not ours.
    ShapeError
        The memory that it would need is beyond all bounds.
    UnsupportedError
        A constant of an activation, a weight or an initial state is past every float32.
    """
    names.check(name)
    spec, packed, target = _packed(model, isa, batch, max_steps, dtype)
    plan = source.Plan(
        name=name,
        packed=packed,
        spec=spec,
        isa=isa,
        target=target,
        batch=int(batch),
        max_steps=int(max_steps),
    )
    told = packed.describe()
    header, text = source.make(plan, told)
    library = folders.Library(isa, targets.options(isa, told))
    return folders.write(Path(folder), folders.Exported(name, header, text, library), bool(force))


@dataclass(frozen=True)
class DeviceMemory:
    """Bytes: ``constants``, the packed weights, which stay in flash; ``ram``, all that a stream (of
    a model that does not stream, a run) needs beside the stack."""

    constants: int
    ram: int


def device_memory(
    model: Model | ModelSpec,
    *,
    isa: str = "scalar",
    batch: int = 1,
    max_steps: int = 1,
    dtype: DTypeLike | None = None,
    pointer: int = 4,
) -> DeviceMemory:
    """What exported C takes where a pointer has 4 or 8 bytes: the numbers that its header has as
    ``WEIGHT_BYTES`` and ``STREAM_BYTES``. Arguments and errors are those of :func:`export_c`."""
    if pointer not in (4, 8):
        raise OptionError(f"pointer: expected 4 or 8 bytes, got {pointer!r}")
    _, packed, target = _packed(model, isa, batch, max_steps, dtype)
    return DeviceMemory(*source.memory(packed, target, batch, max_steps, pointer))


def _packed(
    model: Model | ModelSpec, isa: str, batch: int, max_steps: int, dtype: DTypeLike | None
) -> tuple[ModelSpec, _core.PackedModel, targets.Target]:
    """The model packed for ``isa``, all arguments checked."""
    if not isinstance(model, (Model, ModelSpec)):
        raise OptionError(f"model: expected a Model or a ModelSpec, got {type(model).__name__}")
    target = targets.find(isa)
    for option, value in (("batch", batch), ("max_steps", max_steps)):
        _check_count(option, value)
    if dtype is None:
        dtype = model.dtype if isinstance(model, Model) else "float32"
    spec = model.spec if isinstance(model, Model) else model
    check_range(spec, as_dtype(dtype))
    single = as_dtype(dtype) == np.float32
    packed = _core.PackedModel(parts(spec), int(not single), target.lanes[int(not single)])
    return spec, packed, target


def _check_count(option: str, value: Any) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not 1 <= value < 2**31:
        raise OptionError(f"{option}: expected an integer from 1 to 2**31 - 1, got {value!r}")
