"""One ``fit``: from checked arguments and data to what is learnt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil
from typing import Any

from numpy.typing import ArrayLike, NDArray

from ..errors import OptionError, ShapeError
from ..spec import ModelSpec
from ..train import Network, initialize
from . import checkpoint as checkpoints
from .fitting import (
    INITIAL,
    Learnt,
    Plan,
    draw,
    fit,
    learnt_and_watched,
    make_schedule,
    sample_schedule,
)
from .inputs import Table
from .options import Options
from .outputs import Output
from .parameters import Parameters
from .progress import bars
from .sequences import Sequences, as_sequences, as_targets
from .weighting import class_factors, with_class_weight, with_sample_weight

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Start:
    """Where a fit begins that does not begin anew: at the weights of ``spec``; and, for
    ``partial_fit``, with an optimizer's state after so many epochs."""

    spec: ModelSpec
    head: Output
    table: Table
    per_step: bool
    optimizer: Arrays | None = None
    epochs: int = 0


@dataclass(frozen=True)
class Result:
    """What a fit leaves: the layers with the output's activation, and how they came about."""

    spec: ModelSpec
    head: Output
    data: Sequences
    learnt: Learnt
    optimizer: Arrays


def read(
    parameters: Parameters,
    table: Table,
    x: ArrayLike,
    y: ArrayLike | None,
    lengths: ArrayLike | None,
) -> Sequences:
    """X and y, checked."""
    head, dtype = parameters.head, parameters.numpy_dtype
    return as_sequences(x, y, lengths, parameters.input_dim, head, dtype, table)


def network(kind: str, parameters: Parameters, options: Options) -> Network:
    """With the initial weights of a seed."""
    net = Network(parameters.layers(kind), parameters.dtype, options.num_threads)
    seed = int(draw(options.seed, INITIAL).integers(2**63))
    initialize(net, seed, options.recurrent_init, options.forget_bias)
    return net


def learn(
    name: str,
    kind: str,
    parameters: Parameters,
    options: Options,
    data: tuple[Any, Any, Any],
    sample_weight: ArrayLike | None = None,
    validation: float | tuple[Any, ...] | None = None,
    checkpoint: checkpoints.PathLike | None = None,
    head: Output | None = None,
    start: Start | None = None,
) -> Result:
    """Train a network of class ``name`` on X, y and lengths; ``head`` where y does not tell it."""
    if validation is None:
        validation = options.validation_split
    if options.patience is not None and validation is None:
        raise OptionError("patience: expected validation with it, got None")
    if checkpoint is not None:
        checkpoints.check_folder(checkpoint)
    make_bar = bars(options.progress)

    given = read(parameters, Table(name) if start is None else start.table, *data)
    if start is not None and given.per_step != start.per_step:
        raise ShapeError("y: expected as many axes as that of the training before")
    if head is None:
        head = parameters.head
        if parameters.classes is None:
            head = head.learnt_from(given.y, given.counts, parameters.unknown)
    parameters = parameters.sized(given.x.shape[2], head.size)
    reading = parameters.reading(kind, given.per_step)
    training, watched = learnt_and_watched(
        with_sample_weight(as_targets(given, head), sample_weight),
        lambda *held: as_targets(read(parameters, given.table, *held), head),
        validation, options.seed,
    )  # fmt: skip
    updates = ceil(len(training) / options.batch_size)
    net = network(kind, parameters, options)
    if start is not None:
        _begin_at(net, start, head)
    optimizer = options.make_optimizer(net)
    if start is not None and start.optimizer is not None:
        optimizer.load_state_dict(start.optimizer)
    factor = make_schedule(options.schedule, options.epochs * updates)
    run = {
        "model": name,
        **{key: str(value) for key, value in parameters.as_dict().items()},
        "classes": head.classes,
        "data": _digest(training),
        "validation": None if watched is None else _digest(watched),
        "batch_size": options.batch_size,
        "seed": options.seed,
        "optimizer": optimizer.describe(),
        "learning_rate": options.learning_rate,
        "schedule": options.schedule
        if isinstance(options.schedule, str) and options.schedule == "constant"
        else sample_schedule(factor, options.epochs, updates),
        "max_norm": options.max_norm,
        "recurrent_init": options.recurrent_init,
        "forget_bias": options.forget_bias,
        "patience": options.patience,
    }
    factors = class_factors(training.y, options.class_weight, head)
    if factors is not None:
        run["class_weight"] = factors.tolist()
    if start is not None:
        run["start"] = checkpoints.digest(*net.weights.values())
    plan = Plan(
        options.epochs, options.batch_size, options.seed, options.learning_rate, factor,
        options.max_norm, parameters.dropout, options.patience, checkpoint,
        tuple(options.callbacks), 0 if start is None else start.epochs,
        json.loads(json.dumps(run)),
    )  # fmt: skip
    weighted = with_class_weight(training, options.class_weight, head)
    learnt = fit(net, reading, head, optimizer, weighted, watched, plan, make_bar)
    spec = reading.for_use(net.spec, head.activation)
    return Result(spec, head, given, learnt, optimizer.state_dict())


def _begin_at(net: Network, start: Start, head: Output) -> None:
    """``OptionError`` where what was learnt before does not fit this network."""
    before = Network(start.spec, net.dtype).weights
    shapes = {name: array.shape for name, array in before.items()}
    if shapes != {name: array.shape for name, array in net.weights.items()}:
        raise OptionError(
            "warm_start: expected the sizes and cell of the fit before, got other ones; fit anew "
            "with warm_start=False"
        )
    if head.classes != start.head.classes:
        raise OptionError(
            f"warm_start: expected the classes of the fit before, {start.head.classes}; "
            f"got {head.classes}"
        )
    for name, array in net.weights.items():
        array[...] = before[name]
    net.update()


def _digest(data: Sequences) -> str:
    weights = () if data.weights is None else (data.weights,)
    return checkpoints.digest(data.x, data.lengths, data.y, *weights)
