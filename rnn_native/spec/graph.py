"""ModelSpec: a trained model as plain data, in PyTorch's names, shapes and gate order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import DTypeError, ShapeError, UnsupportedError
from ..masking import as_mask_value
from .layer import Layer, Value
from .layers import LAYERS, Recurrent
from .weights import brief


@dataclass(frozen=True, eq=False)
class ModelSpec:
    """A chain of layers: what a trained model is, before any CPU is chosen for it.

    Parameters
    ----------
    layers
        In their order. A Recurrent without ``return_sequences`` is the last of its kind.
    mask_value
        None, or what marks padding in x, where a call states no ``lengths``: a step whose features
        all equal it, or whose index does (Keras: ``Masking``, ``Embedding(mask_zero=True)``).

    Raises
    ------
    ShapeError
        One layer's output does not fit the next one's input.
    UnsupportedError
        An Embedding anywhere but first, or a Merge there.
    OptionError
        ``mask_value`` is no finite number, or of indices none of them.
    """

    layers: tuple[Layer, ...]
    mask_value: float | None = None

    def __post_init__(self) -> None:
        layers = tuple(self.layers)
        _check_chain(layers)
        object.__setattr__(self, "layers", layers)
        known = self.input_size if self.takes_indices else None
        object.__setattr__(self, "mask_value", as_mask_value(self.mask_value, known))

    def __repr__(self) -> str:
        masked = {} if self.mask_value is None else {"mask_value": self.mask_value}
        return brief(self, *self.layers, **masked)

    @property
    def takes_indices(self) -> bool:
        """True where the first layer is an Embedding: the input is integers [time, batch]."""
        return self.layers[0].takes_indices

    @property
    def input_size(self) -> int:
        """Features of the input; for an Embedding, the number of indices it knows."""
        return self.layers[0].input_size

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size

    @property
    def return_sequences(self) -> bool:
        """True where y has an axis of time; False where a Recurrent gives its last state alone."""
        return all(layer.gives_steps for layer in self.layers)

    def axes(self, batch_first: bool = False) -> tuple[list[str | int], list[str | int]]:
        """Those of x and y by name, and how many features, the last ones, there are: ``["time",
        "batch", 3]``, of indices ``["time", "batch"]``."""
        both: list[str | int] = ["batch", "time"] if batch_first else ["time", "batch"]
        x = both if self.takes_indices else [*both, self.input_size]
        return x, [*(both if self.return_sequences else ["batch"]), self.output_size]

    @property
    def stateful(self) -> tuple[Layer, ...]:
        """The layers that carry something from step to step."""
        return tuple(layer for layer in self.layers if layer.state_names)

    @property
    def recurrents(self) -> tuple[Recurrent, ...]:
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def num_parameters(self) -> int:
        return sum(array.size for layer in self.layers for array in layer.arrays.values())


def _check_chain(layers: tuple[Any, ...]) -> None:
    """Raises what a ``ModelSpec`` does where these are no chain."""
    if not layers:
        raise ShapeError("ModelSpec: expected at least one layer, got none")
    value: Value | None = None
    for index, layer in enumerate(layers):
        where = f"ModelSpec layer {index}"
        if not isinstance(layer, Layer):
            *kinds, last = (kind.__name__ for kind in LAYERS.values())
            raise DTypeError(
                f"{where}: expected {', '.join(kinds)} or {last}, got {type(layer).__name__}"
            )
        if value is None:
            if not layer.can_be_first:
                raise UnsupportedError(f"{where}: a {type(layer).__name__} cannot be first")
            value = Value("x", layer.input_size, layer.takes_indices)
        (value,) = layer.outputs(where, f"layer {index}", (value,))
