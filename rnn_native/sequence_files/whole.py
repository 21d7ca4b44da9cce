"""A whole input in a file, time first: what a model is called with once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, ShapeError
from ..formats import naming
from ..formats.npz import open_archive
from ..spec import ModelSpec
from . import inputs, lines

SUFFIXES: Final = inputs.SUFFIXES


def read(spec: ModelSpec, path: Path, batch_first: bool) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """x of a model with one input, of a .npy, .npz with one array or .csv of one row; of several a
    dict of the arrays of an .npz, by their names.

    Raises ``OptionError`` for another suffix, and for an .npz of other arrays; ``ShapeError`` for
    arrays of other axes; ``FormatError`` and ``OSError`` as of reading.
    """
    suffix, several = path.suffix.lower(), len(spec.inputs) > 1
    if suffix not in SUFFIXES:
        raise OptionError(f"{path}: expected the suffix {', '.join(SUFFIXES)}; got {suffix!r}")
    if several:
        return _arrays(spec, path, batch_first)
    if suffix == ".csv":
        features = None if spec.takes_indices else spec.input_size
        with open(path, "rb") as file:
            source: inputs.Input = lines.LinesInput(
                str(path), file, features, np.dtype(np.float32), False
            )
            return next(iter(source.pieces(None)))
    if suffix == ".npy":
        with inputs.open_npy(path) as stored:
            of_file = inputs.ArrayInput(str(path), stored, spec.takes_indices, batch_first)
            return next(of_file.pieces(None))
    array = inputs.open_npz(path, None)
    return next(inputs.ArrayInput(str(path), array, spec.takes_indices, batch_first).pieces(None))


def _arrays(spec: ModelSpec, path: Path, batch_first: bool) -> dict[str, NDArray[Any]]:
    expected = ", ".join(map(repr, spec.inputs))
    if path.suffix.lower() != ".npz":
        raise OptionError(f"{path}: expected an .npz with the arrays {expected}")
    with naming(path), open_archive(path) as archive:
        if set(archive.names) != set(spec.inputs):
            found = ", ".join(map(repr, archive.names)) or "none"
            raise OptionError(f"expected the arrays {expected}; found {found}")
        arrays = {name: archive.read(name) for name in spec.inputs}
    for name, one in spec.inputs.items():
        axes = 1 + one.time + (not one.indices)
        if arrays[name].ndim != axes:
            raise ShapeError(
                f"{path}: {name}: expected {axes} axes, got shape {arrays[name].shape}"
            )
        if one.time and batch_first:
            arrays[name] = np.swapaxes(arrays[name], 0, 1)
    return arrays
