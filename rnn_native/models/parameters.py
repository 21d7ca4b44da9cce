"""The constructor's arguments of a model, checked: what a network is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from ..errors import OptionError
from ..model import as_dtype
from ..spec import ModelSpec
from ..train.checks import fraction, whole
from .architecture import build
from .labels import Label, as_unknown
from .outputs import Output, make_output


@dataclass(frozen=True)
class Parameters:
    """Of one model as it was when it was fitted: what ``set_params`` changes later has no part in
    what was learnt before. All values are plain Python ones, so that JSON holds them."""

    input_dim: int
    hidden_units: int
    output_dim: int
    cell: str
    num_layers: int
    output: str
    dropout: float
    dtype: str
    unknown: Label | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """``OptionError`` where a value does not exist; it names the argument."""
        sizes = {
            name: whole(name, given[name], 1)
            for name in ("input_dim", "hidden_units", "output_dim", "num_layers")
        }
        checked = cls(
            **sizes,
            cell=given["cell"],
            output=given["output"],
            dropout=fraction("dropout", given["dropout"]),
            dtype=as_dtype(given["dtype"]).name,
            unknown=as_unknown(given["unknown"]),
        )
        if checked.unknown is not None and checked.output != "softmax":
            raise OptionError("unknown: expected None, as there are classes in a softmax alone")
        if checked.dropout and checked.num_layers == 1:
            raise OptionError("dropout: expected 0 with one layer: it acts between layers")
        return checked

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    @property
    def head(self) -> Output:
        return make_output(self.output, self.output_dim)

    def layers(self, kind: str) -> ModelSpec:
        """To be trained, see :func:`rnn_native.models.architecture.build`."""
        return build(
            kind, self.cell, self.input_dim, self.hidden_units, self.output_dim, self.num_layers,
            self.dtype,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
