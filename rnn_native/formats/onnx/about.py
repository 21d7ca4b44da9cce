"""What an ONNX file says of itself: its producer, versions, the strings of metadata_props, and
which other files hold its tensors."""

from __future__ import annotations

import os
from typing import Any

from .graph import parse
from .quantized import described
from .tensors import text


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """``producer``, ``ir_version``, ``opset``, what its weights were quantised to, and whatever
    ``metadata_props`` holds. Tensors kept
    outside the file are not read. Errors are those of reading the model."""
    model, _ = parse(path)
    found = {text(entry.key): text(entry.value) for entry in model.metadata_props}
    named = (text(part) for part in (model.producer_name, model.producer_version) if part)
    opsets = [f"{text(entry.domain)} {entry.version}".strip() for entry in model.opset_import]
    about = {"producer": " ".join(named), "ir_version": str(model.ir_version)}
    about["opset"] = ", ".join(opsets)
    found = described(model) | found
    return found | {key: value for key, value in about.items() if value}


def beside(path: str | os.PathLike[str]) -> list[str]:
    """The locations of all tensors that are kept outside the file, as it has them."""
    model, _ = parse(path)
    found: dict[str, None] = {}
    rest: list[Any] = [model]
    while rest:
        message = rest.pop()
        if message.DESCRIPTOR.name == "TensorProto":
            locations = (e.value for e in message.external_data if e.key == "location")
            found |= dict.fromkeys(map(text, locations))
            continue
        for field, value in message.ListFields():
            if field.message_type is not None:
                rest.extend([value] if hasattr(value, "ListFields") else value)
    return list(found)
