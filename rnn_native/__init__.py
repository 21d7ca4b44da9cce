"""Recurrent networks (RNN, GRU, LSTM) on a CPU: trained ones run, and new ones are trained."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from . import reference
from ._core import (
    Stream,
    StreamPool,
    dynamic,
    get_num_threads,
    isa,
    set_num_threads,
    threading,
    version,
)
from .config import show_config
from .errors import (
    BusyError,
    DivergenceError,
    DTypeError,
    FormatError,
    NotFittedError,
    OptionError,
    PoolFullError,
    RnnError,
    ShapeError,
    UnsupportedError,
    VerifyError,
)
from .loading import load, read_arrays
from .model import Model
from .modules import GRU, LSTM, RNN
from .spec import Activation, ModelSpec, Static
from .spec import layers as _layers
from .spec.layers import *

if _TYPE_CHECKING:
    from . import plot
    from .quantizing import quantize
    from .torch_accelerate import accelerate, restore
    from .torch_modules import from_torch

__version__ = version()

isa()  # an environment variable with an unusable value is an error now, not at the first model
threading()
dynamic()
get_num_threads()
del dynamic, isa, threading, version

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "BusyError",
    "DTypeError",
    "DivergenceError",
    "FormatError",
    "Model",
    "ModelSpec",
    "NotFittedError",
    "OptionError",
    "PoolFullError",
    "RnnError",
    "ShapeError",
    "Static",
    "Stream",
    "StreamPool",
    "UnsupportedError",
    "VerifyError",
    "accelerate",
    "batch",
    "export_c",
    "from_torch",
    "get_num_threads",
    "keras_weights",
    "load",
    "models",
    "plot",
    "quantize",
    "read_arrays",
    "reference",
    "restore",
    "set_num_threads",
    "show_config",
    "train",
]
__all__ += _layers.__all__


_LATER = {
    "accelerate": ".torch_accelerate",
    "export_c": ".export",
    "from_torch": ".torch_modules",
    "keras_weights": ".formats.keras.lists",
    "quantize": ".quantizing",
    "restore": ".torch_accelerate",
}


def __getattr__(name: str) -> _Any:
    """What is imported when it is first used, so that the import of the package takes less time."""
    if name in ("batch", "models", "plot", "train"):
        return _import_module(f".{name}", __name__)
    if name in _LATER:
        return getattr(_import_module(_LATER[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
