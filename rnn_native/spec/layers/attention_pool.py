"""The mean of all steps of a row, weighted by the softmax of scores over these steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError
from ..keys import Key, size
from ..layer import Float64, Layer, Ran, State, Value
from ..window import form_of, paces_text


@dataclass(frozen=True)
class AttentionPool(Layer):
    """y = sum(w x), w = exp(s) / sum(exp(s)), over all steps of a row that count, [batch,
    features].

    It reads two values with steps, x [time, batch, features] and the scores s [time, batch,
    ``heads``]; of several heads each has its own of so many equal blocks of the features. What
    makes the scores are layers before: of additive attention a Linear, ``"tanh"``, and a Linear of
    one feature.

    Behind it there is no time. In a stream y is, after each step, what it is of the steps so far,
    and what that takes is its state: ``value`` [1, batch, features], ``top`` and ``total`` [1,
    batch, heads], where w = exp(s - top) / total and top is the largest score so far. Steps are
    added one by one, so that calls in pieces give the bits of one. Of no step at all, and where
    all scores are minus infinity, y is 0. Without weights.

    Examples
    --------
    >>> import numpy as np, rnn_native as rn
    >>> nodes = {"s": (rn.Linear(np.zeros((1, 2))), ("x",)), "y": (rn.AttentionPool(), ("x", "s"))}
    >>> model = rn.Model(rn.ModelSpec(nodes=nodes, inputs=("x",), outputs="y"))
    >>> model(np.array([[[1.0, 5.0]], [[3.0, 7.0]]]))[0].tolist()
    [[2.0, 6.0]]
    """

    heads: int = 1

    kind = "attention_pool"
    keys = (Key("heads", "natural", least=1),)
    arity = (2, 2)
    trains = False
    gives_steps = False
    input_size = None
    output_size = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads", size("AttentionPool heads", self.heads, 1))

    @property
    def needs_steps(self) -> bool:
        return True

    def last_of(self, name: str) -> str:
        return f"{name} makes one of all steps (AttentionPool)"

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("value", "top", "total")

    @property
    def state_rows(self) -> int:
        return 1

    def state_shapes(self, features: int) -> tuple[tuple[int, int], ...]:
        return ((1, features), (1, self.heads), (1, self.heads))

    def first_state(self, batch: int, features: int) -> State:
        top = np.full((1, batch, self.heads), -np.inf)
        return (np.zeros((1, batch, features)), top, np.zeros((1, batch, self.heads)))

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        if len(inputs) != 2:
            raise ShapeError(
                f"{where} (AttentionPool): expected two inputs, values and scores, got "
                f"{len(inputs)}"
            )
        x, scores = inputs
        super().outputs(where, name, [scores])
        made = super().outputs(where, name, [x])
        if scores.features != self.heads:
            raise ShapeError(
                f"{where} (AttentionPool): expected scores of {self.heads} features, a head each, "
                f"{scores.name} gives {scores.features}"
            )
        if x.features % self.heads:
            raise ShapeError(
                f"{where} (AttentionPool): heads: expected a divisor of {x.features} features, "
                f"got {self.heads}"
            )
        if form_of(x.paces) != form_of(scores.paces):
            raise ShapeError(
                f"{where} (AttentionPool): expected inputs of equal steps, {x.name} has "
                f"{paces_text(x.paces)}, {scores.name} {paces_text(scores.paces)}"
            )
        return made

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        x, scores = inputs
        value, before, total = (array[0] for array in state)
        there = np.where(valid[..., None], scores, -np.inf)
        top = np.max(np.concatenate([before[None], there]), axis=0)
        with np.errstate(invalid="ignore"):
            kept = np.where(np.isneginf(before), 0.0, np.exp(before - top))
            weights = np.where(np.isneginf(there), 0.0, np.exp(there - top))
        each = x.shape[-1] // self.heads
        terms = np.where(valid[..., None], x * np.repeat(weights, each, axis=-1), 0.0)
        value = value * np.repeat(kept, each, axis=-1) + np.sum(terms, axis=0)
        total = total * kept + np.sum(weights, axis=0)
        divisor = np.repeat(np.where(total == 0, 1.0, total), each, axis=-1)
        return Ran((value / divisor,), (value[None], top[None], total[None]))
