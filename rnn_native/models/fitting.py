"""The training loop: epochs of shuffled batches, what is recorded of them, when it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..activations import FUNCTIONS
from ..errors import DivergenceError, OptionError, ShapeError
from ..spec import ModelSpec
from ..train import Network, clip_grad_norm, grad_norm
from ..train.checks import not_negative
from ..train.optimizers import Optimizer
from ..train.schedules import Schedule, constant, cosine
from . import checkpoint as checkpoints
from .checkpoint import Checkpoint
from .outputs import Output
from .progress import Bar
from .reading import Reading
from .sequences import Batch, Sequences

INITIAL, SHUFFLE, DROPOUT, SPLIT = range(4)
"""What a seed is used for; each purpose draws numbers of its own."""

EVALUATION_ROWS: Final = 256
"""Rows at once where nothing is learnt: bounds the memory, changes no result."""


@dataclass(frozen=True)
class Plan:
    """What a fit is to do; ``run`` are the facts by which its checkpoint is recognised."""

    epochs: int
    batch_size: int
    seed: int
    learning_rate: float
    schedule: Schedule
    max_norm: float | None
    dropout: float
    patience: int | None
    checkpoint: checkpoints.PathLike | None
    callbacks: tuple[Callback, ...] = ()
    done: int = 0
    """Epochs of the same training before this fit: ``partial_fit`` has one for each call."""
    run: dict[str, Any] = field(default_factory=dict)

    def rate(self, update: int) -> float:
        """``OptionError`` where the schedule gives no factor: it would undo what was learnt."""
        factor: object = self.schedule(update)
        if isinstance(factor, np.ndarray) and factor.ndim == 0:  # of np.where and the like
            factor = factor.item()
        return self.learning_rate * not_negative(f"schedule: update {update}", factor)


@dataclass(frozen=True)
class Epoch:
    """What a callback is told when an epoch is over."""

    number: int
    """From 0."""
    epochs: int
    """How many there are to be."""
    history: Mapping[str, Sequence[float]]
    """A value for each epoch so far, as in the model's ``history_``."""
    _net: Network

    @property
    def spec(self) -> ModelSpec:
        """The layers with the weights as they are, without the output's activation."""
        return self._net.spec


Callback = Callable[[Epoch], Any]


@dataclass
class Learnt:
    """What a fit leaves, beside the network's weights."""

    history: dict[str, list[float]]
    best_epoch: int


def draw(seed: int, *purpose: int) -> np.random.Generator:
    """The generator for one purpose of a seed: it depends on nothing drawn before."""
    return np.random.default_rng([seed, *purpose])


def learnt_and_watched(
    training: Sequences,
    check: Callable[[ArrayLike, ArrayLike, ArrayLike | None], Sequences],
    validation: float | tuple[Any, ...] | None,
    seed: int,
) -> tuple[Sequences, Sequences | None]:
    """The data of ``fit``: to learn from, and to watch, which ``check`` reads."""
    if validation is None:
        return training, None
    if isinstance(validation, (int, float, np.integer, np.floating)):
        validation = float(validation)
        count = round(validation * len(training))
        if not (0 < validation < 1 and 0 < count < len(training)):
            raise OptionError(
                f"validation: expected a share that leaves rows on both sides of "
                f"{len(training)}, got {validation!r}"
            )
        order = draw(seed, SPLIT).permutation(len(training))
        return training.rows(np.sort(order[count:])), training.rows(np.sort(order[:count]))
    if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
        raise OptionError("validation: expected a share, (X, y) or (X, y, lengths)")
    watched = check(validation[0], validation[1], validation[2] if validation[2:] else None)
    if watched.per_step != training.per_step:
        raise ShapeError("validation: expected its y to have as many axes as that of training")
    return training, watched


def make_schedule(schedule: str | Schedule, total: int) -> Schedule:
    """What ``fit`` calls a schedule as a function; ``total`` updates in all."""
    if callable(schedule):
        return schedule
    if schedule == "constant":
        return constant()
    if schedule == "cosine":
        return cosine(total)
    raise OptionError(f"schedule: expected constant, cosine or a function; got {schedule!r}")


def sample_schedule(schedule: Schedule, epochs: int, updates: int) -> list[float]:
    """Tells schedules apart in a file: the factor at the beginning of each epoch."""
    return [float(schedule(epoch * updates)) for epoch in range(epochs)]


def fit(
    net: Network,
    reading: Reading,
    output: Output,
    optimizer: Optimizer,
    training: Sequences,
    validation: Sequences | None,
    plan: Plan,
    bar: Callable[[int, int], Bar],
) -> Learnt:
    """Train ``net`` in place, from its present weights or from the plan's checkpoint.

    With ``patience`` it ends with the weights of the best epoch, otherwise of the last.
    Raises ``DivergenceError`` where a loss is no longer finite.
    """
    state = _State(net, optimizer, plan)
    with bar(plan.epochs, state.epoch) as progress:
        while state.epoch < plan.epochs and not state.is_over():
            began = perf_counter()
            state.record("learning_rate", plan.rate(optimizer.steps))
            order = draw(plan.seed, SHUFFLE, plan.done + state.epoch).permutation(len(training))
            losses = [
                _update(net, reading, output, optimizer, batch, plan)
                for batch in training.batches(plan.batch_size, order)
            ]
            state.record("loss", _mean(losses))
            state.record("grad_norm", float(np.mean([norm for _, _, norm in losses])))
            state.record("seconds", perf_counter() - began)
            if validation is not None:
                loss, score = evaluate(partial(_answers, net, reading), output, validation)
                _check(loss, f"the validation of epoch {state.epoch}")
                state.record("val_loss", loss)
                state.record("val_score", score)
            state.finish_epoch()
            progress.advance(state.history)
    if plan.patience is not None:
        state.take_best()
    return Learnt(state.history, state.best_epoch)


def evaluate(
    run: Callable[[Batch], NDArray[Any]], output: Output, data: Sequences
) -> tuple[float, float]:
    """The loss and the score of data; ``run`` gives the outputs of a batch, not activated yet, at
    every step, or those that answer for whole sequences, [rows, features]."""
    losses, predicted, targets, weighing = [], [], [], []
    for batch in data.batches(EVALUATION_ROWS):
        y = run(batch)
        wanted, counts, weights = batch.targets(y.ndim == 2)
        loss, _ = output.loss(y, wanted, mask=counts, weights=weights)
        losses.append((loss, batch.total))
        predicted.append(output.predict(_activate(output, y[counts])))
        targets.append(wanted[counts])
        if weights is not None:
            weighing.append(weights[counts])
    weighed = None if data.weights is None else np.concatenate(weighing)
    score = output.score(np.concatenate(predicted), np.concatenate(targets), weighed)
    return _mean(losses), score


def _activate(output: Output, y: NDArray[Any]) -> NDArray[Any]:
    """The output's activation of what a network in training gives."""
    return FUNCTIONS[output.activation](y.astype(np.float64))


def _answers(net: Network, reading: Reading, batch: Batch) -> NDArray[Any]:
    """Not activated, of a network in training."""
    y, state, _ = net.forward(batch.x, lengths=batch.lengths)
    return reading.learning(net, y, state, batch.lengths).answers


def _update(
    net: Network, reading: Reading, output: Output, optimizer: Optimizer, batch: Batch, plan: Plan
) -> tuple[float, float, float]:
    """One step of the optimizer: the loss before it, of how many places, the gradient's norm."""
    number = optimizer.steps
    seed = int(draw(plan.seed, DROPOUT, number).integers(2**63)) if plan.dropout else None
    y, state, tape = net.forward(batch.x, lengths=batch.lengths, dropout=plan.dropout, seed=seed)
    answers, back = reading.learning(net, y, state, batch.lengths)
    wanted, counts, weights = batch.targets(reading.is_pooled)
    loss, d = output.loss(answers, wanted, mask=counts, weights=weights)
    dy, dstate, besides = back(d)
    gradients = net.backward(tape, dy, dstate).weights
    for name, more in besides.items():
        gradients[name] += more.astype(net.dtype)
    if plan.max_norm is None:
        norm = grad_norm(gradients)
    else:
        norm = clip_grad_norm(gradients, plan.max_norm)
    _check(loss, f"update {number}")
    _check(norm, f"update {number}, in its gradient's norm")
    optimizer.learning_rate = plan.rate(number)
    optimizer.step(gradients)
    return loss, batch.total, norm


def _check(value: float, where: str) -> None:
    if not isfinite(value):
        raise DivergenceError(
            f"fit: {value} at {where}; a lower learning_rate or max_norm may help"
        )


def _mean(losses: list[Any]) -> float:
    """The mean over all places that count, of the means of batches."""
    counts = sum(count for _, count, *_ in losses)
    total: float = sum(loss * count for loss, count, *_ in losses)
    return total / counts if counts else 0.0


class _State:
    """Where a fit stands, between its epochs; from a checkpoint where there is one."""

    def __init__(self, net: Network, optimizer: Optimizer, plan: Plan) -> None:
        self._net, self._optimizer, self._plan = net, optimizer, plan
        self.history: dict[str, list[float]] = {}
        self.best_epoch, self._is_stopped = 0, False
        self._best: checkpoints.Arrays = {}
        saved = None if plan.checkpoint is None else checkpoints.load(plan.checkpoint, plan.run)
        if saved is not None:
            self.history, self.best_epoch, self._best = saved.history, saved.best_epoch, saved.best
            self._is_stopped = saved.is_stopped
            optimizer.load_state_dict({**saved.optimizer, "steps": saved.updates})
            self._put_back(saved.weights)
            if self.epoch > plan.epochs:
                raise OptionError(
                    f"epochs: expected at least the {self.epoch} that the checkpoint has, "
                    f"got {plan.epochs}"
                )

    @property
    def epoch(self) -> int:
        """How many are finished."""
        return len(self.history.get("seconds", ()))

    def record(self, name: str, value: float) -> None:
        self.history.setdefault(name, []).append(value)

    def finish_epoch(self) -> None:
        losses = self.history.get("val_loss", self.history["loss"])
        if min(losses) == losses[-1] and losses.count(losses[-1]) == 1:
            self.best_epoch = len(losses) - 1
            if self._plan.patience is not None:
                self._best = {name: array.copy() for name, array in self._net.weights.items()}
        if self._plan.callbacks:
            history = {name: tuple(values) for name, values in self.history.items()}
            epoch = Epoch(self._plan.done + self.epoch - 1, self._plan.epochs, history, self._net)
            told = [callback(epoch) for callback in self._plan.callbacks]
            self._is_stopped = any(value is True for value in told)
        if self._plan.checkpoint is not None:
            state = self._optimizer.state_dict()
            del state["steps"]
            Checkpoint(
                self._plan.run, self.history, self._optimizer.steps, self.best_epoch,
                dict(self._net.weights), state, self._best, self._is_stopped,
            ).save(self._plan.checkpoint)  # fmt: skip

    def is_over(self) -> bool:
        """Before all epochs are done: by patience, or as a callback said."""
        patience = self._plan.patience
        waited = patience is not None and self.epoch - 1 - self.best_epoch >= patience
        return waited or self._is_stopped

    def take_best(self) -> None:
        if self._best:
            self._put_back(self._best)

    def _put_back(self, weights: checkpoints.Arrays) -> None:
        if weights.keys() != self._net.weights.keys():
            raise OptionError("checkpoint: its weights are another network's")
        for name, array in self._net.weights.items():
            array[...] = weights[name]
        self._net.update()
