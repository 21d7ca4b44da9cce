"""What a file says of its quantisation: of which types its weights and its values are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ...metadata import QUANTIZED
from ..graph import bodies_of
from ..tensors import element_name
from .ends import place_of_ends
from .qlinear import QLINEAR

_WEIGHTS: Final = frozenset(
    (
        "ConvInteger", "DequantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul",
        "GatherBlockQuantized", "MatMulInteger", "MatMulIntegerToFloat", *QLINEAR,
    )
)  # fmt: skip
"""The operators that read quantised weights; of MatMulNBits an attribute says how many bits."""
_ELEMENTS: Final = ("int4", "uint4", "int8", "uint8", "int16", "uint16")


def described(model: Any) -> dict[str, str]:
    """Under the key ``metadata.QUANTIZED`` the types of weights, and those of values whose range
    the file fixes: ``weights int8; values uint8``; nothing of a file without such weights."""
    graphs = list(_graphs(model.graph))
    tensors = {t.name: t for graph in graphs for t in graph.initializer}
    types = {name: element_name(tensor.data_type).lower() for name, tensor in tensors.items()}
    weights: dict[str, None] = {}
    values: dict[str, None] = {}
    nodes = [node for graph in graphs for node in graph.node]
    if any(node.op_type in _WEIGHTS for node in nodes):
        weights |= {
            types[name]: None
            for name, tensor in tensors.items()
            if len(tensor.dims) > 1 and types[name] in _ELEMENTS
        }
    for node in nodes:
        if node.op_type == "MatMulNBits":
            bits = next((a.i for a in node.attribute if a.name == "bits"), 4)
            weights[f"uint{bits}"] = None
        at = place_of_ends(node.op_type)
        if at is not None and node.input[:1] and node.input[0] not in types:
            zero = node.input[at + 1] if len(node.input) > at + 1 else ""
            values[types.get(zero, "uint8")] = None
    said = [
        f"{what} {', '.join(found)}"
        for what, found in (("weights", weights), ("values", values if weights else {}))
        if found
    ]
    return {QUANTIZED: "; ".join(said)} if said else {}


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph, and those inside of its nodes."""
    pending = [graph]
    while pending:
        one = pending.pop()
        yield one
        pending += [body for node in one.node for _, body in bodies_of(node)]
