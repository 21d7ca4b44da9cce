"""PyTorch's tensors as NumPy arrays and back, without importing it: it is there if one came."""

from __future__ import annotations

import sys
from typing import Any

from numpy.typing import NDArray

from .errors import DTypeError, UnsupportedError


def torch_if_loaded() -> Any:
    """The module ``torch``, or None where nobody has imported it."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "Tensor") else None


def is_tensor(value: Any) -> bool:
    torch = torch_if_loaded()
    return torch is not None and isinstance(value, torch.Tensor)


def array_of(where: str, tensor: Any, any_device: bool = True) -> NDArray[Any]:
    """A tensor as an array: its own memory where possible, without its gradient.

    bfloat16, which NumPy does not have, becomes float32. A tensor on another device is copied to
    the CPU, or refused with an ``UnsupportedError``; so is one without strides, or without data.
    """
    torch = torch_if_loaded()
    tensor = tensor.detach()
    odd = tensor.is_quantized or tensor.is_meta or tensor.is_nested
    if odd or tensor.layout is not torch.strided:
        raise UnsupportedError(
            f"{where}: expected a dense tensor, got {tensor.dtype}, {tensor.layout}, "
            f"device {tensor.device}"
        )
    if tensor.device.type != "cpu":
        if not any_device:
            raise UnsupportedError(
                f"{where}: expected a tensor on the CPU, where this library calculates; "
                f"got one on {tensor.device}"
            )
        tensor = tensor.cpu()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    try:
        array: NDArray[Any] = tensor.resolve_conj().resolve_neg().numpy()
    except (TypeError, RuntimeError) as error:  # RuntimeError: a subclass, such as a MaskedTensor
        kind = type(tensor).__name__
        raise DTypeError(f"{where}: {kind} of {tensor.dtype}: {error}") from error
    return array
