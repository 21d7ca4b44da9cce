"""Quantised graphs as the graphs of floats that they stand for.

``dequantised`` is a pass over the nodes before any of them is read. What it leaves are operators of
floats: weights are what DequantizeLinear makes of their integers, and values are what they were
before they were rounded. Scales and zero points that a call finds from its own values
(DynamicQuantizeLinear, DynamicQuantizeLSTM) go with the integers; a range that the file fixes
(QuantizeLinear) stays as a Clip, so that the only difference to the integers is their rounding.
What is quantised in another way stays, as a node that says why it is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ....errors import RnnError
from ..cells.known import is_well_formed
from ..graph import Graph, Node, Refused
from .blocks import gathered_blocks, matmul_of_blocks
from .floats import Floats
from .products import dynamic_matmul, product, scaled_product
from .qlinear import QLINEAR, of_outputs
from .recurrent import OP as OP
from .recurrent import lstm
from .said import described as described

_HANDLERS: Final[Mapping[str, Callable[[Floats, Node], None]]] = MappingProxyType(
    {
        "DequantizeLinear": Floats.dequantize,
        "DynamicQuantizeMatMul": dynamic_matmul,
        "GatherBlockQuantized": gathered_blocks,
        "MatMulIntegerToFloat": scaled_product,
        "MatMulNBits": matmul_of_blocks,
        "Mul": product,
        "QGemm": of_outputs,
        OP: lstm,
    }
)
_DOMAINS: Final = ("", "com.microsoft")


def dequantised(graph: Graph) -> Graph:
    """The graph without quantisation, which may be itself."""
    used = {node.op for node in graph.nodes}
    if used.isdisjoint(_HANDLERS.keys() - {"Mul"} | {"MatMulInteger", "ConvInteger"}):
        return graph
    if not is_well_formed(graph):  # which is for ``interpret`` to say
        return graph
    floats = Floats(graph, QLINEAR)
    for node in graph.nodes:
        handler = _HANDLERS.get(node.op) if node.domain in _DOMAINS else None
        if handler is None:
            continue
        try:
            handler(floats, node)
        except RnnError as error:
            floats.rewriting.put(Refused.of(node, error))
        except (ValueError, IndexError, TypeError, ArithmeticError) as error:  # of NumPy
            floats.rewriting.put(Refused.of(node, node.malformed(str(error))))
    return floats.rewriting.finish()


def as_lstm(graph: Graph, node: Node) -> tuple[Graph, Node]:
    """The LSTM that a DynamicQuantizeLSTM of the graph stands for, and the graph with it."""
    floats = Floats(graph, QLINEAR)
    lstm(floats, node)
    made = floats.rewriting.finish()
    found = [one for one in made.nodes if one.op == "LSTM" and one.outputs == node.outputs]
    if not found:  # of a graph that goes in circles
        raise node.malformed("reads what is made of its own outputs, or these are made twice")
    return made, found[0]
