"""PyTorch under inference_mode: torch.nn.LSTM, GRU and RNN, or for one step its cells; for a model
with other layers, modules one after the other. Inputs have no padding, so a mask changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch.nn.utils import rnn

from ...errors import UnsupportedError
from ...spec import Embedding, Layer, Linear, Merge, ModelSpec, Recurrent
from ..worker import Form, Task


@contextmanager
def mode() -> Iterator[None]:
    """What ``prepare`` and the calls are made within; the number of threads is as it was then."""
    threads = torch.get_num_threads()
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)


def version() -> str:
    return str(torch.__version__)


def prepare(task: Task) -> Mapping[str, Form]:
    layers = task.spec.layers
    for recurrent in task.spec.recurrents:
        _check(recurrent)
    torch.set_num_threads(task.threads)
    x = torch.from_numpy(task.x)
    states = [torch.from_numpy(state) for state in task.states or ()]
    if task.lengths is not None:
        lengths = torch.from_numpy(np.asarray(task.lengths, np.int64))
        call = partial(_chain(task.spec, lengths), x, states)
        return {"packed sequences": Form(call, partial(_cut, task.spec, lengths))}
    if len(layers) > 1 or not task.spec.recurrents or not task.spec.return_sequences:
        return {"modules": Form(partial(_chain(task.spec), x, states), _arrays)}
    (layer,) = task.spec.recurrents

    if task.is_step and not states:
        rows = layer.num_layers * layer.num_directions
        states = [torch.zeros(rows, x.shape[1], size) for size in layer.state_sizes]
    arguments: list[Any] = [x]
    if states:
        arguments.append(grouped(layer, states))
    forms = {"nn": Form(partial(make_module(layer), *arguments), _arrays)}
    one = layer.num_layers * layer.num_directions == 1 and not layer.proj_size
    if task.is_step and one:
        forms["cell"] = _cell(layer, x, states)
    return forms


def _check(layer: Recurrent) -> None:
    """``UnsupportedError``, which names what torch.nn's layers lack."""
    lacking = {
        "peepholes": layer.peephole,
        "a reset before the product": layer.cell == "gru" and not layer.reset_after,
        "gates that recur on gates": layer.gate_recurrent,
        "an output layer": layer.output_layer,
        "other activations": not layer.is_standard or layer.nonlinearity == "sigmoid",
        "reverse alone": layer.direction == "reverse",
        "an initial state": layer.initial_state is not None,
        "positions": layer.positions > 1 or not layer.runs_over_time,
    }
    if found := [what for what, there in lacking.items() if there]:
        raise UnsupportedError(f"torch.nn has no {layer.cell.upper()} with {', '.join(found)}")


def grouped(layer: Recurrent, states: list[Any]) -> Any:
    """h, or h and c, as a module takes them."""
    return tuple(states) if layer.cell == "lstm" else states[0]


def _packed(module: Any, lengths: Any) -> Callable[..., Any]:
    """A recurrent module's call, of rows of these lengths."""

    def call(x: Any, *state: Any) -> Any:
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, final = module(packed, *state)
        return rnn.pad_packed_sequence(y, total_length=len(x))[0], final

    return call


def _cut(spec: ModelSpec, lengths: Any, got: Any) -> list[Any]:
    """Zeros past a row's end, where a Linear has put its biases."""
    y, *states = _arrays(got)
    if spec.return_sequences:
        y = y * (np.arange(len(y))[:, np.newaxis] < lengths.numpy())[..., np.newaxis]
    return [y, *states]


def _chain(
    spec: ModelSpec, lengths: Any = None
) -> Callable[[Any, list[Any]], tuple[Any, list[Any]]]:
    """The modules one after the other, of x and the initial states, zeros if there are none."""
    modules: list[tuple[Any, Any]] = [
        (layer, _MODULES[type(layer)](layer)) for layer in spec.layers
    ]
    if lengths is not None:
        modules = [
            (layer, _packed(module, lengths) if layer.state_names else module)
            for layer, module in modules
        ]

    def call(x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        left, finals = list(states), []
        for layer, module in modules:
            if not layer.state_names:
                x = module(x)
                continue
            count = len(layer.state_sizes)
            x, state = module(x, grouped(layer, left[:count])) if left else module(x)
            left = left[count:]
            now = list(state) if isinstance(state, tuple) else [state]
            finals += now
            if not layer.gives_steps:
                x = torch.cat(tuple(now[0][-layer.num_directions :]), dim=-1)
        return x, finals

    return call


def _embedding(layer: Embedding) -> Any:
    embedding = torch.nn.Embedding(*layer.weight.shape)
    embedding.load_state_dict(_tensors(layer))
    return embedding.eval()


def _merge(layer: Merge) -> Any:
    return _MERGES[layer.mode]


def _linear(layer: Linear) -> Any:
    linear = torch.nn.Linear(layer.input_size, layer.output_size, bias=layer.bias is not None)
    linear.load_state_dict(_tensors(layer))
    activation = _ACTIVATIONS[layer.activation]
    return torch.nn.Sequential(linear, *([activation] if activation else [])).eval()


_MERGES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "sum": lambda x: torch.add(*x.chunk(2, dim=-1)),
    "mul": lambda x: torch.mul(*x.chunk(2, dim=-1)),
    "ave": lambda x: torch.add(*x.chunk(2, dim=-1)) * 0.5,
}
_ACTIVATIONS: Final[Mapping[str, Any]] = {
    "identity": None,
    "tanh": torch.nn.Tanh(),
    "sigmoid": torch.nn.Sigmoid(),
    "relu": torch.nn.ReLU(),
    "softmax": torch.nn.Softmax(dim=-1),
    "log_softmax": torch.nn.LogSoftmax(dim=-1),
}


def make_module(layer: Recurrent) -> Any:
    """torch.nn's LSTM, GRU or RNN with the weights of a layer."""
    options: dict[str, Any] = {"bidirectional": layer.num_directions == 2, "bias": layer.bias}
    if layer.cell == "rnn":
        options["nonlinearity"] = layer.nonlinearity
    if layer.cell == "lstm":
        options["proj_size"] = layer.proj_size
    make = getattr(torch.nn, layer.cell.upper())
    module = make(layer.input_size, layer.hidden_size, layer.num_layers, **options)
    module.load_state_dict(_tensors(layer))
    return module.eval()


_MODULES: Final[Mapping[type[Layer], Callable[[Any], Any]]] = {
    Embedding: _embedding,
    Recurrent: make_module,
    Linear: _linear,
    Merge: _merge,
}


def _tensors(layer: Layer) -> dict[str, Any]:
    return {name: torch.from_numpy(array.copy()) for name, array in layer.arrays.items()}


def _arrays(got: Any) -> list[Any]:
    y, state = got
    states = state if isinstance(state, (tuple, list)) else (state,)
    return [y.numpy(), *(array.numpy() for array in states)]


def make_cell(layer: Recurrent) -> Any:
    """torch.nn's cell with the weights of a layer of one row of units and one direction."""
    options = {"nonlinearity": layer.nonlinearity} if layer.cell == "rnn" else {}
    make = getattr(torch.nn, f"{layer.cell.upper()}Cell")
    cell = make(layer.input_size, layer.hidden_size, bias=layer.bias, **options)
    cell.load_state_dict({name[: -len("_l0")]: value for name, value in _tensors(layer).items()})
    return cell.eval()


def _cell(layer: Recurrent, x: Any, states: list[Any]) -> Form:
    cell = make_cell(layer)
    first = [state[0] for state in states]
    state = grouped(layer, first)

    def arrays(got: Any) -> list[Any]:
        new = got if isinstance(got, tuple) else (got,)
        return [new[0].numpy()[None], *(array.numpy()[None] for array in new)]

    return Form(partial(cell, x[0], state), arrays)
