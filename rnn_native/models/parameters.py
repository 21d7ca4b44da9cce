"""The constructor's arguments of a model, checked: what a network is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

import numpy as np

from ..choices import as_dtype
from ..errors import OptionError
from ..spec import ModelSpec
from ..train.checks import flag, fraction, whole
from .architecture import build
from .labels import Label, as_class_list, as_unknown
from .outputs import Output, make_output
from .reading import Reading, make_reading

INPUT_DIM: Final = 100
OUTPUT_DIM: Final = 10
"""Sizes of a network that is made before there is data to tell them."""


@dataclass(frozen=True)
class Parameters:
    """Of one model as it was when it was fitted: what ``set_params`` changes later has no part in
    what was learnt before. All values are plain Python ones, so that JSON holds them."""

    input_dim: int | None
    hidden_units: int
    output_dim: int | None
    cell: str
    num_layers: int
    output: str
    dropout: float
    dtype: str
    unknown: Label | None
    bidirectional: bool
    pooling: str
    classes: list[Label] | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """``OptionError`` where a value does not exist; it names the argument."""
        input_dim, output_dim = given["input_dim"], given["output_dim"]
        checked = cls(
            input_dim=None if input_dim is None else whole("input_dim", input_dim, 1),
            hidden_units=whole("hidden_units", given["hidden_units"], 1),
            output_dim=None if output_dim is None else whole("output_dim", output_dim, 1),
            num_layers=whole("num_layers", given["num_layers"], 1),
            cell=given["cell"],
            output=given["output"],
            dropout=fraction("dropout", given["dropout"]),
            dtype=as_dtype(given["dtype"]).name,
            unknown=as_unknown(given["unknown"]),
            bidirectional=flag("bidirectional", given["bidirectional"]),
            pooling=given["pooling"],
            classes=as_class_list(given["classes"]),
        )
        if checked.unknown is not None and checked.output != "softmax":
            raise OptionError("unknown: expected None, as there are classes in a softmax alone")
        if checked.dropout and checked.num_layers == 1:
            raise OptionError("dropout: expected 0 with one layer: it acts between layers")
        return checked

    def sized(self, input_dim: int | None, output_dim: int | None) -> Self:
        """The same with the sizes of the data, or, None, those of a network before there is any."""
        return replace(
            self,
            input_dim=input_dim or self.input_dim or INPUT_DIM,
            output_dim=output_dim or self.output_dim or OUTPUT_DIM,
        )

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    @property
    def head(self) -> Output:
        output = make_output(self.output, self.output_dim)
        if self.classes is None:
            return output
        if output.target_rank:
            raise OptionError("classes: expected None, as there are classes in a softmax alone")
        classes = np.array(self.classes, dtype=object)
        return output.learnt_from(classes, np.ones(len(classes), np.bool_), self.unknown)

    def layers(self, kind: str) -> ModelSpec:
        """To be trained, see :func:`rnn_native.models.architecture.build`."""
        assert self.input_dim is not None
        assert self.output_dim is not None
        return build(
            kind, self.cell, self.input_dim, self.hidden_units, self.output_dim, self.num_layers,
            self.dtype, self.bidirectional,
        )  # fmt: skip

    def reading(self, kind: str, per_step: bool) -> Reading:
        """How the outputs answer targets of sequences, or of steps."""
        has_linear = kind != "rnn" or self.cell != "article"
        return make_reading(self.pooling, self.bidirectional, per_step, has_linear)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
