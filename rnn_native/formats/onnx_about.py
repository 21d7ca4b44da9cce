"""What an ONNX file says of itself: its producer, versions, and the strings of metadata_props."""

from __future__ import annotations

import os

from .onnx_graph import parse
from .onnx_tensors import text


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """``producer``, ``ir_version``, ``opset`` and whatever ``metadata_props`` holds. Tensors kept
    outside the file are not read. Errors are those of reading the model."""
    model, _ = parse(path)
    found = {text(entry.key): text(entry.value) for entry in model.metadata_props}
    named = (text(part) for part in (model.producer_name, model.producer_version) if part)
    opsets = [f"{text(entry.domain)} {entry.version}".strip() for entry in model.opset_import]
    about = {"producer": " ".join(named), "ir_version": str(model.ir_version)}
    about["opset"] = ", ".join(opsets)
    return found | {key: value for key, value in about.items() if value}
