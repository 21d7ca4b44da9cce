"""What forward leaves for backward, and what backward returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .._core import CoreTape
from ..spec.weights import brief
from ..states import State

if TYPE_CHECKING:
    from .network import Network


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of a loss, summed over batch and time; new arrays of the network's dtype.

    Attributes
    ----------
    x
        Of the input, [time, batch, input_size]; zero past a row's length. None for a model of
        indices.
    state
        Of the state that forward began with, in the form of a state.
    weights
        Of each weight, under the same names.
    """

    x: NDArray[Any] | None
    state: State
    weights: dict[str, NDArray[Any]]

    def __repr__(self) -> str:
        return brief(self, x=None if self.x is None else self.x.shape, weights=len(self.weights))


class Tape:
    """What backward needs of one forward: gates and states of every step. It belongs to its
    network, may serve more than once, and ends with the network's next ``update``."""

    def __init__(
        self,
        network: Network,
        core: CoreTape,
        generation: int,
        batch_first: bool,
        prefix: str,
    ) -> None:
        self._network = network
        self._core = core
        self._generation = generation
        self._batch_first = batch_first
        self._prefix = prefix

    @property
    def network(self) -> Network:
        return self._network

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the tape holds."""
        return self._core.nbytes

    def __repr__(self) -> str:
        return f"Tape({self._core.time} steps, batch {self._core.batch}, {self.nbytes} bytes)"
