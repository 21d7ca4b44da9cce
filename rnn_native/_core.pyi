from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .blas import Library
from .states import State

def status_names() -> list[str]: ...
def exception_for(name: str) -> type[Exception]: ...
def has_bf16_dot() -> bool: ...
def int8_at_once() -> int: ...
def as_num_threads(num_threads: int | None) -> int: ...

class CoreModel:
    dtype: np.dtype[Any]
    def __init__(
        self,
        data: bytes | bytearray | memoryview | list[bytes | memoryview],
        dtype: int,
        matmul: int,
        counts: tuple[int, ...],
        names: tuple[str, ...] | None = None,
        weight_dtype: int = 0,
        compute: int = 0,
    ) -> None: ...
    @property
    def info(self) -> dict[str, Any]: ...
    def unpack(
        self, node: int, direction: int, name: str, shape: tuple[int, ...]
    ) -> NDArray[Any]: ...
    def run(
        self,
        x: ArrayLike,
        state: Any,
        lengths: ArrayLike | None,
        batch_first: bool,
        num_threads: int,
        trace: Callable[[int, int], list[Any]] | None = None,
    ) -> tuple[NDArray[Any], State]: ...

def run_graph(
    model: CoreModel,
    x: dict[str, ArrayLike],
    known: dict[str, int],
    lengths: ArrayLike | None,
    state: Any,
    batch_first: bool,
    num_threads: int,
    trace: Callable[[int, int], list[Any]] | None = None,
) -> tuple[list[NDArray[Any]], Any]: ...

@final
class Stream:
    def __init__(
        self,
        model: CoreModel,
        batch: int,
        num_threads: int | None,
        mask_value: float | None,
        calls: Any = None,
        ahead: str = "",
    ) -> None: ...
    def step(self, x: Any) -> Any: ...
    def push(self, x: Any) -> Any: ...
    @property
    def rate(self) -> Any: ...
    @property
    def latency(self) -> Any: ...
    def reset(self) -> None: ...
    @property
    def batch(self) -> int: ...
    @property
    def state(self) -> State: ...
    @state.setter
    def state(self, value: Any) -> None: ...

@final
class CoreTape:
    time: int
    batch: int
    @property
    def nbytes(self) -> int: ...

@final
class CoreNet:
    weights: tuple[NDArray[Any], ...]
    state_shapes: tuple[tuple[int, int], ...]
    dtype: np.dtype[Any]
    def __init__(
        self,
        texts: list[bytes],
        dtype: int,
        weights: tuple[NDArray[Any], ...],
        state_shapes: tuple[tuple[int, int], ...],
        takes_indices: bool,
        input_size: int,
        output_size: int,
    ) -> None: ...
    def update(self) -> None: ...
    def forward(
        self,
        x: ArrayLike,
        states: Sequence[ArrayLike] | None,
        lengths: ArrayLike | None,
        dropout: float,
        seed: int | None,
        num_threads: int,
    ) -> tuple[NDArray[Any], list[NDArray[Any]], CoreTape]: ...
    def backward(
        self,
        tape: CoreTape,
        dy: ArrayLike,
        dstates: Sequence[ArrayLike] | None,
        num_threads: int,
    ) -> tuple[NDArray[Any] | None, list[NDArray[Any]], list[NDArray[Any]]]: ...

@final
class PackedModel:
    def __init__(
        self,
        data: bytes | bytearray | memoryview | list[bytes | memoryview],
        dtype: int,
        lanes: int,
        weights: int = 0,
        compute: int = 0,
    ) -> None: ...
    def stream_memory(
        self, batch: int, max_steps: int
    ) -> tuple[int, list[tuple[str, int, int]]]: ...
    def run_memory(self, batch: int, time: int) -> tuple[int, list[tuple[str, int, int]]]: ...
    def describe(self) -> Told: ...

class Told:
    members: Struct
    parts: set[str]

class Struct:
    type: str | None
    is_block: bool
    def __iter__(self) -> Iterator[tuple[str, Any]]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, name: str) -> Any: ...

def version() -> str: ...
def isas() -> list[tuple[str, bool, bool]]: ...
def weight_types() -> list[tuple[str, float]]: ...
def read_bytes(file: BinaryIO, size: int) -> bytes: ...
def weight_stored(code: int, value: float) -> float: ...
def isa() -> str: ...
def get_num_threads() -> int: ...
def num_threads_from() -> str: ...
def set_num_threads(num_threads: int) -> None: ...
def threading() -> str: ...
def dynamic() -> bool: ...
def openmp() -> bool: ...
def use_blas(library: Library) -> bool: ...
def blas_available() -> bool: ...
