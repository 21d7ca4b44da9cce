"""The layers without a state: Embedding, Linear, Merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_array
from .cells import ACTIVATIONS, one_of, size
from .errors import DTypeError, ShapeError

Array = NDArray[np.floating[Any]]
MERGE_MODES: Final = ("sum", "mul", "ave")
"""Of a Merge: those of ``keras.layers.Bidirectional(merge_mode=...)`` besides ``"concat"``."""


def as_weight(where: str, value: ArrayLike) -> Array:
    """A C-contiguous, native-endian float32 or float64 array of ``value``, which nobody can write
    to: a copy, unless ``value`` is such an array itself.

    float16 and bfloat16 widen to float32; every other element type is refused with a ``DTypeError``
    that names the array.
    """
    array = as_array(where, value)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise DTypeError(f"{where}: expected float32 or float64 weights, got {array.dtype}")
    dtype = np.float64 if array.dtype.itemsize == 8 else np.float32
    made: Array = np.ascontiguousarray(array, dtype)
    if not (made.flags.aligned and _is_unchangeable(made)):
        made = np.frombuffer(made.tobytes(), dtype)
    return made.reshape(array.shape)


def _is_unchangeable(array: NDArray[Any]) -> bool:
    """Whether the memory is that of a ``bytes`` object, as files are read into, which nobody can
    write to; and most of it, so that it does not keep alive much that is not needed."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return type(owner) is bytes and 2 * array.nbytes >= len(owner)


def expect(where: str, array: Array, shape: tuple[int, ...]) -> Array:
    if array.shape != shape:
        raise ShapeError(f"{where}: expected shape {shape}, got {array.shape}")
    return array


def brief(thing: object, *parts: object, **options: object) -> str:
    """The repr of what holds arrays: in angle brackets, since no constructor takes it."""
    texts = [*map(repr, parts), *(f"{name}={value!r}" for name, value in options.items())]
    return f"<{type(thing).__name__}: {', '.join(texts)}>"


@dataclass(frozen=True, eq=False)
class Embedding:
    """Looks up rows of ``weight`` [num_embeddings, embedding_dim]; its input is integers."""

    weight: Array

    def __post_init__(self) -> None:
        weight = as_weight("Embedding weight", self.weight)
        if weight.ndim != 2 or 0 in weight.shape:
            raise ShapeError(
                "Embedding weight: expected shape (num_embeddings, embedding_dim), "
                f"both at least 1, got {weight.shape}"
            )
        object.__setattr__(self, "weight", weight)

    def __repr__(self) -> str:
        return brief(self, num_embeddings=self.num_embeddings, embedding_dim=self.output_size)

    @property
    def num_embeddings(self) -> int:
        return int(self.weight.shape[0])

    @property
    def output_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"weight": self.weight}


@dataclass(frozen=True, eq=False)
class Linear:
    """y = activation(x weight^T + bias); ``weight`` [out, in], ``bias`` [out] or None.

    ``softmax`` and ``log_softmax`` run over the features of one step.
    """

    weight: Array
    bias: Array | None = None
    activation: str = "identity"

    def __post_init__(self) -> None:
        weight = as_weight("Linear weight", self.weight)
        if weight.ndim != 2 or 0 in weight.shape:
            raise ShapeError(
                f"Linear weight: expected shape (out, in), both at least 1, got {weight.shape}"
            )
        object.__setattr__(self, "weight", weight)
        if self.bias is not None:
            bias = as_weight("Linear bias", self.bias)
            object.__setattr__(self, "bias", expect("Linear bias", bias, (weight.shape[0],)))
        one_of("Linear activation", self.activation, ACTIVATIONS)

    def __repr__(self) -> str:
        sizes = {"in_features": self.input_size, "out_features": self.output_size}
        return brief(self, **sizes, bias=self.bias is not None, activation=self.activation)

    @property
    def input_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def output_size(self) -> int:
        return int(self.weight.shape[0])

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"weight": self.weight} if self.bias is None else {
            "weight": self.weight, "bias": self.bias
        }  # fmt: skip


@dataclass(frozen=True)
class Merge:
    """One half of the features with the other: of 2 * size features a, b it makes size.

    Without weights or state, every step by itself. ``"sum"`` is a + b, ``"mul"`` a * b, ``"ave"``
    (a + b) * 0.5, in this order, so that the numbers of a float type are defined to the bit. a are
    the first ``size`` features, in a bidirectional layer those of the forward direction.
    """

    mode: str
    size: int

    def __post_init__(self) -> None:
        one_of("Merge mode", self.mode, MERGE_MODES)
        object.__setattr__(self, "size", size("Merge size", self.size, 1))

    @property
    def input_size(self) -> int:
        return 2 * self.size

    @property
    def output_size(self) -> int:
        return self.size

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {}
