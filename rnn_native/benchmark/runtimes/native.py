"""rnn_native itself: a call, which may use threads, or for one step a stream: less work."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..._core import Stream
from ...config import show_config
from ...model import Model
from ...states import flatten, state_counts, unflatten
from ..precision import PRECISIONS
from ..worker import Form, Task


def version() -> str:
    config = show_config(mode="dicts")
    assert config is not None
    return f"{config['version']} ({config['isa']})"


def prepare(task: Task) -> Mapping[str, Form]:
    counts = state_counts(task.spec)

    def arrays(stream: Stream, y: Any) -> list[Any]:
        shown = y[None] if task.spec.return_sequences else y
        return [shown, *flatten(counts, stream.state)]

    options: Mapping[str, Any] = PRECISIONS[task.precision].options
    model = Model(task.spec, num_threads=task.threads, **options)
    form = partial(Form, precision=task.precision)
    state = None if task.states is None else unflatten(counts, task.states)
    call = partial(model, task.x, state, task.lengths, num_threads=task.threads)
    forms = {"model": form(call, lambda got: [got[0], *flatten(counts, got[1])])}
    if (
        not task.is_step
        or task.lengths is not None
        or any(layer.direction != "forward" for layer in task.spec.recurrents)
    ):
        return forms

    for threads in sorted({1, task.threads}):
        stream = model.stream(task.x.shape[1], threads)
        if state is not None:
            stream.state = state
        name = "stream.step" if threads == 1 else f"stream.step, {threads} threads"
        forms[name] = form(partial(stream.step, task.x[0]), partial(arrays, stream))
    return forms
