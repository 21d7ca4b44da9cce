"""What a cell costs: weights, arithmetic, memory, and time on this machine, in two views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any, Final

import numpy as np

from ..benchmark.timing import calls_per_sample, samples
from ..model import Model
from ..models.architecture import with_activation
from ..models.outputs import make_output
from ..spec import ModelSpec
from ..train import Adam, clip_grad_norm
from .contenders import Contender

INPUT, OUTPUT, BUDGET, UNITS, TIME, BATCH = 32, 10, 50_000, 64, 100, 32
"""Sizes at which all cells are measured: features in and out; weights at most where all have as
many, hidden units where all have as many; steps, rows."""

ROUNDS: Final = {"full": 7, "quick": 3, "tiny": 1}
SECONDS: Final = {"full": 0.05, "quick": 0.01, "tiny": 0.001}
TIMES: Final = {
    "step": "one step, streamed (µs)",
    "sequence": f"one sequence of {TIME} steps (µs)",
    "batch": f"{BATCH} sequences of {TIME} steps (µs)",
    "update": f"learning from {BATCH} sequences of {TIME} steps (µs)",
}
VIEWS: Final = {
    "weights": f"with at most {BUDGET:,} weights each",
    "units": f"with {UNITS} hidden units each",
}

MARGIN: Final = 0.1
"""What takes less time by a smaller share is not called cheaper: times vary that much from one
measurement to the next."""

Call = Callable[[], Any]


def cheaper(one: float, other: float) -> bool:
    """Less by more than ``MARGIN``."""
    return one < (1 - MARGIN) * other


def flops_per_step(spec: ModelSpec) -> int:
    """Multiplications and additions of the matrix products of one step of one sequence: two for
    each weight of a matrix. What is done element by element is a hundredth of it, and left out."""
    return sum(
        2 * array.size
        for layer in spec.layers
        for array in layer.arrays.values()
        if array.ndim == 2
    )


def state_bytes(spec: ModelSpec) -> int:
    """What is carried from step to step, of one sequence, in float32."""
    return sum(4 * layer.num_layers * sum(layer.state_sizes) for layer in spec.recurrents)


def take_turns(calls: Mapping[Any, Call], scale: str) -> dict[Any, float]:
    """Seconds of each call; they take turns, so that all have the same machine: medians over
    rounds of each round's best of 3 samples."""
    taken: dict[Any, list[float]] = {key: [] for key in calls}
    numbers = {key: calls_per_sample(call, SECONDS[scale]) for key, call in calls.items()}
    for _ in range(ROUNDS[scale]):
        for key, call in calls.items():
            taken[key].append(min(samples(call, numbers[key], 3, SECONDS[scale])))
    return {key: median(seconds) for key, seconds in taken.items()}


def measure(
    contenders: Iterable[Contender], scale: str, num_threads: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Sizes and times of each cell, by the view and the cell's name."""
    contenders = list(contenders)
    table: dict[str, dict[str, dict[str, Any]]] = {view: {} for view in VIEWS}
    calls: dict[tuple[str, str, str], Call] = {}
    for view in VIEWS:
        for contender in contenders:
            units = UNITS
            if view == "weights":
                units = contender.hidden_units(BUDGET, INPUT, OUTPUT)
            table[view][contender.name], measured = _one(contender, units, num_threads)
            for what, call in measured.items():
                calls[view, contender.name, what] = call
    for (view, name, what), seconds in take_turns(calls, scale).items():
        table[view][name][f"{what}_seconds"] = seconds
    return table


def _one(
    contender: Contender, units: int, num_threads: int
) -> tuple[dict[str, Any], dict[str, Call]]:
    """What is counted of one cell, and what is to be timed."""
    net = contender.model(INPUT, units, OUTPUT, "softmax").initial_network(
        0, num_threads=num_threads
    )
    spec = with_activation(net.spec, "softmax")
    counted = {
        "hidden_units": units,
        "parameters": spec.num_parameters,
        "flops_per_step": flops_per_step(spec),
        "weight_bytes": 4 * spec.num_parameters,
        "state_bytes": state_bytes(spec),
        "tape_bytes": net.forward(np.zeros((TIME, BATCH, INPUT), np.float32))[2].nbytes,
    }
    return counted, _calls(spec, net, num_threads)


def _calls(spec: ModelSpec, net: Any, num_threads: int) -> dict[str, Call]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((TIME, BATCH, INPUT), dtype=np.float32)
    labels = rng.integers(OUTPUT, size=(TIME, BATCH))
    model = Model(spec, num_threads=num_threads)
    stream, one = model.stream(1), x[:, :1].copy()
    output, optimizer = make_output("softmax", OUTPUT), Adam(net, 1e-6)

    def update() -> None:
        y, _, tape = net.forward(x)
        _, dy = output.loss(y, labels)
        gradients = net.backward(tape, dy).weights
        clip_grad_norm(gradients, 1.0)
        optimizer.step(gradients)

    return {
        "step": lambda: stream.step(one[0]),
        "sequence": lambda: model(one),
        "batch": lambda: model(x),
        "update": update,
    }
