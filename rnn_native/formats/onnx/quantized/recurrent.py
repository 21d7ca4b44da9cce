"""DynamicQuantizeLSTM of onnxruntime: an LSTM whose W and R are integers, and whose x and h are
rounded at each step with a scale of their own.

W [D, input, 4H] and R [D, H, 4H] are the transposed ones of LSTM; scales and zero points are one of
each direction, [D], or of each direction and column, [D, 4H]; the gates are those of LSTM.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ..graph import Node
from .floats import Floats, inputs

OP: Final = "DynamicQuantizeLSTM"


def lstm(floats: Floats, node: Node) -> None:
    """An LSTM with the weights as they are dequantised."""
    x, w, r, *rest, w_scale, w_zero, r_scale, r_zero = inputs(node, 3, 12)
    made = [
        _weights(floats, node, *names)
        for names in (("W", w, w_scale, w_zero), ("R", r, r_scale, r_zero))
    ]
    floats.rewriting.put(replace(node, op="LSTM", domain="", inputs=(x, *made, *rest)))


def _weights(floats: Floats, node: Node, what: str, name: str, scale: str, zero: str) -> str:
    array = floats.array(node, name, what)
    if array.ndim != 3 or 0 in array.shape or array.dtype.name not in ("int8", "uint8"):
        raise node.malformed(
            f"{what}: expected int8 or uint8 of rank 3, got {array.dtype} {array.shape}"
        )
    directions, rows, columns = array.shape
    given = [name]
    for kind, own in (("scale", scale), ("zero point", zero)):
        numbers = floats.array(node, own, f"{kind} of {what}")
        if numbers.shape not in ((directions,), (directions, columns)):
            raise node.malformed(
                f"{kind} of {what}: expected shape {(directions,)} or {(directions, columns)}, "
                f"got {numbers.shape}"
            )
        wide = np.broadcast_to(numbers.reshape(directions, 1, -1), (directions, 1, columns))
        given.append(floats.rewriting.constant(f"{own}/{what}", wide))
    dequantised = floats.rewriting.name(f"{name}/float")
    to = floats.rewriting
    to.add(node, "DequantizeLinear", given, [dequantised], axis=1, block_size=rows)
    transposed = to.name(f"{name}/{what}")
    return to.add(node, "Transpose", [dequantised], [transposed], perm=[0, 2, 1])[0]
