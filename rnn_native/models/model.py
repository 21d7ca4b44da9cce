"""RNNModel, GRUModel and LSTMModel: a recurrent network that learns from sequences."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..errors import FormatError, NotFittedError, OptionError, ShapeError
from ..formats.metadata import to_metadata
from ..model import Model
from ..spec import ModelSpec
from ..states import State
from ..train import Network, initialize
from ..train.checks import above_zero, finite, positive, whole
from ..train.optimizers import OPTIMIZERS, Optimizer
from ..train.schedules import Schedule
from . import checkpoint as checkpoints
from . import saving
from .architecture import with_activation
from .estimator import Estimator
from .fitting import (
    EVALUATION_ROWS,
    INITIAL,
    Plan,
    draw,
    evaluate,
    fit,
    learnt_and_watched,
    make_schedule,
    sample_schedule,
)
from .parameters import Parameters
from .progress import bars
from .sequences import Sequences, as_inputs, as_sequences


class SequenceModel(Estimator):
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

    After ``fit``: ``spec_``, the layers and weights; ``model_``, the :class:`rnn_native.Model` that
    predicts, batch first; ``history_``, a dict of lists with a value for each epoch: ``loss``
    (of the training batches, as they came), ``grad_norm`` (mean, before clipping),
    ``learning_rate``, ``seconds``, and with validation ``val_loss`` and ``val_score``;
    ``best_epoch_``, the index of the lowest ``val_loss`` (``loss`` without validation);
    ``per_step_``, whether it learnt a target for each step or for each sequence;
    ``n_features_in_``; for softmax ``classes_``.
    """

    _kind: ClassVar[str]
    _fitted: Parameters | None = None

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
    ) -> None:
        self.input_dim = input_dim
        self.hidden_units = hidden_units
        self.output_dim = output_dim
        self.cell = cell
        self.num_layers = num_layers
        self.output = output
        self.dropout = dropout
        self.dtype = dtype

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
            softmax: classes as integers, [batch], one for each sequence (its last valid step
            answers for it), or [batch, time], one for each step; -1 where it is unknown. Otherwise
            [batch, output_dim] or [batch, time, output_dim].
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
        parameters = self._parameters()
        head, dtype = parameters.head, parameters.numpy_dtype
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

        check = partial(as_sequences, features=parameters.input_dim, output=head, dtype=dtype)
        training, watched = learnt_and_watched(check, X, y, lengths, validation, seed)
        updates = ceil(len(training) / batch_size)
        net = self.initial_network(seed, recurrent_init, forget_bias, num_threads)
        make = OPTIMIZERS.get(optimizer) if isinstance(optimizer, str) else optimizer
        if make is None:
            raise OptionError(f"optimizer: expected adam, sgd or a callable, got {optimizer!r}")
        built = make(net, learning_rate=learning_rate)
        factor = make_schedule(schedule, epochs * updates)
        run = {
            "model": type(self).__name__,
            **{name: str(value) for name, value in parameters.as_dict().items()},
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
        self._set(with_activation(net.spec, head.activation), training.per_step, parameters)
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
        seed, parameters = whole("seed", seed, 0), self._parameters()
        net = Network(parameters.layers(self._kind), parameters.dtype, num_threads)
        initialize(net, int(draw(seed, INITIAL).integers(2**63)), recurrent_init, forget_bias)
        return net

    # Predicting

    def predict(self, X: ArrayLike, lengths: ArrayLike | None = None) -> NDArray[Any]:
        """softmax: the likeliest class; sigmoid: 0 or 1 for each feature; identity: the numbers.

        [batch, ...] where the model learnt a target for each sequence, [batch, time, ...] where it
        learnt one for each step; past a row's length these are 0.
        """
        given = self._run(X, lengths)
        predicted = self._learnt().head.predict(given)
        if self.per_step_ and lengths is not None:
            predicted[np.arange(given.shape[1]) >= np.asarray(lengths)[:, None]] = 0
        return predicted

    def predict_proba(self, X: ArrayLike, lengths: ArrayLike | None = None) -> NDArray[Any]:
        """The probability of each class or feature, [batch, output_dim] or with time as in
        ``predict``. ``OptionError`` for a model of numbers, which has none."""
        if self._learnt().output == "identity":
            raise OptionError("predict_proba: output='identity' has no probabilities")
        return self._run(X, lengths)

    def score(self, X: ArrayLike, y: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """The share of classes or features that are right; R^2 for ``output="identity"``."""
        learnt = self._learnt()
        head = learnt.head
        data = as_sequences(X, y, lengths, learnt.input_dim, head, learnt.numpy_dtype)
        if data.per_step != self.per_step_:
            raise ShapeError("y: expected as many axes as that of training")
        predicted = head.predict(self._run(data.x, data.lengths))
        if not data.per_step:
            return head.score(predicted, data.y)
        counts = np.arange(data.x.shape[1]) < data.lengths[:, None]
        return head.score(predicted[counts], data.y[counts])

    def loss(self, X: ArrayLike, y: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """The loss that ``fit`` makes small, of any data: the mean over what counts."""
        learnt = self._learnt()
        head = learnt.head
        data = as_sequences(X, y, lengths, learnt.input_dim, head, learnt.numpy_dtype)
        model = Model(with_activation(self.spec_, "identity"), dtype=learnt.dtype)
        return evaluate(lambda batch: model(batch.x, lengths=batch.lengths)[0], head, data)[0]

    def __call__(
        self, inputs: ArrayLike, hidden: State | None = None
    ) -> tuple[NDArray[Any], State]:
        """The article's call: outputs with their activation, and the hidden state after them.

        ``inputs`` [batch, input_dim], one step, or [batch, time, input_dim]; ``hidden`` what
        ``initialize_hidden_state`` or a call gave, None for zeros.
        """
        self._learnt()
        model = self.model_
        if np.ndim(inputs) != 2:
            return model(inputs, hidden)
        y, state = model(np.asarray(inputs)[:, None], hidden)
        return y[:, 0], state

    def initialize_hidden_state(self, batch: int = 1) -> State:
        """The zero state for so many rows: h [num_layers, batch, hidden_units], for the standard
        LSTM (h, c), for the article's GRU (h, z) and LSTM (h, c, i, f)."""
        batch = whole("batch", batch, 1)
        parameters = self._fitted or self._parameters()
        shape = parameters.num_layers, batch
        sizes = parameters.layers(self._kind).recurrents[0].state_sizes
        zeros = [np.zeros((*shape, size), parameters.numpy_dtype) for size in sizes]
        return zeros[0] if len(zeros) == 1 else tuple(zeros)

    def _run(self, X: ArrayLike, lengths: ArrayLike | None) -> NDArray[Any]:
        """Activated outputs: of the last valid step, or of all."""
        learnt = self._learnt()
        least = 0 if self.per_step_ else 1
        x, steps = as_inputs(X, lengths, learnt.input_dim, learnt.numpy_dtype, least)
        parts = []
        for first in range(0, max(len(x), 1), EVALUATION_ROWS):
            rows = slice(first, first + EVALUATION_ROWS)
            y, _ = self.model_(x[rows], lengths=steps[rows])
            parts.append(y if self.per_step_ else y[np.arange(len(y)), steps[rows] - 1])
        return np.concatenate(parts)

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a .safetensors file, which ``rn.load`` and the C library read too."""
        parameters = self._learnt().as_dict()
        saving.write(path, self.spec_, type(self).__name__, parameters, self.per_step_)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote; without ``history_``. ``FormatError`` where it is another
        class's or no such file."""
        spec, parameters, per_step = saving.read(path, cls.__name__)
        try:
            model = cls(**parameters)
            checked = model._parameters()
            expected = with_activation(checked.layers(cls._kind), checked.head.activation)
        except (TypeError, ValueError) as error:
            raise FormatError(f"{os.fspath(path)}: wrong parameters: {error}") from error
        if to_metadata(spec) != to_metadata(expected):
            raise FormatError(f"{os.fspath(path)}: its layers are not those of its parameters")
        model._set(spec, per_step, checked)
        return model

    # What was learnt

    def _classifies(self) -> bool:
        return self.output == "softmax"

    def _parameters(self) -> Parameters:
        """What the next ``fit`` is to use."""
        return Parameters.of(self.get_params())

    def _set(self, spec: ModelSpec, per_step: bool, parameters: Parameters) -> None:
        self._fitted = parameters
        self.spec_ = spec
        self.model_ = Model(spec, batch_first=True, dtype=parameters.dtype)
        self.per_step_ = per_step
        self.n_features_in_ = parameters.input_dim
        if parameters.output == "softmax":
            self.classes_ = np.arange(parameters.output_dim)
        else:
            vars(self).pop("classes_", None)  # of an earlier fit

    def _learnt(self) -> Parameters:
        """Those with which it was fitted, whatever ``set_params`` has changed since."""
        if self._fitted is None:
            raise NotFittedError(f"{type(self).__name__}: not trained yet; call fit or load first")
        return self._fitted


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
