"""Keras files: ``.keras`` and ``.h5``, of Keras 1 to 3, with NumPy alone.

A Sequential or a straight functional model becomes a chain of our layers, one with branches a
graph; from any model one layer or a straight run of them can be taken. A file of weights alone
tells what its layers are by the names and shapes of their arrays (``plain``), or is read with the
model's JSON.

y and state are what Keras's layers give, but for masked steps, whose outputs are 0 here (Keras
repeats the last one), and for the order of the steps after ``go_backwards``. ``stateful`` is up to
the caller, who passes the state on. What only concerns learning is not looked at: dropout,
initializers, regularizers, ``unit_forget_bias``; nor is how Keras calculates: ``implementation``,
``unroll``.
"""

from __future__ import annotations

import os

from ...errors import DTypeError, FormatError, OptionError, ShapeError
from ...spec import ModelSpec
from ..reading import read_bytes
from ..stored import Stored, gathered
from .chain import read_chain
from .config import MODELS, Layer, of_class, parse_json
from .file import KerasFile, open_file, weights
from .graph import Graph, graph_of
from .keras1 import as_keras_2, dated
from .plain import check, describe, recurrent_in

PathLike = str | os.PathLike[str]


def read(
    path: PathLike,
    *,
    node: str | None = None,
    between: tuple[str, str] | None = None,
    config: PathLike | None = None,
    cell: str | None = None,
    activation: str | None = None,
    recurrent_activation: str | None = None,
    reset_after: bool | None = None,
) -> ModelSpec:
    """Read a file.

    Parameters
    ----------
    node
        The name of one layer that is taken out, recurrent ones above all; of a layer in a model
        inside of the model, the names joined by ``"/"``.
    between
        The names of two layers: the straight run from the first to the last is taken out.
    config
        For a file of weights alone: the file with the model's JSON, ``model.to_json()``.
    cell, activation, recurrent_activation, reset_after
        For a file of weights alone, without ``config``: see ``keras.plain``.

    Raises
    ------
    UnsupportedError
        A layer, an option or an activation that is not supported, by its name, with the recurrent
        layers that ``node`` can take.
    FormatError
        For what is no valid file.
    OptionError
        A name that no layer has; options that do not go together, or with the file.
    """
    between = _part(node, between)
    file = dated(open_file(path))
    options = {
        "cell": cell,
        "activation": activation,
        "recurrent_activation": recurrent_activation,
        "reset_after": reset_after,
    }
    given = [name for name, value in options.items() if value is not None]
    if file.config is not None and config is not None:
        raise OptionError("config: only for a file of weights alone; this one has its model")
    if given and (file.config is not None or config is not None):
        raise OptionError(f"{', '.join(given)}: the model's own configuration says what it is")
    plain = file.config is None and config is None
    if not plain:
        model, file = _model(file, config)
        return _read(graph_of(model), file, node, between)
    if file.major() == 1:
        file, _ = as_keras_2(file, None)
    spec = _read(describe(file, node, between, options), file, node, between)
    check(spec, options)
    return spec


def read_described(
    file: KerasFile, node: str | None = None, between: tuple[str, str] | None = None
) -> ModelSpec:
    """The model of a file that is open, and has its configuration; else as :func:`read`."""
    between = _part(node, between)
    model, file = _model(file, None)
    return _read(graph_of(model), file, node, between)


def _read(
    graph: Graph, file: KerasFile, node: str | None, between: tuple[str, str] | None
) -> ModelSpec:
    try:
        return read_chain(graph, file.store, node, between)
    except (ShapeError, DTypeError) as error:  # of a layer's own checks
        raise FormatError(str(error)) from error


def choices(path: PathLike) -> list[dict[str, str]]:
    """The recurrent layers, as ``node=`` takes them."""
    file = open_file(path)
    if file.config is None:
        return [{"node": name} for name in recurrent_in(file)]
    return [{"node": name} for name in graph_of(_model(file, None)[0]).recurrent]


def arrays(path: PathLike) -> dict[str, Stored]:
    """Every dataset of numbers by its path, in its own type; bfloat16 as float32."""
    file = weights(path)
    return gathered(file.datasets, file.stored)


def strings(path: PathLike) -> dict[str, str]:
    """``producer``: Keras and its version, where the file tells."""
    version = dated(open_file(path)).version
    return {} if version is None else {"producer": f"keras {version}"}


def _part(node: object, value: object) -> tuple[str, str] | None:
    """``between``, or None; ``OptionError`` where these do not choose a part of a model."""
    if node is not None and value is not None:
        raise OptionError("node= and between=: expected one of them")
    if node is not None and not isinstance(node, str):
        raise OptionError(f"node: expected the name of a layer, got {node!r}")
    if value is None:
        return None
    if (
        not isinstance(value, (tuple, list))
        or len(value) != 2
        or not all(isinstance(name, str) for name in value)
    ):
        raise OptionError(f"between: expected the names of two layers, got {value!r}")
    return value[0], value[1]


def _model(file: KerasFile, config: PathLike | None) -> tuple[Layer, KerasFile]:
    """The model as the file, or the file beside it, describes it, and its weights."""
    described = file.config
    if described is None:
        assert config is not None
        described = parse_json(read_bytes(config), f"config {os.fspath(config)!r}")
    version = file.major(described.get("keras_version"))
    if version == 1:
        file, described = as_keras_2(file, described)
    kind, options = of_class(described, "the model")
    model = Layer(kind, (), (), options, version)
    if kind not in MODELS:
        raise model.unsupported(f"expected a model of the class {' or '.join(MODELS[:2])}")
    return model, file
