"""What a Model tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._core import CoreModel
from .errors import UnsupportedError
from .packed import Packed
from .spec import ModelSpec
from .summary import Summary, summary_of
from .weight_types import shown

if TYPE_CHECKING:
    from .shared_files import SharedFile


def _only(what: str, sizes: dict[str, int]) -> int:
    if len(sizes) > 1:
        names = ", ".join(map(repr, sizes))
        raise UnsupportedError(f"{what}: this model has several, {names}: see model.spec.value")
    return next(iter(sizes.values()))


class Described:
    """Its options, sizes and bytes, as properties."""

    _core: CoreModel
    _packed: Packed
    _file: SharedFile | None
    _inputs: tuple[str, ...]
    _outputs: tuple[str, ...]
    _sizes: tuple[dict[str, int], dict[str, int]]
    _axes: tuple[list[str], list[str]]
    _num_parameters: int
    _takes_indices: bool
    _batch_first: bool
    _num_threads: int | None
    _weight_dtype: str | None
    _compute: str | None

    @property
    def spec(self) -> ModelSpec:
        """The layers and weights, these in the model's dtype: rebuilt from the packed form, which
        is all that a Model keeps of its matrices. Bit for bit what came, where that was of the
        same dtype; with a ``weight_dtype`` the matrices are those that are stored, widened."""
        return self._packed.spec(self._core)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type computed in."""
        return self._core.dtype

    @property
    def weight_dtype(self) -> str | None:
        """What weights of matrices are stored as; None: ``dtype``."""
        return self._weight_dtype

    @property
    def compute(self) -> str | None:
        """What both sides of products are rounded to; None: neither, or both to integers (int8)."""
        return self._compute

    @property
    def keep(self) -> tuple[str, ...]:
        """The layers whose matrices are in ``dtype`` whatever ``weight_dtype`` is."""
        return self._packed.keep

    @property
    def batch_first(self) -> bool:
        return self._batch_first

    @property
    def num_threads(self) -> int | None:
        """Threads that a call may use, as stated at construction; None: as many as
        :func:`get_num_threads` tells."""
        return self._num_threads

    @property
    def matmul(self) -> str:
        """Who multiplies matrices: ``"packed"`` or ``"blas"``."""
        return str(self._core.info["matmul"])

    @property
    def is_shared(self) -> bool:
        """Whether its weights are in a file that other processes can map, or have mapped."""
        return self._file is not None

    @property
    def memory(self) -> int:
        """Bytes of the packed model."""
        return int(self._core.info["memory"])

    @property
    def shared_memory(self) -> int:
        """Those of its bytes that are in that file, of which processes have one copy."""
        return int(self._core.info["shared_memory"])

    @property
    def streamable(self) -> bool:
        """Whether it runs step by step: no layer runs in reverse."""
        return bool(self._core.info["streamable"])

    @property
    def num_parameters(self) -> int:
        return self._num_parameters

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it takes, in order; ``("x",)`` of a chain."""
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what it gives, in order; ``("y",)`` of a chain."""
        return self._outputs

    @property
    def input_size(self) -> int:
        """Features of x; for a model of indices, how many it knows. Raises ``UnsupportedError`` for
        one with several inputs."""
        return _only("input_size", self._sizes[0])

    @property
    def output_size(self) -> int:
        """Features of y. Raises ``UnsupportedError`` for a model with several outputs."""
        return _only("output_size", self._sizes[1])

    def summary(self) -> Summary:
        """A table of its layers: ``print(model.summary())``; a notebook shows it by itself.

        ::

            print(rn.LSTM(3, 8, num_layers=2).model.summary())
        """
        return summary_of(self.spec, repr(self))

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def __repr__(self) -> str:
        x, y = (", ".join(each) for each in self._axes)
        known = f" below {self.input_size}" if self._takes_indices else ""
        stored = shown(self.weight_dtype, self.compute, self.keep)
        return (
            f"Model({', '.join(self._packed.cells)}; {x}{known} -> {y}, "
            f"{self.num_parameters} parameters, {self.dtype.name}{stored}, {self.matmul})"
        )
