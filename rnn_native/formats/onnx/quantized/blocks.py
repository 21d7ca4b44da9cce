"""Weights of few bits with a scale for each block of them: onnxruntime's MatMulNBits and
GatherBlockQuantized."""

from __future__ import annotations

import numpy as np

from ..graph import Anything, Node
from .floats import Floats, inputs


def matmul_of_blocks(floats: Floats, node: Node) -> None:
    """MatMulNBits: A times the transpose of B [N, K], each row in blocks along K."""
    a, b, scales, zeros, order, bias = inputs(node, 3, 6)
    options = node.options(
        K=("int", 0), N=("int", 0), bits=("int", 4), block_size=("int", 0),
        accuracy_level=("int", 0), weight_prepacked=("int", 0),
    )  # fmt: skip
    rows, columns, bits, block = (options[key] for key in ("N", "K", "bits", "block_size"))
    if order or options["weight_prepacked"] or bits not in (2, 4, 8):
        raise node.unsupported(f"bits={bits}, g_idx or prepacked weights: only of 2, 4 or 8 bits")
    if not (rows > 0 and columns > 0 and block > 0):
        raise node.malformed(f"N={rows}, K={columns}, block_size={block}: expected above 0")
    count = -(-columns // block)
    node.contents.budget.check(str(node), 4 * rows * count * block)
    packed = floats.array(node, b, "B")
    if packed.size * 8 < rows * count * block * bits or packed.dtype != np.uint8:
        raise node.malformed(f"B: {packed.dtype} {packed.shape} for N={rows}, K={columns}")
    weight = unpacked(packed.reshape(rows, -1), bits)[:, : count * block].astype(np.float32)
    each = floats.array(node, scales, "scales").astype(np.float32)
    scale = each.reshape(rows, count)
    weight = weight.reshape(rows, count, block)
    weight -= _zeros(floats, node, zeros, bits, (rows, count))[..., None]
    weight *= scale[..., None]
    node.contents.budget.take(str(node), weight.nbytes)
    right = floats.rewriting.constant(f"{b}/float", weight.reshape(rows, -1)[:, :columns].T)
    to = floats.rewriting
    made = to.name(f"{node.outputs[0]}/product") if bias else node.outputs[0]
    to.add(node, "MatMul", [a, right], [made], node.name)
    if bias:
        to.add(node, "Add", [made, bias], node.outputs)


def _zeros(floats: Floats, node: Node, name: str, bits: int, shape: tuple[int, int]) -> Anything:
    """The zero point of each block: half the range where none is given."""
    if not name:
        return np.full(shape, 2.0 ** (bits - 1), np.float32)
    array = floats.array(node, name, "zero_points")
    if array.dtype == np.uint8:
        array = unpacked(array.reshape(shape[0], -1), bits)[:, : shape[1]]
    return array.reshape(shape).astype(np.float32)


def unpacked(packed: Anything, bits: int) -> Anything:
    """Integers of few bits, the lowest of a byte first, as bytes along the last axis."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts = (packed[..., None] >> shifts) & np.uint8(2**bits - 1)
    made: Anything = parts.reshape(*packed.shape[:-1], -1)
    return made


def gathered_blocks(floats: Floats, node: Node) -> None:
    """GatherBlockQuantized: a Gather of a table with a scale for each block along an axis."""
    table, indices, scales, zeros = inputs(node, 3, 4)
    options = node.options(
        gather_axis=("int", 0), quantize_axis=("int", 1), block_size=("int", 128), bits=("int", 4)
    )
    array = floats.array(node, table, "data")
    if array.dtype.name not in ("int4", "uint4"):
        raise node.unsupported(f"data of {array.dtype}: expected int4 or uint4")
    to = floats.rewriting
    given = [table, scales, zeros] if zeros else [table, scales]
    axis, size = options["quantize_axis"], options["block_size"]
    made = to.name(f"{table}/float")
    to.add(node, "DequantizeLinear", given, [made], axis=axis, block_size=size)
    to.add(node, "Gather", [made, indices], node.outputs, node.name, axis=options["gather_axis"])
