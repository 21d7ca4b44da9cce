"""Products of integers, MatMulInteger and ConvInteger, which Cast and Mul bring back to floats."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ..graph import Anything, Node
from .floats import Floats, inputs

_PRODUCTS: Final = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
_DEEPEST: Final = 6  # of Mul inside of Mul


def product(floats: Floats, node: Node) -> None:
    """A Mul of a product of integers, by the scales of both sides; another Mul stays."""
    factors = _factors(floats, node.outputs[0])
    products = [name for name in factors if _is_product(floats, name)]
    if len(products) != 1:
        return
    of = floats.known.makers[products[0]]
    factors.remove(products[0])
    sides: list[str] = []
    scale = np.ones((), np.float32)
    for i, name in enumerate(of.inputs[:2]):
        zero = of.inputs[i + 2] if len(of.inputs) > i + 2 else ""
        if floats.known.is_constant(name):
            continue
        ends = floats.quantizer(name)
        if ends is None:
            raise node.unsupported(f"{of} multiplies {name!r}: expected what the graph quantises")
        if ends[0] in factors:
            factors.remove(ends[0])
        else:  # a constant, in the product of others
            scale = scale * floats.array(node, ends[0], f"the scale of {name!r} as a factor")
        sides.append(floats.real(of, (name, ends[0], zero)))
    rest = [floats.array(node, name, "a factor of integers") for name in factors]
    number = np.asarray(_product(rest) / scale)
    if len(sides) == 2:
        made = _put(floats, of, sides, floats.rewriting.name(f"{node.outputs[0]}/product"))
        by = floats.rewriting.constant(f"{node.outputs[0]}/scale", number)
        floats.rewriting.add(node, "Mul", [made, by], node.outputs, node.name)
        return
    if not sides or floats.known.is_constant(of.inputs[0]):
        raise node.unsupported(f"{of}: expected values, multiplied by weights")
    _put(floats, of, [sides[0], _weights(floats, node, of, number)], node.outputs[0])


def _product(arrays: list[Anything]) -> Anything:
    found: Anything = np.ones((), np.float32)
    for array in arrays:
        found = found * array
    return found


def _weights(floats: Floats, node: Node, of: Node, scale: Anything) -> str:
    """The second operand of ``of`` with the scale that the result is multiplied by."""
    array = floats.array(of, of.inputs[1], "weights")
    is_conv = of.op == "ConvInteger"
    axis = 0 if is_conv else -1
    count = array.shape[axis] if array.ndim else 1
    behind = array.ndim - 2 if is_conv else 0
    shape = (count, *[1] * behind)
    if scale.size != 1 and (scale.size != count or scale.shape[-len(shape) :] != shape):
        raise node.unsupported(f"scales of shape {scale.shape} for weights of {array.shape}")
    name = floats.rewriting.constant(f"{node.outputs[0]}/scale", scale.reshape(-1))
    zero = of.inputs[3] if len(of.inputs) > 3 else ""
    return floats.real(of, (of.inputs[1], name, zero), axis)


def _put(floats: Floats, of: Node, operands: list[str], output: str) -> str:
    made = replace(
        of, op=_PRODUCTS[of.op], domain="", inputs=tuple(operands), outputs=(output,),
        result=floats.graph.infos.get(output),
    )  # fmt: skip
    floats.rewriting.put(made)
    return output


def _factors(floats: Floats, name: str, depth: int = 0) -> list[str]:
    """The tensors that one is the product of, Casts left out."""
    maker = floats.known.makers.get(name)
    if maker is None or maker.domain or floats.known.is_constant(name):
        return [name]
    if maker.op == "Mul" and depth < _DEEPEST and len(maker.inputs) == 2:
        return [one for x in maker.inputs for one in _factors(floats, x, depth + 1)]
    if maker.op in ("Cast", "Identity") and depth < _DEEPEST and maker.inputs:
        return _factors(floats, maker.inputs[0], depth + 1)
    return [name]


def _is_product(floats: Floats, name: str) -> bool:
    maker = floats.known.makers.get(name)
    return maker is not None and maker.op in _PRODUCTS and not maker.domain


def scaled_product(floats: Floats, node: Node) -> None:
    """MatMulIntegerToFloat: a product with its scales and a bias."""
    a, b, a_scale, b_scale, a_zero, b_zero, bias = inputs(node, 4, 7)
    left = floats.real(node, (a, a_scale, a_zero))
    _biased(floats, node, left, floats.real(node, (b, b_scale, b_zero), axis=-1), bias)


def dynamic_matmul(floats: Floats, node: Node) -> None:
    """DynamicQuantizeMatMul: of floats by weights with a scale."""
    a, b, scale, zero, bias = inputs(node, 3, 5)
    _biased(floats, node, a, floats.real(node, (b, scale, zero), axis=-1), bias)


def _biased(floats: Floats, node: Node, left: str, right: str, bias: str) -> None:
    to = floats.rewriting
    if not bias:
        to.add(node, "MatMul", [left, right], node.outputs, node.name)
        return
    made = to.name(f"{node.outputs[0]}/product")
    to.add(node, "MatMul", [left, right], [made], node.name)
    to.add(node, "Add", [made, bias], node.outputs)
