"""One run: one cell learns one task from one seed; its record is a file that is not made twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from .. import __version__, _core
from ..errors import DivergenceError
from ..formats.files import replacing
from ..models.architecture import with_activation
from ..models.model import SequenceModel
from ..models.outputs import make_output
from ..train import Network
from .contenders import Contender
from .gradients import last_steps, norms_by_lag
from .task import Data, Splits, Task

Record = dict[str, Any]


def run(
    task: Task,
    contender: Contender,
    seed: int,
    folder: Path,
    load: Callable[[Task], Splits],
    num_threads: int | None,
    scale: str,
) -> Record:
    """Train, test and look at gradients; or read the record of a run that was finished before.

    A run that was killed goes on from its last epoch. ``load`` gives the task's data at this
    ``scale``. What is recorded holds for its settings alone: times are those of so many threads,
    and bits those of one instruction set.
    """
    units = contender.hidden_units(task.budget, task.input_dim, task.output_dim)
    settings = {
        "task": task.name,
        "cell": contender.name,
        "seed": seed,
        "hidden_units": units,
        "learning": asdict(task.learning),
        "scale": scale,
        "threads": _core.get_num_threads() if num_threads is None else num_threads,
        "isa": _core.isa(),
        "version": __version__,
    }
    name = f"{task.name}.{contender.name}.{seed}"
    path = folder / f"{name}.json"
    if path.exists():
        record: Record = json.loads(path.read_text())
        if record["settings"] == settings:
            return record
    folder.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
    checkpoint = folder / f"{name}.{mark}.checkpoint"  # one of other settings is not gone on from
    splits = load(task)
    model = contender.model(task.input_dim, units, task.output_dim, task.output)
    record = {
        "settings": settings,
        "family": task.family,
        "variant": task.variant,
        "lag": task.lag,
        "parameters": contender.parameters(task.input_dim, units, task.output_dim),
        **_train(task, contender, seed, model, splits, checkpoint, num_threads),
    }
    with replacing(path) as file:
        file.write(json.dumps(record).encode())
    checkpoint.unlink(missing_ok=True)
    return record


def _train(
    task: Task, contender: Contender, seed: int, model: SequenceModel, splits: Splits,
    checkpoint: Path, num_threads: int | None,
) -> Record:  # fmt: skip
    learning = asdict(task.learning)
    if contender.kind != "lstm":
        learning["forget_bias"] = None
    train, validation, test = splits
    before = _gradients(
        task, model.initial_network(seed, forget_bias=learning["forget_bias"]), test
    )
    try:
        model.fit(
            train.x, train.y, lengths=train.lengths, validation=validation, seed=seed,
            checkpoint=checkpoint, num_threads=num_threads, **learning,
        )  # fmt: skip
    except DivergenceError as error:
        return {"failure": str(error), "gradients": {"before": before}}
    history = model.history_
    spec = with_activation(model.spec_, "identity")
    return {
        "history": history,
        "best_epoch": model.best_epoch_,
        "seconds_per_epoch": median(history["seconds"]),
        "result": judge(task, model, test),
        "test_loss": model.loss(*test),
        "gradients": {"before": before, "after": _gradients(task, Network(spec), test)},
    }


def judge(task: Task, model: SequenceModel, data: Data) -> float:
    """The task's metric of a trained model."""
    of = model.loss if task.metric.of == "loss" else model.score
    return task.metric.factor * of(data.x, data.y, data.lengths)


def _gradients(task: Task, net: Network, test: Data) -> Mapping[str, Any]:
    """In float64, in which what vanishes can be seen to, 1e-38 being where float32 ends."""
    x, y = last_steps(test, task.steps)
    output = make_output(task.output, task.output_dim)
    wide = Network(net.spec, dtype="float64")
    return norms_by_lag(wide, output, x.astype(np.float64), y)
