"""Predictor: a model as a function of batches, which any engine can send to its workers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from numpy.typing import DTypeLike

from .. import _core
from ..errors import OptionError, UnsupportedError
from ..model import Model
from ..read_options import ReadOptions
from .columns import check_same_lengths, fixed, lengths_of, sequences
from .cpu_share import cpu_share
from .running import Given, Run, Wanted
from .signature import Signature
from .sources import Ready, ready, source_of
from .tables import Batch, batch_of

Names = str | Mapping[str, str]


class LoadOptions(ReadOptions, total=False):
    """What ``rn.load`` takes besides, but for ``num_threads``."""

    format: str | None
    batch_first: bool | None
    dtype: DTypeLike | None
    matmul: str
    verify: bool
    weight_dtype: DTypeLike | None
    compute: str | None
    keep: Sequence[str] | None
    shared: bool | str | os.PathLike[str]


class Predictor:
    """A model as a callable from batch to batch, made where a job is described and called in its
    workers.

    Making one loads nothing, and a pickled one holds the path or the bytes of a file. The first
    call in a process loads the model; later ones, of other copies and in other threads too, have
    the same. One Predictor may be called by any number of threads at once.

    ::

        predictor = rn.batch.Predictor("model.safetensors", inputs="features", outputs="y")
        predictor({"id": [7, 8], "features": [a, b]})      # a [20, 40], b [7, 40]
        # {"id": [7, 8], "y": array([y of a [20, n], y of b [7, n]], dtype=object)}

    Parameters
    ----------
    model
        The path of a file, made absolute, that every worker can read; or an ``rn.Model``, whose
        bytes are sent to them.
    inputs
        Which column is what input: a name, of a model with one, or a dict by the inputs' names.
        None: the columns are called as the inputs are (``model.inputs``).
    outputs
        Which outputs are wanted, and their columns: a name, or a dict by the outputs' names. None:
        all, as they are called.
    lengths
        A column of integers: how many steps of each sequence count. What lies behind is not
        looked at.
    last
        Of outputs with a step for every one of the input only that at the last, [features].
    keep_columns
        Which of the other columns the result has, in front: True, all that are no inputs; False,
        none; or names, of inputs too.
    initial_state, final_state
        Columns of the state before the first step, of every array of it, and behind the last one,
        by the arrays' names: ``{"h": "h_0"}``, of several layers ``{"0.h": ...}``, as
        ``rnn-native run --state-out`` calls them. In a row [layers * directions, size].
    num_threads
        How many threads a call may use. None: the Model's own or, without, :func:`cpu_share`.
    options
        Of ``rn.load``, for a path.

    Raises ``OptionError`` for options that contradict each other; what a file is needed for is
    checked by the first call.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Model | Any,
        inputs: Names | None = None,
        outputs: Names | None = None,
        *,
        lengths: str | None = None,
        last: bool = False,
        keep_columns: bool | Sequence[str] = True,
        initial_state: Mapping[str, str] | None = None,
        final_state: Mapping[str, str] | None = None,
        num_threads: int | None = None,
        **options: Unpack[LoadOptions],
    ) -> None:
        _core.as_num_threads(num_threads)
        if not isinstance(last, bool):
            raise OptionError(f"last: expected True or False, got {last!r}")
        own = getattr(getattr(model, "model", model), "num_threads", None)
        self._num_threads = own if num_threads is None else num_threads
        self._source = source_of(model, options)
        self._inputs, self._outputs = _names("inputs", inputs), _names("outputs", outputs)
        self._lengths, self._last = lengths, last
        self._keep = keep_columns if isinstance(keep_columns, bool) else tuple(keep_columns)
        self._initial, self._final = dict(initial_state or {}), dict(final_state or {})
        self._ready: Ready | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_ready": None}

    def __repr__(self) -> str:
        return f"Predictor({self._source.path or 'a model of its own'!r})"

    @property
    def model(self) -> Model:
        """The model, loaded where it is not yet."""
        return self._loaded().model

    def _loaded(self) -> Ready:
        if self._ready is None:
            self._ready = ready(self._source)
        return self._ready

    def __call__(self, batch: Any) -> Any:
        """Run the sequences of a batch; the result is a batch of the same kind and order.

        Parameters
        ----------
        batch
            A dict of columns, a ``pandas.DataFrame``, a ``pyarrow.Table`` or ``RecordBatch``.
            A column of sequences has in each row [steps, features], of indices [steps], or the
            numbers one after another: as an array [rows, steps, features], an object array or a
            list of arrays, of any steps, or lists of pyarrow's. One of an input without time has
            [features].

        Returns
        -------
        The columns that are kept, and one for each output. In a dict: an object array of arrays
        [steps, features], an array [rows, steps, features] where the sequences came as one, 0 past
        their lengths; and [rows, features] of what has no time. In the others: lists of pyarrow's,
        of lists where there are steps. A row has the bits that the model gives it alone. Without
        rows the columns are there, of the same types.

        Raises
        ------
        OptionError
            A column is not there, or would be there twice; a name that the model has not.
        ShapeError, DTypeError
            A column or a row has the wrong shape or type, or none: it is named.
        UnsupportedError
            A state of a model with strides.
        """
        loaded = self._loaded()
        columns = batch_of(batch)
        signature = loaded.signature
        inputs = _chosen("inputs", self._inputs, tuple(signature.inputs), all_of_them=True)
        outputs = _chosen("outputs", self._outputs, tuple(signature.outputs))
        self._check_states(signature)
        given = self._given(columns, signature, inputs)
        threads = cpu_share() if self._num_threads is None else self._num_threads
        kept = self._kept(columns, [*inputs.values(), *self._extra])
        _check_unique([*kept, *outputs.values(), *self._final.values()])
        run = Run(loaded, given, Wanted(tuple(outputs), tuple(self._final), self._last), threads)
        ys, states = run.results()
        new = {column: ys[name] for name, column in outputs.items()}
        new |= {column: states[name] for name, column in self._final.items()}
        return columns.result(kept, new)

    @property
    def _extra(self) -> list[str]:
        """The columns beside those of inputs that are read."""
        return [*self._initial.values(), *([] if self._lengths is None else [self._lengths])]

    def _given(self, columns: Batch, signature: Signature, inputs: Mapping[str, str]) -> Given:
        for name in (*inputs.values(), *self._extra):
            if name not in columns.names:
                raise OptionError(
                    f"batch: expected a column {name!r}; got {', '.join(map(repr, columns.names))}"
                )
        lengths = None
        if self._lengths is not None:
            lengths = lengths_of(self._lengths, columns.column(self._lengths))
        timed, static = [], {}
        for name, one in signature.inputs.items():
            column = inputs[name]
            values = columns.column(column)
            if one.time:
                timed.append((name, sequences(column, values, one, lengths)))
            else:
                static[name] = fixed(column, values, () if one.indices else (one.features,))
        check_same_lengths([each for _, each in timed])
        state = {
            name: fixed(self._initial[name], columns.column(self._initial[name]), shape)
            for name, shape in signature.states.items()
            if self._initial
        }
        return Given(timed, static, state, lengths is not None)

    def _check_states(self, signature: Signature) -> None:
        have = ", ".join(map(repr, signature.states)) or "none"
        if self._initial and set(self._initial) != set(signature.states):
            came = ", ".join(map(repr, self._initial))
            raise OptionError(f"initial_state: expected columns for {have}; got {came}")
        if (self._initial or self._final) and signature.is_paced:
            raise UnsupportedError(
                "initial_state, final_state: this model has strides, whose rows go on at steps of "
                "their own; give whole sequences, or model(x, state) one row"
            )
        for name in self._final:
            if name not in signature.states:
                raise OptionError(f"final_state: the model's state has {have}; got {name!r}")

    def _kept(self, columns: Batch, read: Sequence[str]) -> list[str]:
        if isinstance(self._keep, bool):
            return [name for name in columns.names if self._keep and name not in read]
        for name in self._keep:
            if name not in columns.names:
                raise OptionError(
                    f"keep_columns: expected some of {', '.join(map(repr, columns.names))}; "
                    f"got {name!r}"
                )
        return list(self._keep)


def _names(option: str, given: Names | None) -> Names | None:
    if given is None or isinstance(given, str):
        return given
    if not isinstance(given, Mapping):
        raise OptionError(f"{option}: expected a column's name, or a dict; got {given!r}")
    return dict(given)


def _chosen(
    option: str, given: Names | None, known: Sequence[str], all_of_them: bool = False
) -> Mapping[str, str]:
    """Columns by the names of inputs or outputs."""
    names = ", ".join(map(repr, known))
    if given is None:
        return {name: name for name in known}
    if isinstance(given, str):
        if len(known) > 1:
            raise OptionError(f"{option}: expected a dict of columns for {names}; got {given!r}")
        return {known[0]: given}
    wrong = [name for name in given if name not in known]
    missing = [name for name in known if name not in given] if all_of_them else []
    if wrong or missing or not given:
        came = ", ".join(map(repr, given)) or "none"
        raise OptionError(f"{option}: the model has {names}; got columns for {came}")
    return given


def _check_unique(columns: Sequence[str]) -> None:
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise OptionError(
            f"result: the column {min(twice)!r} would be there twice: outputs=, final_state= and "
            "keep_columns= say what there is"
        )
