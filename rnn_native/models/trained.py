"""What a trained model does: it predicts, and says how well."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import NotFittedError, OptionError, ShapeError
from ..model import Model
from ..spec import ModelSpec
from ..states import State
from ..train.checks import whole
from .architecture import with_activation
from .estimator import Estimator
from .fitting import EVALUATION_ROWS, evaluate
from .outputs import Output
from .parameters import Parameters
from .sequences import Sequences, as_inputs, as_sequences, as_targets


class Trained(Estimator):
    """What a model learnt, and what it is for; ``_set`` is told by ``fit`` and ``load``."""

    _kind: ClassVar[str]
    _fitted: Parameters | None = None
    _given: Parameters
    _head: Output

    def predict(self, X: ArrayLike, lengths: ArrayLike | None = None) -> NDArray[Any]:
        """softmax: the likeliest class; sigmoid: 0 or 1 for each feature; identity: the numbers.

        [batch, ...] where the model learnt a target for each sequence, [batch, time, ...] where it
        learnt one for each step; past a row's length these are 0, of classes ``unknown`` or the
        first.
        """
        self._learnt()
        given = self._run(X, lengths)
        predicted = self._head.named(self._head.predict(given))
        if self.per_step_ and lengths is not None:
            past = np.arange(given.shape[1]) >= np.asarray(lengths)[:, None]
            filler = np.asarray(self._head.filler)
            if filler.dtype.kind == "U":  # which a shorter class would cut
                predicted = predicted.astype(np.result_type(predicted, filler))
            predicted[past] = filler
        return predicted

    def predict_proba(self, X: ArrayLike, lengths: ArrayLike | None = None) -> NDArray[Any]:
        """The probability of each class or feature, [batch, output_dim] or with time as in
        ``predict``. ``OptionError`` for a model of numbers, which has none."""
        if self._learnt().output == "identity":
            raise OptionError("predict_proba: output='identity' has no probabilities")
        return self._run(X, lengths)

    def score(self, X: ArrayLike, y: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """The share of classes or features that are right; R^2 for ``output="identity"``.

        A class that training did not have is wrong. Warns where all classes of y are one.
        """
        learnt, head = self._learnt(), self._head
        data = as_targets(read_sequences(learnt, X, y, lengths), head, seen=False)
        if data.per_step != self.per_step_:
            raise ShapeError("y: expected as many axes as that of training")
        predicted, targets = head.predict(self._run(data.x, data.lengths)), data.y[data.counts]
        doubt = head.doubt(targets)
        if doubt is not None:
            warnings.warn(f"score: {doubt}", stacklevel=2)
        return head.score(predicted[data.counts], targets)

    def loss(self, X: ArrayLike, y: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """The loss that ``fit`` makes small, of any data: the mean over what counts."""
        learnt, head = self._learnt(), self._head
        data = as_targets(read_sequences(learnt, X, y, lengths), head)
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

    def _parameters(self) -> Parameters:
        """What the next ``fit`` is to use."""
        return Parameters.of(self.get_params())

    def _set(self, spec: ModelSpec, per_step: bool, given: Parameters, head: Output) -> None:
        self._given, self._head = given, head
        self._fitted = parameters = replace(given, output_dim=head.size)
        self.spec_ = spec
        self.model_ = Model(spec, batch_first=True, dtype=parameters.dtype)
        self.per_step_ = per_step
        self.n_features_in_ = parameters.input_dim
        if parameters.output == "softmax":
            self.classes_ = head.named(np.arange(head.size))
        else:
            vars(self).pop("classes_", None)  # of an earlier fit

    def _learnt(self) -> Parameters:
        """Those with which it was fitted, whatever ``set_params`` has changed since."""
        if self._fitted is None:
            raise NotFittedError(f"{type(self).__name__}: not trained yet; call fit or load first")
        return self._fitted


def read_sequences(parameters: Parameters, x: ArrayLike, y: ArrayLike, lengths: Any) -> Sequences:
    dtype, head = parameters.numpy_dtype, parameters.head
    return as_sequences(x, y, lengths, parameters.input_dim, head, dtype)
