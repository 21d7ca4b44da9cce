"""Several runtimes take turns, round after round, over the same model and input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .. import reference
from ..spec import ModelSpec
from ..states import flatten, state_counts, unflatten
from .child import Child, ChildError

ROUNDS: Final = 5
SAMPLES: Final = 5


@dataclass
class Measured:
    """What one runtime did.

    ``rounds``: seconds per call of each round, the best of its samples. ``failure``: why there are
    none, in one line. ``form``, ``precision``: of the calls. ``error``: see
    ``worker.largest_error``. ``tried``: the forms of calling with their seconds, or why one was
    left out. ``digest``: of the bits of what it gave, from those who tell.
    """

    rounds: list[float] = field(default_factory=list)
    failure: str = ""
    form: str = ""
    precision: str = "float32"
    error: float = 0.0
    calls: int = 0
    tried: Mapping[str, str | float] = field(default_factory=dict)
    digest: str = ""

    @property
    def seconds(self) -> float:
        return median(self.rounds)

    def ratio_to(self, ours: Measured) -> float:
        """How many times ours is faster: the ratio within each round, then their median."""
        return median(t / o for t, o in zip(self.rounds, ours.rounds, strict=True))


def write_data(
    path: Path, spec: ModelSpec, x: NDArray[Any], states: Sequence[NDArray[Any]] | None = None
) -> None:
    """The .npz file of a task: x, initial states, and what the reference makes of them."""
    counts = state_counts(spec)
    start = None if states is None else unflatten(counts, states)
    y, state = reference.run(spec, x, start)
    arrays = {"x": x}
    arrays |= {f"state_{i}": array for i, array in enumerate(states or ())}
    expected = [y, *flatten(counts, state)]
    arrays |= {f"expected_{i}": array for i, array in enumerate(expected)}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def take_turns(
    children: Iterable[Child],
    model: Path,
    data: Path,
    rounds: int = ROUNDS,
    samples: int = SAMPLES,
    precisions: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Measured]:
    """Prepare everybody, then measure one after the other, ``rounds`` times.

    ``precisions``: by the name of a child, what it is asked to compute in, if not float32.
    """
    results = {child.name: Measured() for child in children}

    def ask(child: Child, op: str, **arguments: Any) -> dict[str, Any]:
        result = results[child.name]
        if result.failure:
            return {}
        try:
            return child.ask(op, **arguments)
        except ChildError as error:
            result.failure = str(error)
            result.rounds = []
            return {}

    everybody = list(children)
    for child in everybody:
        wanted = {"precision": precisions[child.name]} if child.name in precisions else {}
        reply = ask(
            child, "prepare", model=str(model), data=str(data), threads=child.threads, **wanted
        )
        for name, value in reply.items():
            setattr(results[child.name], name, value)
    for _ in range(rounds):
        for child in everybody:
            if reply := ask(child, "samples", count=samples):
                results[child.name].rounds.append(min(reply["seconds"]))
    for child in everybody:
        ask(child, "drop")
    return results
