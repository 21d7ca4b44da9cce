"""PyTorch: torch.nn.LSTM, GRU and RNN, or for one step its cells, under inference_mode."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from ...errors import UnsupportedError
from ...spec import Recurrent
from ..worker import Form, Task

# For all of this process: entering it is no part of a call.
_MODE = torch.inference_mode()
_MODE.__enter__()


def version() -> str:
    return str(torch.__version__)


def prepare(task: Task) -> Mapping[str, Form]:
    layer = task.layer
    ours = (
        layer.peephole,
        not layer.reset_after,
        layer.gate_recurrent,
        layer.output_layer,
        not layer.return_sequences,
    )
    known = layer.is_standard and layer.nonlinearity != "sigmoid" and layer.direction != "reverse"
    if any(ours) or not known:
        raise UnsupportedError("torch.nn has no such layer")
    torch.set_num_threads(task.threads)

    x = torch.from_numpy(task.x)
    states = [torch.from_numpy(state) for state in task.states or ()]
    if task.is_step and not states:
        rows = layer.num_layers * layer.num_directions
        states = [torch.zeros(rows, x.shape[1], size) for size in layer.state_sizes]
    arguments: list[Any] = [x]
    if states:
        arguments.append(tuple(states) if layer.cell == "lstm" else states[0])
    forms = {"nn": Form(partial(_module(layer), *arguments), _arrays)}
    one = layer.num_layers * layer.num_directions == 1 and not layer.proj_size
    if task.is_step and one:
        forms["cell"] = _cell(layer, x, states)
    return forms


def _module(layer: Recurrent) -> Any:
    options: dict[str, Any] = {"bidirectional": layer.num_directions == 2, "bias": layer.bias}
    if layer.cell == "rnn":
        options["nonlinearity"] = layer.nonlinearity
    if layer.cell == "lstm":
        options["proj_size"] = layer.proj_size
    make = getattr(torch.nn, layer.cell.upper())
    module = make(layer.input_size, layer.hidden_size, layer.num_layers, **options)
    module.load_state_dict(_tensors(layer))
    return module.eval()


def _tensors(layer: Recurrent) -> dict[str, Any]:
    return {name: torch.from_numpy(array.copy()) for name, array in layer.arrays.items()}


def _arrays(got: Any) -> list[Any]:
    y, state = got
    states = state if isinstance(state, tuple) else (state,)
    return [y.numpy(), *(array.numpy() for array in states)]


def _cell(layer: Recurrent, x: Any, states: list[Any]) -> Form:
    options = {"nonlinearity": layer.nonlinearity} if layer.cell == "rnn" else {}
    make = getattr(torch.nn, f"{layer.cell.upper()}Cell")
    cell = make(layer.input_size, layer.hidden_size, bias=layer.bias, **options)
    cell.load_state_dict({name[: -len("_l0")]: value for name, value in _tensors(layer).items()})
    first = [state[0] for state in states]
    state = tuple(first) if layer.cell == "lstm" else first[0]

    def arrays(got: Any) -> list[Any]:
        new = got if isinstance(got, tuple) else (got,)
        return [new[0].numpy()[None], *(array.numpy()[None] for array in new)]

    return Form(partial(cell.eval(), x[0], state), arrays)
