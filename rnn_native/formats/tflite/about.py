"""What a file says of itself."""

from __future__ import annotations

import os
from typing import Final

from .model import Model, Tensor, load

_LONGEST: Final = 200
_SMALL: Final = ("INT4", "UINT4", "INT8", "UINT8", "INT16", "FLOAT16")


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """``producer``, ``min_runtime_version``, the signatures with the names of inputs and outputs,
    how weights are kept and, of integers between operators, that. Errors are those of reading."""
    model = load(path)
    found = {"producer": model.description, "schema_version": "3"}
    version = model.metadata.get("min_runtime_version", b"").rstrip(b"\0")
    found["min_runtime_version"] = version.decode(errors="replace")
    for name, (inputs, outputs) in model.signatures.items():
        found[f"signature {name}"[:_LONGEST]] = f"{', '.join(inputs)} -> {', '.join(outputs)}"
    others = [name for name in model.metadata if name != "min_runtime_version"]
    found["metadata"] = ", ".join(others)
    found |= _numbers(model)
    return {key: value for key, value in found.items() if value}


def _numbers(model: Model) -> dict[str, str]:
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    kinds = dict.fromkeys(
        _kind(one) for one in tensors if one.data is not None and one.element in _SMALL
        and (one.is_quantized or one.element == "FLOAT16") and one.data.size
    )  # fmt: skip
    found = {"weights were": ", ".join(kinds)}
    between = dict.fromkeys(
        one.element.lower() for one in tensors
        if one.data is None and one.is_quantized and not one.is_variable and 0 not in one.sizes
    )  # fmt: skip
    if between:
        found["activations were"] = f"{', '.join(between)}; the model calculates in floats"
    return found


def _kind(tensor: Tensor) -> str:
    several = tensor.scale is not None and len(tensor.scale.scale) > 1
    return tensor.element.lower() + (", a scale each channel" if several else "")
