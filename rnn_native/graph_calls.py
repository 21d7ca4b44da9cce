"""How a graph is called: several inputs and outputs are dicts by name, one is the array."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from numpy.typing import NDArray

from ._core import CoreModel, run_graph
from .errors import ShapeError, UnsupportedError
from .spec import ModelSpec

MAX_READS: Final = 128
"""Values that one layer may read: RNNAT_LINE_INPUTS."""


class GraphCalls:
    """The names of a graph's inputs and outputs, and calls by them."""

    def __init__(self, spec: ModelSpec) -> None:
        _check(spec)
        self._inputs, self.outputs = dict(spec.inputs), tuple(spec.outputs)
        self.several = len(spec.inputs) > 1 or len(spec.outputs) > 1
        """Whether there are several inputs, or outputs."""

    def of(self, core: CoreModel) -> Callable[..., tuple[Any, Any]]:
        """``run`` of this core."""
        return partial(self.run, core)

    def run(
        self,
        core: CoreModel,
        x: Any,
        state: Any,
        lengths: Any,
        batch_first: bool,
        num_threads: int,
        trace: Callable[[int, int], list[Any]] | None = None,
    ) -> tuple[NDArray[Any] | dict[str, NDArray[Any]], Any]:
        """As ``CoreModel.run``; x and y are dicts where there are several."""
        given = self.given(x)
        known = {
            self._called(name): one.features for name, one in self._inputs.items() if one.indices
        }
        ys, state = run_graph(core, given, known, lengths, state, batch_first, num_threads, trace)
        return ys[0] if len(ys) == 1 else dict(zip(self.outputs, ys, strict=True)), state

    def only(self, x: Any) -> Any:
        """The array of the only input."""
        return next(iter(self.given(x).values()))

    def _called(self, name: str) -> str:
        return "x" if len(self._inputs) == 1 else f"x[{name!r}]"

    def given(self, x: Any) -> dict[str, Any]:
        """Each input by what messages call it, in the core's order."""
        if not isinstance(x, Mapping):
            if len(self._inputs) == 1:
                return {"x": x}
            expected = ", ".join(map(repr, self._inputs))
            raise ShapeError(f"x: expected a dict of {expected}, got {type(x).__name__}")
        if set(x) != set(self._inputs):
            expected, came = (", ".join(map(repr, names)) for names in (self._inputs, x))
            raise ShapeError(f"x: expected a dict of {expected}, got {came or 'an empty one'}")
        return {self._called(name): x[name] for name in self._inputs}


def _check(spec: ModelSpec) -> None:
    """``UnsupportedError`` for what the core has no room for."""
    for name, (_, reads) in spec.nodes.items():
        if len(reads) > MAX_READS:
            raise UnsupportedError(
                f"ModelSpec node {name!r}: a Model's node reads at most {MAX_READS} values, this "
                f"one {len(reads)}: combine some of them in a node before it"
            )
