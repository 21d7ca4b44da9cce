"""What a trained model does: it predicts, and says how well."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import OptionError, ShapeError
from ..model import Model
from ..spec import ModelSpec
from ..states import State
from ..train.checks import whole
from ..warn import warn
from .architecture import with_activation
from .estimator import Estimator
from .fitting import EVALUATION_ROWS, evaluate
from .inputs import Table, as_inputs, expect_steps
from .learning import Arrays, Result, read
from .optional import unless
from .options import Options
from .outputs import Output
from .parameters import Parameters
from .reading import Reading
from .saving import Saved
from .sequences import Batch, as_targets
from .strangers import not_fitted
from .weighting import with_sample_weight


def _no_probabilities(model: Trained) -> str | None:
    output = model.get_params()["output"] if model._fitted is None else model._fitted.output
    return "output='identity' has no probabilities" if output == "identity" else None


class Trained(Estimator):
    """What a model learnt, and what it is for; ``_set`` is told by ``fit`` and ``load``."""

    _kind: ClassVar[str]
    _fitted: Parameters | None = None
    _given: Parameters
    _options: dict[str, Any]
    _head: Output
    _is_flat: bool
    _table: Table
    _moments: Arrays | None = None
    _of_steps: Model

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
        return predicted[..., 0] if self._is_flat else predicted

    @unless(_no_probabilities)
    def predict_proba(self, X: ArrayLike, lengths: ArrayLike | None = None) -> NDArray[Any]:
        """The probability of each class or feature, [batch, output_dim] or with time as in
        ``predict``. ``OptionError`` for a model of numbers, which has none."""
        given = self._run(X, lengths)
        return given[..., 0] if self._is_flat else given

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        lengths: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """The share of classes or features that are right; R^2 for ``output="identity"``.

        Each counts as much as ``sample_weight`` says. A class that training did not have is
        wrong. Warns where all classes of y are one.
        """
        learnt, head = self._learnt(), self._head
        data = as_targets(read(learnt, self._table, X, y, lengths), head, seen=False)
        data = with_sample_weight(data, sample_weight)
        if data.per_step != self.per_step_:
            raise ShapeError("y: expected as many axes as that of training")
        counts = data.counts
        predicted, targets = head.predict(self._run(data.x, data.lengths))[counts], data.y[counts]
        weights = None if data.weights is None else data.weights[counts]
        doubt = head.doubt(targets)
        if doubt is not None:
            warn(f"score: {doubt}")
        return head.score(predicted, targets, weights)

    def loss(self, X: ArrayLike, y: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """The loss that ``fit`` makes small, of any data: the mean over what counts."""
        learnt, head = self._learnt(), self._head
        data = as_targets(read(learnt, self._table, X, y, lengths), head)
        reading = self._reading()
        layers = reading.for_use(reading.for_training(self.spec_), "identity")
        model = Model(layers, dtype=learnt.dtype)

        def run(batch: Batch) -> NDArray[Any]:
            return reading.logits(model(batch.x, lengths=batch.lengths)[0], batch.lengths)

        return evaluate(run, head, data)[0]

    def __call__(
        self, inputs: ArrayLike, hidden: State | None = None
    ) -> tuple[NDArray[Any], State]:
        """The article's call: outputs with their activation, and the hidden state after them.

        ``inputs`` [batch, input_dim], one step, or [batch, time, input_dim]; ``hidden`` what
        ``initialize_hidden_state`` or a call gave, None for zeros. ``OptionError`` for a model of
        two directions, whose second one knows no step before the last.
        """
        if self._learnt().bidirectional:
            raise OptionError("bidirectional: expected False for a call of steps; use predict")
        model = self._of_steps
        if np.ndim(inputs) != 2:
            return model(inputs, hidden)
        y, state = model(np.asarray(inputs)[:, None], hidden)
        return y[:, 0], state

    def initialize_hidden_state(self, batch: int = 1) -> State:
        """The zero state for so many rows: h [num_layers, batch, hidden_units], for the standard
        LSTM (h, c), for the article's GRU (h, z) and LSTM (h, c, i, f); with two directions twice
        as many layers."""
        batch = whole("batch", batch, 1)
        parameters = self._fitted or self._parameters().sized(None, None)
        layer = parameters.layers(self._kind).recurrents[0]
        shape, sizes = (layer.num_layers * layer.num_directions, batch), layer.state_sizes
        zeros = [np.zeros((*shape, size), parameters.numpy_dtype) for size in sizes]
        return zeros[0] if len(zeros) == 1 else tuple(zeros)

    def _run(self, X: ArrayLike, lengths: ArrayLike | None) -> NDArray[Any]:
        """Activated answers: of sequences, or of all steps."""
        learnt = self._learnt()
        x, steps, _ = as_inputs(X, lengths, learnt.input_dim, learnt.numpy_dtype, self._table)
        if not self.per_step_:
            expect_steps(steps, x.shape[1])
        reading, activation, parts = self._reading(), self._head.activation, []
        for first in range(0, max(len(x), 1), EVALUATION_ROWS):
            rows = slice(first, first + EVALUATION_ROWS)
            y, _ = self.model_(x[rows], lengths=steps[rows])
            parts.append(reading.answers(y, steps[rows], activation))
        return np.concatenate(parts)

    def _classifies(self) -> bool:
        return bool(self.get_params()["output"] == "softmax")

    def _is_learning_short(self) -> bool:
        """Whether there are too few updates for the hundred rows with which scikit-learn asks for
        a reasonable score: 10 epochs, the default, are a few dozen."""
        epochs = self.get_params()["epochs"]
        return not isinstance(epochs, Integral) or epochs < 30

    # What was learnt

    def _parameters(self) -> Parameters:
        """What the next ``fit`` is to use."""
        return Parameters.of(self.get_params())

    def _keep(self, result: Result, given: Parameters) -> None:
        """What a fit with these parameters left."""
        data = result.data
        self._set(result.spec, data.per_step, data.is_flat, data.table, given, result.head)
        self._moments = result.optimizer

    def _set(
        self,
        spec: ModelSpec,
        per_step: bool,
        is_flat: bool,
        table: Table,
        given: Parameters,
        head: Output,
    ) -> None:
        self._head, self._is_flat, self._table = head, is_flat, table
        self._given, self._options = given, Options.in_a_file(self.get_params())
        self._fitted = parameters = given.sized(spec.input_size, head.size)
        self._moments = None
        self.spec_, self.per_step_ = spec, per_step
        self.model_ = Model(spec, batch_first=True, dtype=parameters.dtype)
        self._of_steps = self.model_
        if parameters.pooling != "last":
            activated = with_activation(spec, head.activation)
            self._of_steps = Model(activated, batch_first=True, dtype=parameters.dtype)
        self.n_features_in_ = table.columns or spec.input_size
        if parameters.output == "softmax":
            self.classes_ = head.named(np.arange(head.size or 0))
        else:
            vars(self).pop("classes_", None)  # of an earlier fit

    def _saved(self) -> Saved:
        parameters = self._given.as_dict() | self._options
        columns = self._table.columns
        return Saved(parameters, self.per_step_, self._is_flat, columns, self._head.classes)

    def _reading(self) -> Reading:
        return self._learnt().reading(self._kind, self.per_step_)

    def _weights(self) -> ModelSpec:
        """The layers as they are trained."""
        return self._reading().for_training(self.spec_)

    def _learnt(self) -> Parameters:
        """Those with which it was fitted, whatever ``set_params`` has changed since."""
        if self._fitted is None:
            raise not_fitted(f"{type(self).__name__}: not trained yet; call fit or load first")
        return self._fitted
