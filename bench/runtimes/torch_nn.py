"""PyTorch: torch.nn under inference_mode, and what it has of it in reduced precision.

In bfloat16 the module and its input are of that type. In int8 and float16 ``quantize_dynamic`` made
it, once with each engine that this CPU has: LSTM, GRU and the three cells; it has no such nn.RNN.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from rnn_native import Recurrent
from rnn_native.benchmark.runtimes import pytorch
from rnn_native.benchmark.runtimes.pytorch import mode, version
from rnn_native.benchmark.worker import Form, Task
from runtimes import or_reason

__all__ = ["mode", "prepare", "version"]

_TYPES = {"int8": torch.qint8, "float16": torch.float16}


def prepare(task: Task) -> Mapping[str, Form]:
    forms = dict(pytorch.prepare(task))
    if task.precision == "bfloat16":
        forms |= _forms(task, "", torch.bfloat16, lambda module: module.bfloat16())
    elif task.precision in _TYPES:
        for engine in _engines():
            quantize = partial(_quantized, engine=engine, dtype=_TYPES[task.precision])
            forms |= _forms(task, f"{engine}, ", torch.float32, quantize)
    return forms


def _engines() -> list[str]:
    """QNNPACK is for Arm; elsewhere it is several times slower than any other."""
    every = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    return [name for name in every if name != "qnnpack"] or every


@contextmanager
def _engine(name: str) -> Iterator[None]:
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = name
    try:
        yield
    finally:
        torch.backends.quantized.engine = before


def _quantized(module: Any, engine: str, dtype: Any) -> Any:
    """``NotImplementedError`` where the module comes back as it was."""
    with _engine(engine), warnings.catch_warnings():
        # What it advises to use in the place of these, torchao, has no recurrent layers.
        warnings.filterwarnings("ignore", "torch.ao.quantization is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor, ", UserWarning)
        holder = torch.nn.Sequential(module)
        made = torch.ao.quantization.quantize_dynamic(holder, {type(module)}, dtype=dtype)[0]
    if type(made) is type(module):
        raise NotImplementedError(f"quantize_dynamic leaves {type(module).__name__} in float32")
    return made


def _forms(task: Task, prefix: str, dtype: Any, reduce: Callable[[Any], Any]) -> dict[str, Form]:
    """The layer and, for one step, its cell, of what ``reduce`` makes of their modules."""
    layer = task.layer
    x = torch.from_numpy(task.x).to(dtype)
    states = [torch.from_numpy(state).to(dtype) for state in task.states or ()]

    def whole() -> Mapping[str, Form]:
        module = reduce(pytorch.make_module(layer))
        call = partial(module, x, *_state(layer, states))
        return {names[0]: Form(call, _arrays, task.precision)}

    def cell() -> Mapping[str, Form]:
        module = reduce(pytorch.make_cell(layer))
        call = partial(module, x[0], *_state(layer, [state[0] for state in states]))
        return {names[1]: Form(call, _arrays_of_cell, task.precision)}

    names = [f"{task.precision}, {prefix}{way}" for way in ("nn", "cell")]
    forms = dict(or_reason(names[0], whole))
    if task.is_step and layer.num_layers * layer.num_directions == 1:
        forms |= or_reason(names[1], cell)
    return forms


def _state(layer: Recurrent, states: list[Any]) -> list[Any]:
    return [pytorch.grouped(layer, states)] if states else []


def _arrays(got: Any) -> list[Any]:
    y, state = got
    states = state if isinstance(state, tuple) else (state,)
    return [array.float().numpy() for array in (y, *states)]


def _arrays_of_cell(got: Any) -> list[Any]:
    states = got if isinstance(got, tuple) else (got,)
    return [array.float().numpy()[None] for array in (states[0], *states)]
