"""Recurrent networks (RNN, GRU, LSTM) on a CPU: trained ones run, and new ones are trained."""

from importlib import import_module as _import_module
from typing import Any as _Any

from . import plot, reference
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
from .quantizing import quantize
from .spec import Activation, ModelSpec, Static
from .spec import layers as _layers
from .spec.layers import *
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


def __getattr__(name: str) -> _Any:
    """What is imported when it is first used: ``batch``, ``models``, ``train``, ``export_c`` and
    functions of formats."""
    if name == "export_c":
        return _import_module(".export", __name__).export_c
    if name == "keras_weights":
        return _import_module(".formats.keras.lists", __name__).keras_weights
    if name in ("batch", "models", "train"):
        return _import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
