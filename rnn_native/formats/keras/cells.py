"""Keras's recurrent cells: their options, and their arrays in PyTorch's names and order.

Keras multiplies from the right, so that all matrices are transposed. Its LSTM has the gates i, f,
c, o, which is PyTorch's order, its GRU z, r, h. One bias is enough for LSTM, RNN and a GRU that
resets before the product; one that resets after has two, (2, 3 H).

The layers ``CuDNNLSTM`` and ``CuDNNGRU`` of Keras 2 have two biases in a row, 8 H and 6 H, and the
matrices of each gate as cuDNN wants them: that of the input transposed under its old shape, the
recurrent one transposed. ``LSTM`` and ``GRU`` layers read such files too, by the bias's shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...activations import Activation
from ...errors import FormatError
from ...spec import GATES
from ..gates import reordered_weight
from .activations import cell_activation
from .config import Layer
from .store import Array

KINDS: Final[Mapping[str, str]] = MappingProxyType({
    "SimpleRNN": "rnn", "SimpleRNNCell": "rnn",
    "GRU": "gru", "GRUCell": "gru", "CuDNNGRU": "gru",
    "LSTM": "lstm", "LSTMCell": "lstm", "CuDNNLSTM": "lstm",
})  # fmt: skip
_CUDNN: Final = ("CuDNNGRU", "CuDNNLSTM")
ORDER: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 1, 2, 3)}
)
"""For each gate in PyTorch's order, which block of Keras's it is; and the other way round."""


@dataclass(frozen=True)
class Cell:
    """What a cell is, but for its arrays."""

    where: str
    kind: str
    units: int
    bias: bool
    reset_after: bool
    activations: tuple[Activation, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of its arrays, in Keras's order."""
        return ("kernel", "recurrent_kernel", "bias")[: 2 + self.bias]

    @property
    def options(self) -> dict[str, Any]:
        """Of a Recurrent, but for the activations."""
        resets = {"reset_after": self.reset_after} if self.kind == "gru" else {}
        return {"cell": self.kind, "hidden_size": self.units, "bias": self.bias, **resets}


def cell_of(layer: Layer) -> Cell:
    """The cell of a recurrent layer, or a cell class by itself."""
    if layer.kind not in KINDS:
        raise layer.unsupported("expected one of the cells SimpleRNN, GRU and LSTM")
    if layer.option("time_major", bool, False):
        raise layer.unsupported("time_major=True is not supported")
    kind, cudnn = KINDS[layer.kind], layer.kind in _CUDNN
    own, gates = "tanh", "sigmoid"
    if not cudnn:
        own = layer.options.get("activation", own)
        if kind != "rnn" and layer.version < 3 and "recurrent_activation" not in layer.options:
            raise FormatError(
                f"{layer}: no recurrent_activation, of which Keras 2 had two defaults"
            )
        gates = layer.options.get("recurrent_activation", gates)
    f = cell_activation(f"{layer}: activation", own, layer.version)
    activations: tuple[Activation, ...] = (f,)
    if kind != "rnn":
        gate = cell_activation(f"{layer}: recurrent_activation", gates, layer.version)
        activations = (gate, f) if kind == "gru" else (gate, f, f)
    return Cell(
        where=str(layer),
        kind=kind,
        units=layer.option("units", int),
        bias=cudnn or layer.option("use_bias", bool, True),
        reset_after=kind == "gru"
        and (cudnn or layer.option("reset_after", bool, layer.version >= 3)),
        activations=activations,
    )


def convert(cell: Cell, arrays: Sequence[Array], ending: str = "") -> dict[str, Array]:
    """A Recurrent's arrays of one layer and direction."""
    kernel, recurrent, *biases = arrays
    gates, units, order = GATES[cell.kind], cell.units, ORDER[cell.kind]
    width = gates * units
    if kernel.ndim != 2 or kernel.shape[1] != width:
        raise FormatError(f"{cell.where}: kernel: expected (features, {width}), got {kernel.shape}")
    if recurrent.shape != (units, width):
        raise FormatError(
            f"{cell.where}: recurrent_kernel: expected ({units}, {width}), got {recurrent.shape}"
        )
    weights: dict[str, Array] = {}
    if cell.bias:
        (bias,) = biases
        cudnn = cell.kind != "rnn" and bias.shape == (2 * width,)
        if cudnn and cell.kind == "gru" and not cell.reset_after:
            raise FormatError(
                f"{cell.where}: bias: {bias.shape} is of a cuDNN layer, which resets after the "
                "product; reset_after=False does not"
            )
        if cudnn:
            kernel, recurrent = from_cudnn(kernel, recurrent, gates)
            bias = bias.reshape(2, width)
        two = cudnn or cell.reset_after
        expected = (2, width) if two else (width,)
        if bias.shape != expected:
            raise FormatError(f"{cell.where}: bias: expected {expected}, got {bias.shape}")
        first, second = bias if two else (bias, np.zeros_like(bias))
        weights[f"bias_ih_l0{ending}"] = reordered_weight(first, order)
        weights[f"bias_hh_l0{ending}"] = reordered_weight(second, order)
    weights[f"weight_ih_l0{ending}"] = reordered_weight(kernel.T, order)
    weights[f"weight_hh_l0{ending}"] = reordered_weight(recurrent.T, order)
    return weights


def from_cudnn(kernel: Array, recurrent: Array, gates: int) -> tuple[Array, Array]:
    """Both matrices in Keras's own layout."""
    parts = [part.T.reshape(part.shape, order="F") for part in np.split(kernel, gates, axis=1)]
    recurrent_parts = [part.T for part in np.split(recurrent, gates, axis=1)]
    return np.concatenate(parts, axis=1), np.concatenate(recurrent_parts, axis=1)
