"""Layers as far as they are read: what comes later in a graph may still belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

    def finish(self) -> Linear:
        return Linear(self.weight, self.bias, self.activation)


@dataclass(frozen=True, eq=False)
class SumDraft:
    """Two values added: an RNN's output layer where they are products of what it gives and takes,
    else an Add; with a bias and an activation."""

    bias: Anything | None = None
    activation: str = "identity"


@dataclass(frozen=True, eq=False)
class ExpandDraft:
    """A value without time along an axis that has to turn out to be the time."""

    axis: Any


Draft = Layer | LinearDraft | SumDraft | ExpandDraft


def is_product(draft: Draft | None) -> bool:
    """Whether it is a matrix and nothing else."""
    return isinstance(draft, LinearDraft) and draft.bias is None and draft.activation == "identity"


def with_output_layer(
    stack: Sequence[Recurrent], of_h: Anything, of_x: Anything, rest: SumDraft
) -> Recurrent:
    """RNNs and their output layer as one Recurrent, which adds what ``of_h`` makes of the last of
    ``stack`` and ``of_x`` of what the first takes; where only some have a bias, the others have one
    of 0."""
    first = stack[0]
    biased = rest.bias is not None or any(layer.bias for layer in stack)
    weights: dict[str, Any] = {}
    dtype = of_h.dtype
    for level, layer in enumerate(stack):
        for suffix in layer.suffixes if biased else ():
            for name in ("bias_ih", "bias_hh"):
                weights[f"{name}_l{level}{suffix}"] = np.zeros(layer.hidden_size, dtype)
        weights |= {n.replace("_l0", f"_l{level}", 1): a for n, a in layer.weights.items()}
    weights |= {"weight_ho": of_h, "weight_xo": of_x}
    if biased:
        zero = np.zeros(len(of_h), dtype)
        weights["bias_o"] = zero if rest.bias is None else rest.bias
    options = first.options | {
        "bias": biased,
        "num_layers": len(stack),
        "output_layer": len(of_h),
        "output_nonlinearity": rest.activation,
    }
    return Recurrent(weights=weights, initial_state=initial_of(stack), **options)


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
