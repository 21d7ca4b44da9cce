"""rnn_native: one forward and one backward of a Network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnn_native.benchmark.runtimes.native import version as version
from rnn_native.benchmark.worker import Form, Task
from rnn_native.train import Network


def prepare(task: Task) -> Mapping[str, Form]:
    net = Network(task.spec, num_threads=task.threads)
    dy = np.ones((*task.x.shape[:2], task.spec.output_size), np.float32)

    def call() -> tuple[Any, Any]:
        y, _, tape = net.forward(task.x)
        return y, net.backward(tape, dy)

    return {"network": Form(call, lambda got: [got[0], got[1].x, *got[1].weights.values()])}
