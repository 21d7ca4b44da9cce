"""``accelerate`` and ``restore``: the recurrent modules inside a module of PyTorch's."""

from __future__ import annotations

from typing import Any, TypeVar

from . import _core
from .errors import OptionError, UnsupportedError
from .tensors import torch_if_loaded
from .warn import warn

Module = TypeVar("Module")


def accelerate(module: Module, num_threads: int | None = None) -> Module:
    """Have every RNN, GRU and LSTM inside a module of PyTorch's run here, for inference.

    Each ``torch.nn.RNN``, ``GRU``, ``LSTM``, ``RNNCell``, ``GRUCell`` and ``LSTMCell``, at any
    depth, stays the object that it is, with its parameters, ``state_dict()``, attributes and hooks;
    its class becomes one derived from its own, which takes and returns the same tensors. All else
    runs as before. A copy and a pickle of the module are accelerated too.

    Weights that change later (``load_state_dict``, an optimizer's step) are seen, and packed anew
    at the next call. Writes that PyTorch does not count are not, through ``.data`` and to tensors
    made under ``inference_mode``: call this again after one.

    Parameters
    ----------
    module
        A ``torch.nn.Module``, changed in place. Its recurrent modules are on the CPU and of float32
        or float64; a warning names those that are not, or whose class is derived, which stay with
        PyTorch.
    num_threads
        As of :class:`Model`. A second call sets it anew.

    Returns
    -------
    module
        The argument. :func:`restore` undoes it.

    Raises
    ------
    OptionError
        ``module`` is not a module of PyTorch's.
    UnsupportedError
        There is no recurrent module in it. A call of an accelerated module raises it where
        gradients are wanted, in training mode with dropout, and where it is traced or exported.
    """
    _expect_module(module)
    _core.as_num_threads(num_threads)
    from . import accelerated

    left, done = [], 0
    for name, part in module.named_modules():  # type: ignore[attr-defined]
        if not accelerated.is_recurrent(part):
            continue
        why = accelerated.swap(part, num_threads)
        done += why is None
        if why is not None:
            left.append(f"{name or 'the module itself'} ({why})")
    if left:
        warn(f"left to PyTorch: {', '.join(left)}")
    elif not done:
        raise UnsupportedError(
            "module: expected one that holds a torch.nn.RNN, GRU, LSTM or a cell of these; there "
            f"is none in this {type(module).__name__}"
        )
    return module


def restore(module: Module) -> Module:
    """Give PyTorch its recurrent modules back: what :func:`accelerate` did is undone, in place.

    Weights are as they are now. Raises ``OptionError`` where ``module`` is none of PyTorch's.
    """
    _expect_module(module)
    from . import accelerated

    for part in module.modules():  # type: ignore[attr-defined]
        accelerated.unswap(part)
    return module


def _expect_module(module: Any) -> None:
    torch = torch_if_loaded()
    if torch is None or not isinstance(module, torch.nn.Module):
        raise OptionError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
