"""Where a sequence's own target is answered: which of a network's outputs, of many steps, it is.

``"last"``: at the last valid step. Of two directions each at its own last one, which for the
reverse direction is step 0: what h was there goes through the Linear.

``"mean"``, ``"max"``: of the outputs of all valid steps before their activation, each feature by
itself.

Targets of steps are answered at their steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..activations import FUNCTIONS
from ..errors import OptionError
from ..spec import ModelSpec
from ..states import State
from ..train import Network
from .architecture import with_activation

Array = NDArray[Any]

POOLINGS: Final = ("last", "mean", "max")


class Learning(NamedTuple):
    """What a reading makes of a network's outputs y [time, rows, features] and its state: the
    answers, and ``back``, which makes of their gradient those of y, of the state, and what the
    weights' gradients have besides."""

    answers: Array
    back: Callable[[Array], tuple[Array, State | None, dict[str, Array]]]


class Reading:
    """At every step, of which those count that a target says: the outputs as they are."""

    is_pooled = False

    def for_use(self, spec: ModelSpec, activation: str) -> ModelSpec:
        """The layers that predict, of those that are trained."""
        return with_activation(spec, activation)

    def for_training(self, spec: ModelSpec) -> ModelSpec:
        """The layers that are trained, of those that predict."""
        return with_activation(spec, "identity")

    def learning(self, net: Network, y: Array, state: State, lengths: Array) -> Learning:
        return Learning(y, lambda dy: (dy, None, {}))

    def logits(self, y: Array, lengths: Array) -> Array:
        """Answers without activation of what the layers for use give, time first."""
        return y

    def answers(self, y: Array, lengths: Array, activation: str) -> Array:
        """Activated answers of what the layers for use give, batch first."""
        return y


class AtLast(Reading):
    """The outputs as they are; of a call, those of the last valid step."""

    def answers(self, y: Array, lengths: Array, activation: str) -> Array:
        return np.asarray(y[np.arange(len(y)), lengths - 1])


class AtLastOfBoth(Reading):
    """The layers for use give a last state alone, and have the Linear behind it."""

    is_pooled = True

    def for_use(self, spec: ModelSpec, activation: str) -> ModelSpec:
        return _returning(with_activation(spec, activation), False)

    def for_training(self, spec: ModelSpec) -> ModelSpec:
        return with_activation(_returning(spec, True), "identity")

    def learning(self, net: Network, y: Array, state: State, lengths: Array) -> Learning:
        h = state[0] if isinstance(state, tuple) else state  # [layers * 2, rows, units]
        both = np.concatenate([h[-2], h[-1]], axis=1)
        weight, bias = net.weights["1.weight"], net.weights["1.bias"]
        wide = both.astype(np.float64)
        # Sums of einsum have one order, on any number of threads; those of a BLAS may not.
        answers = (np.einsum("bh,oh->bo", wide, weight.astype(np.float64)) + bias).astype(y.dtype)

        def back(d: Array) -> tuple[Array, State, dict[str, Array]]:
            d = d.astype(np.float64)
            dh = np.zeros_like(h)
            dh[-2:] = np.stack(np.split(np.einsum("bo,oh->bh", d, weight), 2, axis=1))
            dstate = (dh, *map(np.zeros_like, state[1:])) if isinstance(state, tuple) else dh
            of_linear = {"1.weight": np.einsum("bo,bh->oh", d, wide), "1.bias": d.sum(axis=0)}
            return np.zeros_like(y), dstate, of_linear

        return Learning(answers, back)


class Pooled(Reading):
    """The layers for use give outputs without activation; each feature is pooled over steps."""

    is_pooled = True

    def for_use(self, spec: ModelSpec, activation: str) -> ModelSpec:
        return with_activation(spec, "identity")

    def learning(self, net: Network, y: Array, state: State, lengths: Array) -> Learning:
        return Learning(self.logits(y, lengths), lambda d: (self._spread(y, lengths, d), None, {}))

    def answers(self, y: Array, lengths: Array, activation: str) -> Array:
        logits = self.logits(np.swapaxes(y, 0, 1), lengths)
        return FUNCTIONS[activation](logits.astype(np.float64)).astype(y.dtype)

    def _spread(self, y: Array, lengths: Array, d: Array) -> Array:
        """The gradient of y of that of the answers."""
        raise NotImplementedError


class Mean(Pooled):
    def logits(self, y: Array, lengths: Array) -> Array:
        # A running sum has one order, however many steps of padding follow.
        sums = np.cumsum(y, axis=0, dtype=np.float64)[lengths - 1, np.arange(y.shape[1])]
        return np.asarray((sums / lengths[:, None]).astype(y.dtype))

    def _spread(self, y: Array, lengths: Array, d: Array) -> Array:
        valid = np.arange(len(y))[:, None] < lengths
        return np.where(valid[:, :, None], d / lengths[:, None], 0).astype(y.dtype)


class Max(Pooled):
    def logits(self, y: Array, lengths: Array) -> Array:
        return np.asarray(np.take_along_axis(y, self._where(y, lengths), axis=0)[0])

    def _spread(self, y: Array, lengths: Array, d: Array) -> Array:
        dy = np.zeros_like(y)
        np.put_along_axis(dy, self._where(y, lengths), d[None].astype(y.dtype), axis=0)
        return dy

    def _where(self, y: Array, lengths: Array) -> Array:
        valid = np.arange(len(y))[:, None] < lengths
        return np.asarray(np.where(valid[:, :, None], y, -np.inf).argmax(axis=0)[None])


def make_reading(pooling: str, bidirectional: bool, per_step: bool, has_linear: bool) -> Reading:
    """``OptionError`` where a pooling does not exist or has nothing to do."""
    if pooling not in POOLINGS:
        raise OptionError(f"pooling: expected one of {', '.join(POOLINGS)}; got {pooling!r}")
    if per_step:
        if pooling != "last":
            raise OptionError(
                f"pooling: expected 'last' where y has a target for each step, got {pooling!r}"
            )
        return Reading()
    if pooling != "last":
        return Mean() if pooling == "mean" else Max()
    if not bidirectional:
        return AtLast()
    if not has_linear:
        raise OptionError(
            "pooling: expected 'mean' or 'max' for the article's RNN in two directions, whose "
            "output layer gives no last output of both"
        )
    return AtLastOfBoth()


def _returning(spec: ModelSpec, sequences: bool) -> ModelSpec:
    _, *others = spec.layers
    (first,) = spec.recurrents
    return ModelSpec((replace(first, return_sequences=sequences), *others))
