"""What a live module of PyTorch's is, as a ModelSpec: by its exact class, with all its options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from .arrays import as_array
from .errors import OptionError, UnsupportedError
from .spec import GATES, Elementwise, Embedding, Layer, Linear, ModelSpec, Recurrent
from .tensors import torch_if_loaded
from .torch_functions import FUNCTIONS, function_of
from .torch_ways import ACTIVATIONS, NOTHING, RECURRENT, kind_of, ways_in


@dataclass(frozen=True)
class Found:
    """A spec, how it is called, and whether it is of a single step."""

    spec: ModelSpec
    batch_first: bool
    is_cell: bool = False


_EXPECTED: Final = (
    "torch.nn.RNN, GRU, LSTM, RNNCell, GRUCell, LSTMCell, or a Sequential of RNN, GRU, LSTM, "
    "Embedding, Linear, activations and Dropout"
)
_CELLS: Final = ("RNNCell", "GRUCell", "LSTMCell")
_CELL_GATES: Final = {count: cell for cell, count in GATES.items()}
_MODES: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "RNN_TANH": ("rnn", {"nonlinearity": "tanh"}),
    "RNN_RELU": ("rnn", {"nonlinearity": "relu"}),
    "GRU": ("gru", {}),
    "LSTM": ("lstm", {}),
}


def spec_of(module: Any) -> Found:
    """The layers of a module.

    Raises ``OptionError`` for what is none, ``UnsupportedError`` for one that cannot be run here.
    """
    torch = torch_if_loaded()
    if torch is None or not isinstance(module, torch.nn.Module):
        raise OptionError(f"module: expected {_EXPECTED}; got {type(module).__name__}")
    kind = kind_of(module)
    where = "module"
    if kind in _CELLS:
        _without_hooks(where, module)
        return Found(ModelSpec((cell_layer(module),)), False, True)
    if kind in RECURRENT:
        _without_hooks(where, module)
        return Found(ModelSpec((recurrent_layer(module),)), bool(module.batch_first))
    if kind == "Sequential":
        return _chain(module)
    raise UnsupportedError(
        f"module: expected {_EXPECTED}; got {type(module).__module__}.{type(module).__qualname__}"
        + ways_in(module)
    )


def _without_hooks(where: str, module: Any) -> None:
    if module._forward_hooks or module._forward_pre_hooks:
        raise UnsupportedError(f"{where}: has forward hooks, which would not run here")


def _arrays(module: Any) -> dict[str, NDArray[Any]]:
    return {name: as_array(name, value) for name, value in module.state_dict().items()}


def recurrent_layer(module: Any) -> Recurrent:
    """The layer of an RNN, a GRU or an LSTM."""
    cell, options = _MODES[module.mode]
    return Recurrent(
        cell,
        module.input_size,
        module.hidden_size,
        _arrays(module),
        num_layers=module.num_layers,
        direction="bidirectional" if module.bidirectional else "forward",
        bias=bool(module.bias),
        proj_size=module.proj_size,
        **options,
    )


def cell_layer(module: Any) -> Recurrent:
    """The layer of an RNNCell, a GRUCell or an LSTMCell."""
    cell = _CELL_GATES[len(module.weight_ih) // module.hidden_size]
    weights = {f"{name}_l0": array for name, array in _arrays(module).items()}
    options: Mapping[str, Any] = {"nonlinearity": module.nonlinearity} if cell == "rnn" else {}
    sizes = module.input_size, module.hidden_size
    return Recurrent(cell, *sizes, weights, bias=bool(module.bias), **options)


def _chain(module: Any) -> Found:
    layers: list[Layer] = []
    firsts: dict[str, bool] = {}
    for name, part in _parts("", module):
        where = f"module[{name}]"
        kind = kind_of(part)
        if kind is not None:  # others are refused, also a place of a Sequential that holds None
            _without_hooks(where, part)
        if kind in NOTHING:
            continue
        if kind is not None and (kind in ACTIVATIONS or kind in FUNCTIONS):
            _activate(where, part, kind, layers)
        elif kind in RECURRENT:
            layers.append(recurrent_layer(part))
            firsts[name] = bool(part.batch_first)
        elif kind == "Linear":
            arrays = _arrays(part)
            layers.append(Linear(arrays["weight"], arrays.get("bias")))
        elif kind == "Embedding":
            if part.max_norm is not None:
                raise UnsupportedError(f"{where}: Embedding with max_norm={part.max_norm}")
            layers.append(Embedding(_arrays(part)["weight"]))
        else:
            raise UnsupportedError(
                f"{where}: expected {_EXPECTED}; got {type(part).__module__}."
                f"{type(part).__qualname__}"
            )
    if len(set(firsts.values())) > 1:
        said = ", ".join(f"{name}: {first}" for name, first in firsts.items())
        raise UnsupportedError(f"module: recurrent modules differ in batch_first ({said})")
    return Found(ModelSpec(tuple(layers)), any(firsts.values()))


def _parts(name: str, module: Any) -> Iterator[tuple[str, Any]]:
    """What a Sequential runs, one after another, with the names of the ways there."""
    if kind_of(module) != "Sequential":
        yield name, module
        return
    _without_hooks(f"module[{name}]" if name else "module", module)
    for key, part in module._modules.items():  # named_children() names a repeated one only once
        yield from _parts(f"{name}.{key}" if name else key, part)


def _activate(where: str, module: Any, kind: str, layers: list[Layer]) -> None:
    """A module of an activation: that of the Linear before it, or a layer by itself."""
    if getattr(module, "dim", -1) not in (-1, 2):
        raise UnsupportedError(
            f"{where}: {type(module).__name__} with dim={module.dim}; expected -1, the features"
        )
    last = layers[-1] if layers else None
    if kind in ACTIVATIONS and isinstance(last, Linear) and last.activation == "identity":
        layers[-1] = Linear(last.weight, last.bias, ACTIVATIONS[kind])
    elif f := function_of(kind, module):
        layers.append(Elementwise(f.name, *f.constants))
    else:
        raise UnsupportedError(
            f"{where}: {module}: expected beta=1 and a threshold of at least 20"
            if kind in FUNCTIONS
            else f"{where}: {type(module).__name__} not directly behind a Linear"
        )
