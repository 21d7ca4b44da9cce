"""What a model takes and gives, without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..model import Model
from ..sequence_files import states
from ..spec.wiring import Input
from ..states import state_counts, state_names


@dataclass(frozen=True)
class Output:
    """``time``: whether there is one at every step."""

    features: int
    time: bool


@dataclass(frozen=True)
class Signature:
    """``states``: rows and features of each array of the state, by the names that
    ``rnn-native run --state`` has for them; ``counts`` and ``nodes`` are for ``states.flatten``."""

    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    states: Mapping[str, tuple[int, int]]
    counts: tuple[int, ...]
    nodes: tuple[str, ...] | None
    mask_value: float | None
    is_paced: bool

    @property
    def timed(self) -> list[str]:
        """The inputs that have an axis of time."""
        return [name for name, one in self.inputs.items() if one.time]


def signature_of(model: Model) -> Signature:
    """It unpacks the model's weights, so that it is made once for each."""
    spec = model.spec
    values = {name: spec.value(value) for name, value in spec.outputs.items()}
    return Signature(
        inputs=dict(spec.inputs),
        outputs={name: Output(value.features, not value.last) for name, value in values.items()},
        states={name: (rows, size) for name, (rows, _, size) in states.shapes(spec).items()},
        counts=state_counts(spec),
        nodes=state_names(spec),
        mask_value=spec.mask_value,
        is_paced=spec.is_paced,
    )
