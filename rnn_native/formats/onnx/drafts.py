"""Layers as far as they are read: what comes later in a graph may still belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...spec import Layer, Linear, Recurrent
from ...spec.layers.initial_state import array_name
from .tensors import Anything


@dataclass(frozen=True, eq=False)
class LinearDraft:
    """A Linear that a bias and an activation may still be added to."""

    weight: Anything
    bias: Anything | None = None
    activation: str = "identity"

    @property
    def recurrents(self) -> tuple[Recurrent, ...]:
        return ()

    def finish(self) -> Layer:
        return Linear(self.weight, self.bias, self.activation)


@dataclass(frozen=True, eq=False)
class OutputDraft(LinearDraft):
    """An RNN's output layer, of the last of ``stack`` by ``weight`` and, by ``weight_xo``, of what
    the first of them takes."""

    stack: tuple[Recurrent, ...] = ()
    weight_xo: Anything | None = None

    @property
    def recurrents(self) -> tuple[Recurrent, ...]:
        return self.stack

    def finish(self) -> Layer:
        """One Recurrent; where only some of its layers have a bias, the others have one of 0."""
        first = self.stack[0]
        biased = self.bias is not None or any(layer.bias for layer in self.stack)
        weights: dict[str, Any] = {}
        dtype = self.weight.dtype
        for level, layer in enumerate(self.stack):
            for suffix in layer.suffixes if biased else ():
                for name in ("bias_ih", "bias_hh"):
                    weights[f"{name}_l{level}{suffix}"] = np.zeros(layer.hidden_size, dtype)
            weights |= {n.replace("_l0", f"_l{level}", 1): a for n, a in layer.weights.items()}
        weights |= {"weight_ho": self.weight, "weight_xo": self.weight_xo}
        if biased:
            zero = np.zeros(len(self.weight), dtype)
            weights["bias_o"] = zero if self.bias is None else self.bias
        options = first.options | {
            "bias": biased,
            "num_layers": len(self.stack),
            "output_layer": len(self.weight),
            "output_nonlinearity": self.activation,
        }
        initial = initial_of(self.stack)
        return Recurrent(weights=weights, initial_state=initial, **options)


@dataclass(frozen=True, eq=False)
class Last:
    """A Recurrent of which only the last state goes on."""

    layer: Recurrent

    @property
    def recurrents(self) -> tuple[Recurrent, ...]:
        return (self.layer,)

    def finish(self) -> Layer:
        return replace(self.layer, return_sequences=False)


Draft = Layer | LinearDraft | Last


def initial_of(stack: Sequence[Recurrent]) -> dict[str, Anything] | None:
    """The initial state of layers with the same options as one; None for zeros."""
    if all(layer.initial_state is None for layer in stack):
        return None
    first = stack[0]
    zeros = {
        name: np.zeros((first.state_rows, size), np.float32)
        for name, size in zip(first.state_names, first.state_sizes, strict=True)
    }
    return {
        name: np.concatenate([layer.arrays.get(array_name(name), zero) for layer in stack])
        for name, zero in zeros.items()
    }


def finish(draft: Draft) -> Layer:
    """The layer that it is now that all of the graph is read."""
    return draft.finish() if isinstance(draft, (LinearDraft, Last)) else draft
