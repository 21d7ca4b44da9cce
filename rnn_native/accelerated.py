"""Recurrent modules of PyTorch's that run here and stay PyTorch's: what ``accelerate`` makes.

Imported where PyTorch is there already. An accelerated module is the same object as before, with
the same parameters and hooks; its class alone is another one, derived from its own.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch

from .errors import DTypeError, UnsupportedError
from .model import Model
from .spec import ModelSpec
from .torch_modules import TorchCell, TorchRecurrent
from .torch_specs import cell_layer, recurrent_layer

THREADS: Final = "_rnn_native_threads"
PACKED: Final = "_rnn_native_packed"
_INSTEAD: Final = (
    "; run it under torch.inference_mode() or torch.no_grad(), or give PyTorch its modules back "
    "with rn.restore(module)"
)


class _Packed:
    """The packed form of a module's weights, and what tells that these are no longer the same.

    A tensor is told by itself, its memory, which is kept so that no other tensor can come to lie
    there, and its version, in which PyTorch counts writes. It does not count those through
    ``.data``, nor any of a tensor that was made under ``inference_mode``.
    """

    def __init__(self, module: Any, weights: tuple[Any, ...], num_threads: int | None) -> None:
        self.seen = tuple((w, w.detach(), _version(w)) for w in weights)
        dtype = _one_dtype(weights)
        is_cell = isinstance(module, torch.nn.RNNCellBase)
        layer = cell_layer(module) if is_cell else recurrent_layer(module)
        batch_first = False if is_cell else bool(module.batch_first)
        model = Model(ModelSpec((layer,)), batch_first, dtype, num_threads=num_threads)
        self.run = (TorchCell if is_cell else TorchRecurrent)(model)

    def is_of(self, weights: tuple[Any, ...]) -> bool:
        return len(weights) == len(self.seen) and all(
            now is then and now.data_ptr() == memory.data_ptr() and _version(now) == version
            for now, (then, memory, version) in zip(weights, self.seen, strict=True)
        )


def _version(tensor: Any) -> int:
    return 0 if tensor.is_inference() else int(tensor._version)


def _one_dtype(weights: tuple[Any, ...]) -> Any:
    found = {w.dtype for w in weights} | {w.device for w in weights if w.device.type != "cpu"}
    if found not in ({torch.float32}, {torch.float64}):
        raise UnsupportedError(
            "accelerated module: expected weights of float32 or of float64 on the CPU, got "
            f"{', '.join(sorted(map(str, found)))}; rn.restore(module) gives PyTorch its modules "
            "back"
        )
    return np.float32 if found == {torch.float32} else np.float64


class _Accelerated:
    """What is laid over a class of PyTorch's: ``forward``, and that copies pack for themselves."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """PyTorch's call, shapes and tensors.

        Raises ``UnsupportedError`` where gradients are wanted, in training mode with dropout, and
        where the call is traced or exported; ``DTypeError`` where an argument is of another type
        than the weights; and what the callables of ``from_torch`` raise.
        """
        module: Any = self
        if torch.is_autocast_enabled("cpu"):  # which says what type is calculated in
            return super().forward(input, hx)  # type: ignore[misc]
        weights = tuple(getattr(module, name) for name in weight_names(module))
        _refuse(module, input, hx, weights)
        packed = module.__dict__.get(PACKED)
        if packed is None or not packed.is_of(weights):
            packed = _Packed(module, weights, module.__dict__[THREADS])
            module.__dict__[PACKED] = packed
        return packed.run(input, hx)

    def __getstate__(self) -> dict[str, Any]:
        """Without the packed form: a copy, or what a pickle becomes, packs its own weights."""
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != PACKED}


def weight_names(module: Any) -> list[str]:
    """The parameters that the class of a module calls for."""
    if isinstance(module, torch.nn.RNNCellBase):
        names = ["weight_ih", "weight_hh"]
        return [*names, "bias_ih", "bias_hh"] if module.bias else names
    return list(module._flat_weights_names)


def _refuse(module: Any, input: Any, hx: Any, weights: tuple[Any, ...]) -> None:
    """Raises what ``forward`` does of a call that would have other results than PyTorch's."""
    name = type(module).__name__
    if torch.jit.is_tracing() or torch.compiler.is_exporting():
        raise UnsupportedError(
            f"{name}: a traced or exported graph would hold its results as constants; call "
            "rn.restore(module) before"
        )
    if module.training and getattr(module, "dropout", 0) and module.num_layers > 1:
        raise UnsupportedError(
            f"{name}: training mode with dropout={module.dropout}; call module.eval(), or "
            "rn.restore(module) to train"
        )
    data = input.data if isinstance(input, torch.nn.utils.rnn.PackedSequence) else input
    states = hx if isinstance(hx, (tuple, list)) else () if hx is None else (hx,)
    for what, value in (("input", data), *(("hx", state) for state in states)):
        if not isinstance(value, torch.Tensor):
            raise DTypeError(f"{name} {what}: expected a tensor, got {type(value).__name__}")
        if value.dtype != weights[0].dtype:
            raise DTypeError(
                f"{name} {what}: expected {weights[0].dtype} as its weights are, got {value.dtype}"
            )
    if torch.is_grad_enabled() and any(t.requires_grad for t in (data, *states, *weights)):
        raise UnsupportedError(f"{name}: gradients: none are calculated here{_INSTEAD}")


# Module-level classes by name: a pickle of a whole module finds them.
class AcceleratedRNN(_Accelerated, torch.nn.RNN):  # type: ignore[misc]
    """``torch.nn.RNN``, run by rnn_native."""

    accelerates = torch.nn.RNN


class AcceleratedGRU(_Accelerated, torch.nn.GRU):  # type: ignore[misc]
    """``torch.nn.GRU``, run by rnn_native."""

    accelerates = torch.nn.GRU


class AcceleratedLSTM(_Accelerated, torch.nn.LSTM):  # type: ignore[misc]
    """``torch.nn.LSTM``, run by rnn_native."""

    accelerates = torch.nn.LSTM


class AcceleratedRNNCell(_Accelerated, torch.nn.RNNCell):  # type: ignore[misc]
    """``torch.nn.RNNCell``, run by rnn_native."""

    accelerates = torch.nn.RNNCell


class AcceleratedGRUCell(_Accelerated, torch.nn.GRUCell):  # type: ignore[misc]
    """``torch.nn.GRUCell``, run by rnn_native."""

    accelerates = torch.nn.GRUCell


class AcceleratedLSTMCell(_Accelerated, torch.nn.LSTMCell):  # type: ignore[misc]
    """``torch.nn.LSTMCell``, run by rnn_native."""

    accelerates = torch.nn.LSTMCell


CLASSES: Final[dict[type, type]] = {
    new.accelerates: new
    for new in (
        AcceleratedRNN, AcceleratedGRU, AcceleratedLSTM,
        AcceleratedRNNCell, AcceleratedGRUCell, AcceleratedLSTMCell,
    )
}  # fmt: skip
ORIGINALS: Final[dict[type, type]] = {new: old for old, new in CLASSES.items()}


def swap(module: Any, num_threads: int | None) -> str | None:
    """Make one module an accelerated one, or say why it is left to PyTorch."""
    found = type(module)
    if found not in CLASSES and found not in ORIGINALS:
        return f"of {found.__module__}.{found.__qualname__}, whose forward may be another"
    names = weight_names(module)
    if lacking := [name for name in names if name not in module._parameters]:
        return f"{', '.join(lacking)} are calculated anew for each call"
    weights = tuple(module._parameters[name] for name in names)
    if any(w.device.type != "cpu" for w in weights):
        return f"on {weights[0].device}"
    dtypes = {w.dtype for w in weights}
    if dtypes not in ({torch.float32}, {torch.float64}):
        return f"of {', '.join(sorted(str(dtype) for dtype in dtypes))}"
    packed = _Packed(module, weights, num_threads)
    module.__dict__ |= {THREADS: num_threads, PACKED: packed}
    module.__class__ = CLASSES.get(found, found)
    return None


def unswap(module: Any) -> None:
    if original := ORIGINALS.get(type(module)):
        module.__class__ = original
        for name in (THREADS, PACKED):
            module.__dict__.pop(name, None)


def is_recurrent(module: Any) -> bool:
    """Whether it is, or is derived from, or is a scripted one of PyTorch's recurrent modules."""
    if isinstance(module, torch.jit.ScriptModule):
        return getattr(module, "original_name", "") in {known.__name__ for known in CLASSES}
    return isinstance(module, (torch.nn.RNNBase, torch.nn.RNNCellBase))
