"""RNNModel, GRUModel and LSTMModel: a recurrent network that learns from sequences."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..errors import FormatError, OptionError
from ..formats.metadata import to_metadata
from ..train import Network
from ..train.optimizers import Optimizer
from ..train.schedules import Schedule
from . import learning, saving
from .checkpoint import PathLike
from .fitting import Callback
from .generation import generate
from .inputs import Table
from .label_lists import sorted_labels
from .options import OWN, Options, Own
from .trained import Trained
from .weighting import ClassWeight


@dataclass(eq=False, repr=False)
class SequenceModel(Trained):
    """What the three models have in common.

    Parameters
    ----------
    input_dim, output_dim
        Features of a step, and of the output; None: those of the data that ``fit`` is given, and
        100 and 10 for a network that is asked for before.
    hidden_units
        Features of the hidden state.
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
    classes
        All classes there are to be, where the training data may lack some; None: those of y.
    unknown
        The class of targets that nobody knows, which count neither in training nor in a score;
        None: there is none.
    bidirectional
        Whether a second stack reads each sequence from its end.
    pooling
        Where a sequence's own target is answered: ``"last"``, at its last valid step, of two
        directions each at its own; ``"mean"`` or ``"max"``, of all steps' outputs before their
        activation: :mod:`rnn_native.models.reading`.
    learning_rate, epochs, batch_size, optimizer, schedule, max_norm, recurrent_init, forget_bias, \
seed, validation_split, patience, class_weight, callbacks, progress, num_threads
        What ``fit`` does, see there; what it is given itself comes first.
    warm_start
        Whether ``fit`` goes on from what was learnt before, with a new optimizer.

    After ``fit``: ``spec_``, the layers and weights; ``model_``, the :class:`rnn_native.Model` that
    predicts, batch first; ``history_``, a dict of lists with a value for each epoch: ``loss``
    (of the training batches, as they came), ``grad_norm`` (mean, before clipping),
    ``learning_rate``, ``seconds``, and with validation ``val_loss`` and ``val_score``;
    ``best_epoch_``, the index of the lowest ``val_loss`` (``loss`` without validation);
    ``per_step_``, whether it learnt a target for each step or for each sequence;
    ``n_features_in_``; for softmax ``classes_``, which are all labels of the training data, sorted,
    but 0 to output_dim - 1 where output_dim is given and all labels are such integers.
    """

    input_dim: int | None = None
    hidden_units: int = 128
    output_dim: int | None = None
    cell: str = "standard"
    num_layers: int = 1
    output: str = "softmax"
    dropout: float = 0.0
    dtype: DTypeLike = "float32"
    _: KW_ONLY
    classes: Sequence[Any] | None = None
    unknown: Any = None
    bidirectional: bool = False
    pooling: str = "last"
    learning_rate: float = 1e-3
    epochs: int = 10
    batch_size: int = 32
    optimizer: str | Callable[..., Optimizer] = "adam"
    schedule: str | Schedule = "constant"
    max_norm: float | None = 1.0
    recurrent_init: str = "uniform"
    forget_bias: float | None = None
    seed: int = 0
    validation_split: float | None = None
    patience: int | None = None
    class_weight: ClassWeight = None
    warm_start: bool = False
    callbacks: Sequence[Callback] | None = None
    progress: bool | str = False
    num_threads: int | None = None

    # Learning

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
        validation: float | tuple[Any, ...] | None = None,
        checkpoint: PathLike | None = None,
        epochs: int | Own = OWN,
        batch_size: int | Own = OWN,
        seed: int | Own = OWN,
        optimizer: str | Callable[..., Optimizer] | Own = OWN,
        learning_rate: float | Own = OWN,
        schedule: str | Schedule | Own = OWN,
        max_norm: float | Own | None = OWN,
        recurrent_init: str | Own = OWN,
        forget_bias: float | Own | None = OWN,
        patience: int | Own | None = OWN,
        validation_split: float | Own | None = OWN,
        class_weight: ClassWeight | Own = OWN,
        callbacks: Sequence[Callback] | Own | None = OWN,
        progress: bool | str | Own = OWN,
        num_threads: int | Own | None = OWN,
    ) -> Self:
        """Learn from sequences, beginning anew unless ``warm_start`` is set.

        Every argument that the constructor has too is the constructor's, unless it is given here.

        Parameters
        ----------
        X
            [batch, time, input_dim], rows padded on the right where they are shorter; [batch,
            time] of one feature; or a list of arrays [time, input_dim] of different lengths.
        y
            softmax: classes, which are integers, booleans, strings or whole floats, [batch], one
            for each sequence (its last valid step answers for it), or [batch, time], one for each
            step. Otherwise [batch, output_dim] or [batch, time, output_dim]; [batch] of one
            feature, and with output_dim=1 [batch, time].
        sample_weight
            How much a sequence counts, [batch], or a step of it, [batch, time]; None: all 1.
        lengths
            Steps of each row that count, [batch]; None: all. At least 1 where a sequence has one
            target.
        validation
            ``(X, y)`` or ``(X, y, lengths)`` to watch, or as ``validation_split``.
        validation_split
            The share of rows to take from the training data to watch, chosen by ``seed``.
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
            weights of the best epoch; needs validation. None: runs to the end, keeps the last.
        class_weight
            How much a target of a class counts in training, by its label; ``"balanced"``: all
            classes the same in sum. None: all 1.
        callbacks
            Functions called with a :class:`rnn_native.models.fitting.Epoch` after each; where one
            returns True, that was the last.
        checkpoint
            A file written after each epoch. Where it is there already, ``fit`` goes on from it and
            gives the same bits as if it had never stopped; ``OptionError`` where it is of another
            fit. Only ``epochs`` may differ, and be higher, where the schedule is constant.
        progress
            True shows a bar where tqdm is installed (``rnn_native[train]``) and a line for each
            epoch where it is not; ``"lines"`` shows lines.
        num_threads
            As of :class:`rnn_native.train.Network`.

        Raises
        ------
        ShapeError, DTypeError, OptionError
            With what was expected, before anything is learnt.
        DivergenceError
            A loss or a gradient is no longer finite.
        """
        said = {
            "epochs": epochs, "batch_size": batch_size, "seed": seed, "optimizer": optimizer,
            "learning_rate": learning_rate, "schedule": schedule, "max_norm": max_norm,
            "recurrent_init": recurrent_init, "forget_bias": forget_bias, "patience": patience,
            "validation_split": validation_split, "class_weight": class_weight,
            "callbacks": callbacks, "progress": progress, "num_threads": num_threads,
        }  # fmt: skip
        said = {name: value for name, value in said.items() if value is not OWN}
        given, options = self._parameters(), Options.of(self.get_params() | said)
        start = None
        if options.warm_start and self._fitted is not None:
            table = Table(type(self).__name__)
            start = learning.Start(self._weights(), self._head, table, self.per_step_)
        result = learning.learn(
            type(self).__name__, self._kind, given, options, (X, y, lengths),
            sample_weight, validation, checkpoint, start=start,
        )  # fmt: skip
        self._keep(result, given)
        self.history_ = result.learnt.history
        self.best_epoch_ = result.learnt.best_epoch
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
    ) -> Self:
        """One epoch over these sequences, going on from what was learnt before.

        So many calls with the same data give the bits of one ``fit`` of so many epochs; its
        arguments are the constructor's. ``history_`` grows by a value each time.

        Parameters
        ----------
        X, y, sample_weight, lengths
            As in ``fit``.
        classes
            Of a softmax, all that there are to be: needed in the first call where y has not all.

        Raises
        ------
        OptionError
            Options that need to see all epochs: ``validation_split``, ``patience`` and a cosine.
        """
        options = Options.of(self.get_params() | {"epochs": 1})
        for name, none in (("validation_split", None), ("patience", None)):
            if getattr(options, name) != none:
                raise OptionError(f"{name}: expected {none} with partial_fit, which sees one epoch")
        if isinstance(options.schedule, str) and options.schedule != "constant":
            raise OptionError("schedule: expected constant or a function with partial_fit")
        start, given, before = None, self._parameters(), {}
        head = None if classes is None else replace(given, classes=sorted_labels(classes)).head
        if self._fitted is not None:
            if head is not None and head.classes != self._head.classes:
                raise OptionError(
                    f"classes: expected those of the first call, {self._head.classes}, or None; "
                    f"got {head.classes}"
                )
            given, head = self._given, self._head
            before = vars(self).get("history_", {})  # not of a file
            done = len(before.get("loss", ()))
            start = learning.Start(
                self._weights(), head, self._table, self.per_step_, self._moments, done
            )
        result = learning.learn(
            type(self).__name__, self._kind, given, options, (X, y, lengths), sample_weight,
            head=head, start=start,
        )  # fmt: skip
        self._keep(result, given)
        history = result.learnt.history
        self.history_ = {name: [*before.get(name, []), *history[name]] for name in history}
        self.best_epoch_ = int(np.argmin(self.history_["loss"]))
        return self

    def initial_network(
        self,
        seed: int | Own = OWN,
        recurrent_init: str | Own = OWN,
        forget_bias: float | Own | None = OWN,
        num_threads: int | Own | None = OWN,
    ) -> Network:
        """The network with which a ``fit`` with these arguments begins; without the output's
        activation, which the loss has."""
        said = {
            "seed": seed, "recurrent_init": recurrent_init, "forget_bias": forget_bias,
            "num_threads": num_threads,
        }  # fmt: skip
        said = {name: value for name, value in said.items() if value is not OWN}
        parameters = self._parameters().sized(None, None)
        return learning.network(self._kind, parameters, Options.of(self.get_params() | said))

    def generate(
        self, prompt: Any, steps: int, *, temperature: float | None = None, seed: int = 0
    ) -> Any:
        """Go on from a prompt, each step's output being the next step's input.

        Of a model whose target at each step was the next one: :func:`rnn_native.models.next_step`
        makes those.

        Parameters
        ----------
        prompt
            Labels: a string of characters, [time] or [batch, time]. Numbers and yes-or-no
            features: [time, features] or [batch, time, features]; of one feature [time] or
            [batch, time].
        steps
            How many to make.
        temperature
            Of classes and features, which are drawn with probabilities p^(1/temperature), scaled
            to sum to 1: 1, which None is, as the model has them; 0: the likeliest. Numbers are not
            drawn.
        seed
            Of what is drawn. A row is the same in any batch in which it has the same place.

        Returns
        -------
        What follows the prompt, without it, in its form: a string, [steps], [batch, steps], ...

        Raises
        ------
        OptionError
            The model's outputs are no inputs of it, or it does not read step by step.
        ShapeError
            The prompt has another shape, or labels that training did not have.
        """
        learnt = self._learnt()
        if not self.per_step_ or learnt.bidirectional:
            raise OptionError("generate: expected a model of one direction with targets of steps")
        if learnt.input_dim != learnt.output_dim:
            raise OptionError(
                f"generate: expected as many features in as out, got {learnt.input_dim} and "
                f"{learnt.output_dim}; of labels, the classes that next_step gives are to be the "
                "constructor's classes="
            )
        return generate(self.model_, self._head, prompt, steps, temperature, seed)

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a .safetensors file, which ``rn.load`` and the C library read too.

        It holds the constructor's arguments, but no functions. ``FormatError`` for another suffix:
        ``model_.save`` writes the layers alone in any format."""
        self._learnt()
        saving.write(path, self.spec_, type(self).__name__, self._saved())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote; without ``history_``. ``FormatError`` where it is another
        class's or no such file."""
        spec, saved = saving.read(path, cls.__name__)
        try:
            model = cls(**saved.parameters)
            given = model._parameters()
            head = given.head if given.output_dim else type(given.head)(spec.output_size)
            if saved.classes is not None:
                head = head.with_classes(saved.classes, given.unknown)
            layers = given.sized(spec.input_size, head.size).layers(cls._kind)
            reading = given.reading(cls._kind, saved.per_step)
            expected = reading.for_use(layers, head.activation)
            table = Table(cls.__name__, saved.checked_columns(spec, head))
        except (TypeError, ValueError) as error:
            raise FormatError(f"{os.fspath(path)}: wrong parameters: {error}") from error
        if to_metadata(spec) != to_metadata(expected):
            raise FormatError(f"{os.fspath(path)}: its layers are not those of its parameters")
        model._set(spec, saved.per_step, saved.is_flat, table, given, head)
        return model


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
