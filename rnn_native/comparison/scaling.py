"""How time grows with hidden units, rows, steps and threads: of the standard cells, on this
machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from ..model import Model
from .contenders import Contender
from .cost import take_turns
from .task import Task

GRIDS: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "full": {
        "units": (8, 16, 32, 64, 128, 256, 512),
        "rows": (1, 2, 4, 8, 16, 32, 64, 128),
        "steps": (1, 3, 10, 30, 100, 300, 1000),
    },
    "quick": {"units": (16, 64, 256), "rows": (1, 8, 64), "steps": (1, 10, 100)},
    "tiny": {"units": (4, 8), "rows": (1, 2), "steps": (1, 2)},
}
ABOUT: Final = {
    "units": "one step of one sequence, as many inputs as hidden units",
    "rows": "one step of one sequence out of a batch, 100 steps at 128 units",
    "steps": "one call with one sequence at 64 units",
    "threads": "one call with 32 sequences of 100 steps at 256 units",
}
"""What each plot's time is of."""

Points = list[list[float]]


def measure(contenders: Iterable[Contender], scale: str) -> dict[str, dict[str, Points]]:
    """By what grows and by cell: pairs of its size and the seconds."""
    calls: dict[tuple[str, str, int], Callable[[], Any]] = {}
    per: dict[tuple[str, str, int], int] = {}
    grid = dict(GRIDS[scale])
    grid["threads"] = tuple(range(1, _processors() + 1)) if scale != "tiny" else (1,)
    for contender in contenders:
        if contender.cell != "standard":
            continue
        for what, sizes in grid.items():
            for size in sizes:
                key = (what, contender.name, size)
                calls[key] = _CALLS[what](contender, size)
                per[key] = 100 * size if what == "rows" else 1
    found: dict[str, dict[str, Points]] = {}
    for key, seconds in take_turns(calls, scale).items():
        what, name, size = key
        found.setdefault(what, {}).setdefault(name, []).append([size, seconds / per[key]])
    return found


def step_seconds(
    tasks: Iterable[Task], contenders: Iterable[Contender], scale: str
) -> dict[str, dict[str, dict[str, float]]]:
    """What one streamed step takes at each of a task's sizes: by task, cell and units."""
    standard = [contender for contender in contenders if contender.cell == "standard"]
    calls = {
        (task.name, contender.name, units): _stream(
            contender, units, task.input_dim, task.output_dim
        )
        for task in tasks
        for contender in standard
        for units in task.units
    }
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (task_name, cell, units), seconds in take_turns(calls, scale).items():
        found.setdefault(task_name, {}).setdefault(cell, {})[str(units)] = seconds
    return found


def _model(contender: Contender, inputs: int, units: int, outputs: int, threads: int = 1) -> Model:
    net = contender.model(inputs, units, outputs, "identity").initial_network(0)
    return Model(net.spec, num_threads=threads)


def _stream(contender: Contender, units: int, inputs: int, outputs: int) -> Callable[[], Any]:
    stream = _model(contender, inputs, units, outputs).stream(1)
    return partial(stream.step, np.zeros((1, inputs), np.float32))


def _call(
    contender: Contender, units: int, steps: int, rows: int, threads: int = 1
) -> Callable[[], Any]:
    model = _model(contender, units, units, 1, threads)
    return partial(model, np.zeros((steps, rows, units), np.float32))


_CALLS: Final[Mapping[str, Callable[[Contender, int], Callable[[], Any]]]] = {
    "units": lambda contender, size: _stream(contender, size, size, 1),
    "rows": lambda contender, size: _call(contender, 128, 100, size),
    "steps": lambda contender, size: _call(contender, 64, size, 1),
    "threads": lambda contender, size: _call(contender, 256, 100, 32, size),
}


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
