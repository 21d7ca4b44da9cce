"""A graph that is ready to run: its inputs checked, its outputs by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx.backend import base

from ..arrays import as_array
from ..errors import DTypeError, OptionError, ShapeError, UnsupportedError
from ..formats.onnx.graph import File, Info
from ..formats.onnx.operators.common import DTYPES
from ..formats.onnx.tensors import Budget
from .program import Program

Array = NDArray[Any]

_UNKNOWN: Final = "no tensor"  # of a node's output that nothing describes
_ANY_SIZE: Final = 2**40  # at run time data may be as large as the caller has them


class Prepared(base.BackendRep):  # type: ignore[misc]
    """A graph with its constants folded, and its cells packed where their weights are constant.

    Any number of threads may run one at once.
    """

    def __init__(self, file: File, options: Mapping[str, Any]) -> None:
        graph = file.graph()
        self._inputs, self._optional, self._outputs = graph.inputs, graph.optional, graph.outputs
        for name in graph.outputs:
            if graph.infos[name].element != _UNKNOWN:
                _dtype(f"output {name!r}", graph.infos[name].element)
        for name, info in (*graph.inputs.items(), *graph.optional.items()):
            _dtype(f"input {name!r}", info.element)
        self._program = Program(graph, options, variable=tuple(graph.optional))
        file.contents.budget = Budget(_ANY_SIZE, steps=inf)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Array, ...]:
        """The graph's outputs, a tuple that can be indexed by their names too.

        Parameters
        ----------
        inputs
            Arrays in the order of the graph's inputs, or by name; one array for a graph of one
            input. An input that has an initializer may be left out, and can only be given by name.

        Raises
        ------
        ShapeError, DTypeError
            An input is missing, unknown, or of another shape or type than the graph says.
        OptionError
            There are no other options.
        """
        if kwargs:
            raise OptionError(f"run: unknown option {', '.join(kwargs)}; there is none")
        try:
            made = self._program.run(self._program.defaults | self._given(inputs))
        except UnsupportedError as error:
            raise refused(error) from error
        results = [np.array(array, order="C", copy=None) for array in made]
        names = list(self._outputs)
        outputs: tuple[Array, ...] = base.namedtupledict("Outputs", names)(*results)
        return outputs

    def _given(self, inputs: Any) -> dict[str, Array]:
        if isinstance(inputs, Mapping):
            named = dict(inputs)
        else:
            values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
            if len(values) != len(self._inputs):
                raise ShapeError(
                    f"inputs: expected {len(self._inputs)} ({', '.join(self._inputs)}), "
                    f"got {len(values)}"
                )
            named = dict(zip(self._inputs, values, strict=True))
        known = {**self._inputs, **self._optional}
        for problem, names in (
            ("missing", [name for name in self._inputs if name not in named]),
            ("unknown", [name for name in named if name not in known]),
        ):
            if names:
                raise ShapeError(f"inputs: {problem} {', '.join(map(str, names))}")
        return {name: _checked(name, value, known[name]) for name, value in named.items()}


def refused(error: UnsupportedError) -> UnsupportedError:
    """The error; where ONNX's test runner is loaded, one that it also takes for a refusal."""
    runner = sys.modules.get("onnx.backend.test.runner")
    if runner is None:
        return error
    kinds = (UnsupportedError, runner.BackendIsNotSupposedToImplementIt)
    made: UnsupportedError = type("Refused", kinds, {})(str(error))
    return made


def _dtype(where: str, element: str) -> np.dtype[Any]:
    if element not in DTYPES:
        raise UnsupportedError(f"{where}: element type {element}")
    return np.dtype(DTYPES[element])


def _checked(name: str, value: ArrayLike, info: Info) -> Array:
    array = as_array(f"input {name!r}", value)
    dtype = _dtype(f"input {name!r}", info.element)
    if array.dtype != dtype:
        raise DTypeError(f"input {name!r}: expected {dtype}, got {array.dtype}")
    sizes = info.sizes
    if sizes is not None and (
        len(sizes) != array.ndim
        or any(size not in (None, got) for size, got in zip(sizes, array.shape, strict=True))
    ):
        raise ShapeError(f"input {name!r}: expected shape {sizes}, got {array.shape}")
    return array
