"""How far back the error of the last step reaches: the norm of dL/ds_{T-k} over the lag k.

s is the state that a cell carries from step to step: h; for the LSTM h and c, for the article's
cells also the gates that recur. A gradient that reaches an early step does so through all of it, so
the norm of the whole is what vanishes or explodes; that of h alone is told too.

The sequence is run one step at a time, and each step's gradient handed to the one before, which is
back-propagation through time with every step's dL/ds in view: all lags at the cost of one pass.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..models.outputs import Output
from ..train import Network
from .task import Data

ROWS: Final = 64
"""Sequences over which a norm is averaged."""


def last_steps(data: Data, steps: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The last ``steps`` valid steps of the first sequences that have as many, time first, and the
    targets of the very last one."""
    batch, time = data.x.shape[:2]
    lengths = np.full(batch, time) if data.lengths is None else np.asarray(data.lengths)
    rows = np.flatnonzero(lengths >= steps)[:ROWS]
    ends = lengths[rows]
    x = np.stack([data.x[row, end - steps : end] for row, end in zip(rows, ends, strict=True)], 1)
    per_step = data.y.ndim == 3 or (data.y.ndim == 2 and data.y.shape[1] == time > 1)
    return x, data.y[rows, ends - 1] if per_step else data.y[rows]


def norms_by_lag(net: Network, output: Output, x: NDArray[Any], y: NDArray[Any]) -> dict[str, Any]:
    """The mean over rows of ||dL/ds_{T-k}|| and ||dL/dh_{T-k}|| for k = 1 to T, T = len(x).

    ``x`` [time, rows, features], ``y`` the targets of the last step; L is the loss of one row at
    the last step.
    """
    state, tapes = None, []
    for x_t in x:
        given, state, tape = net.forward(x_t[None], state)
        tapes.append(tape)
    _, dy_last = output.loss(given[0], y)
    dy = (dy_last * len(y))[None]  # of each row's own loss instead of their mean
    whole, hidden = [], []
    dstate = None
    for tape in reversed(tapes):
        dstate = net.backward(tape, dy, dstate).state
        dy = np.zeros_like(dy)
        parts = [np.asarray(part) for part in (dstate if isinstance(dstate, tuple) else (dstate,))]
        squares = [np.square(part).sum(axis=(0, 2)) for part in parts]
        whole.append(float(np.sqrt(sum(squares)).mean()))
        hidden.append(float(np.sqrt(squares[0]).mean()))
    return {"lag": list(range(1, len(x) + 1)), "state": whole, "hidden": hidden}
