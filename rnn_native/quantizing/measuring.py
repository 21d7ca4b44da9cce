"""What reducing a model's layers does to its values and states, on calibration data.

Models run in the core: the float32 one and reduced ones side by side, with the values that are
compared among their outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, UnsupportedError
from ..model import Model
from ..spec import ModelSpec, Recurrent
from ..spec.stored import stored_layer
from .calibration import Batch
from .differences import Difference, Drift, StepSums, Sums

BLOCKS: Final = 20
"""Blocks of steps that a drift has, at most."""
_TOGETHER: Final = 8  # values that are compared in one run: they are all in memory


@dataclass(frozen=True)
class Reduced:
    """How models are reduced, and what they are called with."""

    spec: ModelSpec  # without ``keep``
    rounded: ModelSpec  # the same, of weights that are to be rounded: maybe others
    options: Mapping[str, Any]  # of reduced ones: weight_dtype, compute
    around: Mapping[str, Any]  # of all Models: batch_first, num_threads
    batches: Sequence[Batch]  # none: nothing is measured

    def model(self, keep: Sequence[str]) -> Model:
        """The reduced model."""
        return self._reduced(self.spec, keep)

    def _reduced(self, spec: ModelSpec, keep: Sequence[str]) -> Model:
        layers = {name: node.layer for name, node in self.rounded.nodes.items() if name not in keep}
        return Model(spec.having(layers), keep=keep, **self.options, **self.around)

    def takes(self, name: str) -> bool:
        """Whether the type has the weights of a layer."""
        try:
            stored_layer(name, self.spec.nodes[name].layer, self.stored_as)
        except UnsupportedError:
            return False
        return True

    def check(self) -> None:
        """Runs the float32 model on everything, or an error of a call."""
        model = Model(self.spec, **self.around)
        for batch in self.batches:
            batch.run(self.spec, model)

    @property
    def stored_as(self) -> str:
        """What weights are stored as."""
        return str(self.options["weight_dtype"] or self.options["compute"])

    def differences(self, keep: Sequence[str], values: Sequence[str]) -> dict[str, Difference]:
        """Of the values by name, where all layers but those are reduced."""
        found: dict[str, Difference] = {}
        for first in range(0, len(values), _TOGETHER):
            found |= self._differences(keep, values[first : first + _TOGETHER])
        return found

    def _differences(self, keep: Sequence[str], values: Sequence[str]) -> dict[str, Difference]:
        shown = with_outputs(self.spec, values)
        whole = Model(shown, **self.around)
        reduced = self._reduced(shown, keep)
        sums = {value: Sums() for value in values}
        for batch in self.batches:
            before, after = (
                _named(shown, batch.run(shown, model)[0]) for model in (whole, reduced)
            )
            for value in values:
                if not np.isfinite(before[value]).all():
                    raise OptionError(
                        f"{batch.where}: the float32 model makes of it what is not finite: {value}"
                    )
                sums[value].add(before[value], after[value], batch.numbers(self.spec, value))
        return {value: each.difference() for value, each in sums.items()}

    def drifts(self, keep: Sequence[str]) -> dict[str, Drift]:
        """Of every state that recurrent layers carry from step to step, by its name in a trace."""
        states = _states(self.spec)
        nodes = self.spec.nodes.values()
        if not states or any(
            self.spec.value(reads[0]).last and layer.traced("") for layer, reads in nodes
        ):
            return {}  # there is no trace where a cell runs on what has no time
        whole, reduced = Model(self.spec, **self.around), self.model(keep)
        sums = {
            state: StepSums(max(int(b.steps(self.spec, value, b.time)) for b in self.batches))
            for state, value in states.items()
        }
        for batch in self.batches:
            before, after = (batch.run(self.spec, model.trace) for model in (whole, reduced))
            for state in states:
                arrays = [before[state], after[state]]
                if batch.batch_first:
                    arrays = [np.swapaxes(array, 0, 1) for array in arrays]
                sums[state].add(*arrays)
        return {state: each.drift(BLOCKS) for state, each in sums.items()}


def with_outputs(spec: ModelSpec, values: Sequence[str]) -> ModelSpec:
    """The model with these values as its outputs, beside its own, under names of their own."""
    nodes = {name: (node.layer, node.inputs) for name, node in spec.nodes.items()}
    every = dict.fromkeys([*spec.outputs.values(), *values])
    return ModelSpec(
        (),
        spec.mask_value,
        nodes=nodes,
        inputs=spec.inputs,
        outputs={value: value for value in every},
    )


def _named(spec: ModelSpec, y: Any) -> Mapping[str, NDArray[Any]]:
    if isinstance(y, Mapping):
        return y
    (name,) = spec.outputs
    return {name: y}


def _states(spec: ModelSpec) -> dict[str, str]:
    """The states that a trace shows, by name, each with the value whose steps it has."""
    found = {}
    for name, (layer, reads) in spec.nodes.items():
        if not isinstance(layer, Recurrent):
            continue
        prefix = f"{name}." if len(spec.nodes) > 1 else ""
        for state in layer.state_names:
            for level in range(layer.num_layers):
                for suffix in layer.suffixes:
                    found[f"{prefix}{state}_l{level}{suffix}"] = reads[0]
    return found
