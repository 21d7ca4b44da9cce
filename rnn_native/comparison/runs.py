"""One run: one cell learns one task from one seed; its record is a file that is not made twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
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
from .gates import activity
from .gradients import last_steps, norms_by_lag
from .plan import Job
from .task import Data, Splits, Task

Record = dict[str, Any]


def digest(splits: Splits) -> str:
    """Tells data apart: what was learnt from one set says nothing of another."""
    found = hashlib.sha256()
    for data in splits:
        for array in data:
            if array is not None:
                found.update(f"{array.dtype.str}{array.shape}".encode())
                found.update(np.ascontiguousarray(array).view(np.uint8).data)
    return found.hexdigest()[:16]


def settings_of(job: Job, data: str, num_threads: int | None, scale: str) -> dict[str, Any]:
    """What a record holds for, and for nothing else: times are those of so many threads, and bits
    those of one instruction set. ``data``: the ``digest`` of what is learnt."""
    return {
        "data": data,
        "role": job.role,
        "task": job.task.name,
        "cell": job.contender.name,
        "seed": job.seed,
        "hidden_units": job.units,
        "learning": job.learning,
        "scale": scale,
        "threads": _core.get_num_threads() if num_threads is None else num_threads,
        "isa": _core.isa(),
        "version": __version__,
    }


def finished(
    job: Job, folder: Path, data: str, num_threads: int | None, scale: str
) -> Record | None:
    """The record of a run that was made before with these settings."""
    path = folder / f"{job.name}.json"
    if not path.exists():
        return None
    record: Record = json.loads(path.read_text())
    return record if record["settings"] == settings_of(job, data, num_threads, scale) else None


def run(
    job: Job,
    folder: Path,
    load: Callable[[Task], Splits],
    num_threads: int | None,
    scale: str,
) -> Record:
    """Train, test and look at gradients; or read the record of a run that was finished before.

    A run that was killed goes on from its last epoch. ``load`` gives the task's data at this
    ``scale``.
    """
    splits = load(job.task)
    data = digest(splits)
    known = finished(job, folder, data, num_threads, scale)
    if known is not None:
        return known
    settings = settings_of(job, data, num_threads, scale)
    folder.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
    checkpoint = folder / f"{job.name}.{mark}.checkpoint"  # one of other settings is left alone
    task, contender = job.task, job.contender
    model = contender.model(task.input_dim, job.units, task.output_dim, task.output)
    record = {
        "settings": settings,
        "family": task.family,
        "variant": task.variant,
        "lag": task.lag,
        "parameters": contender.parameters(task.input_dim, job.units, task.output_dim),
        **_train(job, model, splits, checkpoint, num_threads),
    }
    with replacing(folder / f"{job.name}.json") as file:
        file.write(json.dumps(record).encode())
    checkpoint.unlink(missing_ok=True)
    return record


def _train(
    job: Job, model: SequenceModel, splits: Splits, checkpoint: Path, num_threads: int | None
) -> Record:
    train, validation, test = splits
    learning: dict[str, Any] = job.learning
    gradients: dict[str, Any] = {}
    if job.role == "run":
        network = model.initial_network(job.seed, forget_bias=learning["forget_bias"])
        gradients["before"] = _gradients(job.task, network, test)
    try:
        model.fit(
            train.x, train.y, lengths=train.lengths, validation=validation, seed=job.seed,
            checkpoint=checkpoint, num_threads=num_threads, **learning,
        )  # fmt: skip
    except DivergenceError as error:
        return {"failure": str(error), "gradients": gradients}
    history = model.history_
    record = {
        "history": history,
        "best_epoch": model.best_epoch_,
        "seconds_per_epoch": median(history["seconds"]),
        "gradients": gradients,
    }
    if job.role == "search":  # which never sees the test data
        return record
    if job.role == "run":
        spec = with_activation(model.spec_, "identity")
        gradients["after"] = _gradients(job.task, Network(spec), test)
        record["gates"] = activity(model, job.contender.kind, test, job.task.steps)
    return {**record, "result": judge(job.task, model, test), "test_loss": model.loss(*test)}


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
