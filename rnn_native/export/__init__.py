"""Models as C source: constant weights, static memory, sizes known to the compiler."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import _core
from ..choices import as_dtype
from ..errors import OptionError
from ..formats.safetensors import parts
from ..model import Model
from ..packed import check_range
from ..spec import ModelSpec
from ..weight_types import check_keep, checked_anywhere, code_of, compute_code
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
    weight_dtype: DTypeLike | None = None,
    compute: str | None = None,
    keep: Sequence[str] | None = None,
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
        ModelSpec float32.
    weight_dtype, compute, keep
        As of :class:`Model`: what matrices are written as, which is what their flash is made of,
        and multiplied in. None: those of a Model, unless a ``dtype`` is given, which is the
        weights' too then; for a ModelSpec ``dtype``, and its own ``keep``. ``compute`` is for
        ``isa="avx512"``, and a CPU with AVX512_BF16.
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
        A constant of an activation, a weight or an initial state is past every float32, a matrix
        past its type; ``weight_dtype`` with float64, ``compute`` with another ``isa``.
    """
    names.check(name)
    precision = _Precision(dtype, weight_dtype, compute, keep)
    spec, packed, target = _packed(model, isa, batch, max_steps, precision)
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
    weight_dtype: DTypeLike | None = None,
    compute: str | None = None,
    keep: Sequence[str] | None = None,
    pointer: int = 4,
) -> DeviceMemory:
    """What exported C takes where a pointer has 4 or 8 bytes: the numbers that its header has as
    ``WEIGHT_BYTES`` and ``STREAM_BYTES``. Arguments and errors are those of :func:`export_c`."""
    if pointer not in (4, 8):
        raise OptionError(f"pointer: expected 4 or 8 bytes, got {pointer!r}")
    precision = _Precision(dtype, weight_dtype, compute, keep)
    _, packed, target = _packed(model, isa, batch, max_steps, precision)
    return DeviceMemory(*source.memory(packed, target, batch, max_steps, pointer))


@dataclass(frozen=True)
class _Precision:
    """What a caller asks for; None: nothing."""

    dtype: DTypeLike | None
    weight_dtype: DTypeLike | None
    compute: str | None
    keep: Sequence[str] | None

    def of(self, model: Model | ModelSpec) -> tuple[np.dtype[Any], DTypeLike | None, str | None]:
        """What is computed in, ``weight_dtype`` and ``compute``, with a Model's own in the place
        of what is not asked for."""
        dtype = model.dtype if isinstance(model, Model) else "float32"
        own: _Precision | Model = self
        if isinstance(model, Model) and self.dtype is self.weight_dtype is self.compute is None:
            own = model
        chosen = as_dtype(dtype if self.dtype is None else self.dtype)
        return chosen, own.weight_dtype, own.compute


def _packed(
    model: Model | ModelSpec, isa: str, batch: int, max_steps: int, asked: _Precision
) -> tuple[ModelSpec, _core.PackedModel, targets.Target]:
    """The model packed for ``isa``, all arguments checked."""
    if not isinstance(model, (Model, ModelSpec)):
        raise OptionError(f"model: expected a Model or a ModelSpec, got {type(model).__name__}")
    target = targets.find(isa)
    for option, value in (("batch", batch), ("max_steps", max_steps)):
        _check_count(option, value)
    dtype, weights, compute = asked.of(model)
    spec = model.spec if isinstance(model, Model) else model
    if asked.keep is not None:
        spec = spec.having(keep=asked.keep)
    check_range(spec, dtype)
    stored, compute = checked_anywhere(weights, compute, dtype, "packed", spec)
    check_keep(asked.keep, stored)
    if compute is not None:
        targets.check_compute(isa, compute)
    double = int(dtype != np.float32)
    codes = code_of(stored), compute_code(compute)
    packed = _core.PackedModel(parts(spec), double, target.lanes[double], *codes)
    return spec, packed, target


def _check_count(option: str, value: Any) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not 1 <= value < 2**31:
        raise OptionError(f"{option}: expected an integer from 1 to 2**31 - 1, got {value!r}")
