"""RNNModel, GRUModel and LSTMModel: a recurrent network that learns from sequences."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any, Self

from numpy.typing import ArrayLike, DTypeLike

from ..errors import FormatError, OptionError
from ..formats.metadata import to_metadata
from ..train import Network, initialize
from ..train.checks import above_zero, finite, positive, whole
from ..train.optimizers import OPTIMIZERS, Optimizer
from ..train.schedules import Schedule
from . import checkpoint as checkpoints
from . import saving
from .architecture import with_activation
from .fitting import (
    INITIAL,
    Plan,
    draw,
    fit,
    learnt_and_watched,
    make_schedule,
    sample_schedule,
)
from .parameters import Parameters
from .progress import bars
from .sequences import Sequences, as_targets
from .trained import Trained, read_sequences


class SequenceModel(Trained):
    """What the three models have in common.

    Parameters
    ----------
    input_dim, hidden_units, output_dim
        Features of a step, of the hidden state, and of the output.
    cell
        ``"standard"`` or ``"article"``, see :mod:`rnn_native.models.architecture`.
    num_layers
        Recurrent layers, each reading the one below.
    output
        ``"softmax"``: one of output_dim classes, learnt by cross-entropy. ``"sigmoid"``:
        output_dim yes-or-no features, by binary cross-entropy. ``"identity"``: output_dim numbers,
        by mean squared error.
    dropout
        The share of a layer's outputs that training hides from the next one; 0 to less than 1.
    dtype
        ``"float32"`` or ``"float64"``.
    unknown
        The class of targets that nobody knows, which count neither in training nor in a score;
        None: there is none.

    After ``fit``: ``spec_``, the layers and weights; ``model_``, the :class:`rnn_native.Model` that
    predicts, batch first; ``history_``, a dict of lists with a value for each epoch: ``loss``
    (of the training batches, as they came), ``grad_norm`` (mean, before clipping),
    ``learning_rate``, ``seconds``, and with validation ``val_loss`` and ``val_score``;
    ``best_epoch_``, the index of the lowest ``val_loss`` (``loss`` without validation);
    ``per_step_``, whether it learnt a target for each step or for each sequence;
    ``n_features_in_``; for softmax ``classes_``, which are 0 to output_dim - 1 where all labels are
    such integers, and otherwise all labels of the training data, sorted.
    """

    def __init__(
        self,
        input_dim: int = 100,
        hidden_units: int = 128,
        output_dim: int = 10,
        cell: str = "standard",
        num_layers: int = 1,
        output: str = "softmax",
        dropout: float = 0.0,
        dtype: DTypeLike = "float32",
        unknown: Any = None,
    ) -> None:
        self.input_dim = input_dim
        self.hidden_units = hidden_units
        self.output_dim = output_dim
        self.cell = cell
        self.num_layers = num_layers
        self.output = output
        self.dropout = dropout
        self.dtype = dtype
        self.unknown = unknown

    # Learning

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        lengths: ArrayLike | None = None,
        validation: float | tuple[Any, ...] | None = None,
        epochs: int = 10,
        batch_size: int = 32,
        seed: int = 0,
        optimizer: str | Callable[..., Optimizer] = "adam",
        learning_rate: float = 1e-3,
        schedule: str | Schedule = "constant",
        max_norm: float | None = 1.0,
        recurrent_init: str = "uniform",
        forget_bias: float | None = None,
        patience: int | None = None,
        checkpoint: checkpoints.PathLike | None = None,
        progress: bool = False,
        num_threads: int | None = None,
    ) -> Self:
        """Learn from sequences, beginning anew.

        Parameters
        ----------
        X
            [batch, time, input_dim]; rows padded on the right where they are shorter.
        y
            softmax: classes, which are integers, booleans, strings or whole floats, [batch], one
            for each sequence (its last valid step answers for it), or [batch, time], one for each
            step. Otherwise [batch, output_dim] or [batch, time, output_dim].
        lengths
            Steps of each row that count, [batch]; None: all. At least 1 where a sequence has one
            target.
        validation
            ``(X, y)`` or ``(X, y, lengths)`` to watch, or the share of rows to take from the
            training data for that (chosen by ``seed``).
        epochs, batch_size
            How often all sequences are seen, and how many make one update.
        seed
            Of the initial weights, the order of sequences, dropout and the split: the same seed
            gives the same bits with any number of threads.
        optimizer
            ``"adam"``, ``"sgd"``, or a callable that makes one: ``partial(SGD, momentum=0.9)``,
            called with the network and ``learning_rate=``.
        learning_rate, schedule
            The rate, times ``"constant"``, ``"cosine"`` (from 1 to 0 over all updates) or a
            function of the update's number (:mod:`rnn_native.train.schedules`), each value of
            which is checked when its update is due.
        max_norm
            Gradients of a larger norm are scaled down to it; None: never.
        recurrent_init, forget_bias
            As in :func:`rnn_native.train.initialize`.
        patience
            Ends after so many epochs in a row without a lower validation loss, and keeps the
            weights of the best epoch; needs ``validation``. None: runs to the end, keeps the last.
        checkpoint
            A file written after each epoch. Where it is there already, ``fit`` goes on from it and
            gives the same bits as if it had never stopped; ``OptionError`` where it is of another
            fit. Only ``epochs`` may differ, and be higher, where the schedule is constant.
        progress
            Shows a bar; needs tqdm (``rnn_native[train]``).
        num_threads
            As of :class:`rnn_native.train.Network`.

        Raises
        ------
        ShapeError, DTypeError, OptionError
            With what was expected, before anything is learnt.
        DivergenceError
            A loss or a gradient is no longer finite.
        """
        given = self._parameters()
        epochs, batch_size = whole("epochs", epochs, 1), whole("batch_size", batch_size, 1)
        seed, learning_rate = whole("seed", seed, 0), positive("learning_rate", learning_rate)
        max_norm = None if max_norm is None else above_zero("max_norm", max_norm)
        forget_bias = None if forget_bias is None else finite("forget_bias", forget_bias)
        if patience is not None:
            patience = whole("patience", patience, 1)
            if validation is None:
                raise OptionError("patience: expected validation with it, got None")
        if checkpoint is not None:
            checkpoints.check_folder(checkpoint)
        make_bar = bars(progress)

        read = partial(read_sequences, given)
        data = read(X, y, lengths)
        head = given.head.learnt_from(data.y, data.counts, given.unknown)
        parameters = replace(given, output_dim=head.size)
        training, watched = learnt_and_watched(
            as_targets(data, head), lambda *data: as_targets(read(*data), head),
            validation, seed,
        )  # fmt: skip
        updates = ceil(len(training) / batch_size)
        net = self._network(parameters, seed, recurrent_init, forget_bias, num_threads)
        make = OPTIMIZERS.get(optimizer) if isinstance(optimizer, str) else optimizer
        if make is None:
            raise OptionError(f"optimizer: expected adam, sgd or a callable, got {optimizer!r}")
        built = make(net, learning_rate=learning_rate)
        factor = make_schedule(schedule, epochs * updates)
        run = {
            "model": type(self).__name__,
            **{name: str(value) for name, value in parameters.as_dict().items()},
            "classes": head.classes,
            "data": _digest(training),
            "validation": None if watched is None else _digest(watched),
            "batch_size": batch_size,
            "seed": seed,
            "optimizer": built.describe(),
            "learning_rate": learning_rate,
            "schedule": schedule
            if schedule == "constant"
            else sample_schedule(factor, epochs, updates),
            "max_norm": max_norm,
            "recurrent_init": recurrent_init,
            "forget_bias": forget_bias,
            "patience": patience,
        }
        plan = Plan(
            epochs, batch_size, seed, learning_rate, factor, max_norm, parameters.dropout,
            patience, checkpoint, json.loads(json.dumps(run)),
        )  # fmt: skip
        learnt = fit(net, head, built, training, watched, plan, make_bar)
        spec = with_activation(net.spec, head.activation)
        self._set(spec, training.per_step, given, head)
        self.history_ = learnt.history
        self.best_epoch_ = learnt.best_epoch
        return self

    def initial_network(
        self,
        seed: int = 0,
        recurrent_init: str = "uniform",
        forget_bias: float | None = None,
        num_threads: int | None = None,
    ) -> Network:
        """The network with which a ``fit`` with these arguments begins; without the output's
        activation, which the loss has."""
        parameters = self._parameters()
        return self._network(parameters, seed, recurrent_init, forget_bias, num_threads)

    def _network(
        self, parameters: Parameters, seed: int, recurrent_init: str, forget_bias: float | None,
        num_threads: int | None,
    ) -> Network:  # fmt: skip
        seed = whole("seed", seed, 0)
        net = Network(parameters.layers(self._kind), parameters.dtype, num_threads)
        initialize(net, int(draw(seed, INITIAL).integers(2**63)), recurrent_init, forget_bias)
        return net

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a .safetensors file, which ``rn.load`` and the C library read too."""
        self._learnt()
        saving.write(
            path, self.spec_, type(self).__name__, self._given.as_dict(), self.per_step_,
            self._head.classes,
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote; without ``history_``. ``FormatError`` where it is another
        class's or no such file."""
        spec, parameters, per_step, classes = saving.read(path, cls.__name__)
        try:
            model = cls(**parameters)
            given = model._parameters()
            head = given.head
            if classes is not None:
                head = head.with_classes(classes, given.unknown)
            layers = replace(given, output_dim=head.size).layers(cls._kind)
            expected = with_activation(layers, head.activation)
        except (TypeError, ValueError) as error:
            raise FormatError(f"{os.fspath(path)}: wrong parameters: {error}") from error
        if to_metadata(spec) != to_metadata(expected):
            raise FormatError(f"{os.fspath(path)}: its layers are not those of its parameters")
        model._set(spec, per_step, given, head)
        return model

    def _classifies(self) -> bool:
        return self.output == "softmax"


class RNNModel(SequenceModel):
    """The traditional recurrent network: tanh, or with ``cell="article"`` the article's sigmoid
    network, whose output layer sees the input too."""

    _kind = "rnn"


class GRUModel(SequenceModel):
    """The gated recurrent unit: PyTorch's, or with ``cell="article"`` the article's."""

    _kind = "gru"


class LSTMModel(SequenceModel):
    """The long short-term memory: PyTorch's, or with ``cell="article"`` the article's."""

    _kind = "lstm"


def _digest(data: Sequences) -> str:
    return checkpoints.digest(data.x, data.lengths, data.y)
