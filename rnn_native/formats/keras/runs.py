"""Runs of calls: layers of Keras one behind the other, each of which takes what the one before
gives and nobody else does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .config import Layer as KerasLayer
from .constants import with_constant
from .flow import Flow
from .graph import CONSTANT, Call, Tensor
from .layers import add
from .padding import settle
from .store import Store

Key = tuple[str, tuple[int, ...]]


def add_call(call: Call, store: Store, flow: Flow) -> None:
    """Appends what a layer is that is called with one value."""
    constant = call.arguments.get(CONSTANT)
    if constant is None:
        add(call.layer, store, flow)
    else:
        with_constant(call.layer, constant, flow)


@dataclass(eq=False)
class Run:
    """Layers one behind the other, with the names of Keras's, and what the first one reads."""

    flow: Flow
    reads: list[Value]
    names: list[str] = field(default_factory=list)
    model: tuple[str, ...] = ()
    last: KerasLayer | None = None

    def add(self, call: Call, store: Store) -> None:
        path = call.layer.path[:-1]
        if call.layer.path[: len(self.model)] != self.model and call.layer.version > 2:
            self.flow.mask_lost = f"the model {'/'.join(self.model)!r}"
        self.model = path
        add_call(call, store, self.flow)
        self.name(call.layer)
        self.last = call.layer

    def settle(self) -> None:
        """Makes the padding that no convolution made part of itself."""
        if self.last is not None:
            settle(self.last, self.flow)
            self.name(self.last)

    def name(self, layer: KerasLayer) -> None:
        """Says of the layers that are new whose they are."""
        self.names += [layer.name] * (len(self.flow.layers) - len(self.names))


@dataclass(frozen=True)
class Value:
    """What a run gives, or its last layer's last state; or an input of the model."""

    run: Run | None
    tensor: Tensor
    last: bool = False


def dtype_of(run: Run | None) -> np.dtype[Any]:
    """That of the arrays of the run, or of those before."""
    while run is not None:
        arrays = [a for layer in run.flow.layers for a in layer.arrays.values()]
        if arrays:
            return arrays[-1].dtype
        run = run.reads[0].run
    return np.dtype(np.float32)


def name_of(tensor: Tensor) -> str:
    """Of an input: that of a Sequential has none."""
    return tensor.layer or "x"


def key_of(tensor: Tensor) -> Key:
    return tensor.layer, tensor.call
