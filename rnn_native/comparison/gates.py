"""How far the gates of a trained cell are open, step by step: 0 is closed, 1 open."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..models.model import SequenceModel
from .gradients import last_steps
from .task import Data

GATES: Final = {"gru": ("z", "r"), "lstm": ("i", "f", "o")}
"""By kind of cell the names that ``Model.trace`` gives its gates."""


def activity(
    model: SequenceModel, kind: str, data: Data, steps: int
) -> dict[str, dict[str, list[float]]]:
    """By gate: over the last ``steps`` steps of the data's first sequences the ``mean`` of all
    units and rows, and between which bounds (``low``, ``high``) eight units of ten are. Of a cell
    without gates nothing."""
    x, _ = last_steps(data, steps)  # [time, rows, features]
    traced = model.model_.trace(np.swapaxes(x, 0, 1))
    found: dict[str, dict[str, list[float]]] = {}
    for name, values in traced.items():
        gate = name.rsplit(".", 1)[-1].partition("_")[0]  # z of 0.z_l0
        if gate not in GATES.get(kind, ()):
            continue
        units = np.asarray(values, np.float64).mean(axis=0)  # [time, units], the mean of the rows
        low, high = np.quantile(units, (0.1, 0.9), axis=1)
        found[gate] = {
            what: [round(float(value), 4) for value in line]
            for what, line in (("mean", units.mean(axis=1)), ("low", low), ("high", high))
        }
    return found
