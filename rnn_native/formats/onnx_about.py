"""What an ONNX file says of itself: its producer, versions, and the strings of metadata_props."""

from __future__ import annotations

import importlib
import os

from ..errors import FormatError, UnsupportedError


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """``producer``, ``ir_version``, ``opset`` and whatever ``metadata_props`` holds. Tensors kept
    outside the file are not read. Errors are those of reading the model."""
    try:
        import onnx
    except ImportError as error:
        raise UnsupportedError(
            "ONNX files need the onnx package: pip install rnn_native[onnx]"
        ) from error
    malformed: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    model = onnx.ModelProto()
    with open(path, "rb") as file:
        try:
            model.ParseFromString(file.read())
        except malformed as error:
            raise FormatError(f"not an ONNX model: {error}") from error
    found = {entry.key: entry.value for entry in model.metadata_props}
    producer = " ".join(part for part in (model.producer_name, model.producer_version) if part)
    opsets = [f"{entry.domain} {entry.version}".strip() for entry in model.opset_import]
    about = {"producer": producer, "ir_version": str(model.ir_version), "opset": ", ".join(opsets)}
    return found | {key: text for key, text in about.items() if text}
