"""A model whose matrices are the int8 weights that are best on calibration data."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np

from ..spec import ModelSpec
from ..spec.stored import stored_layer
from .calibration import Batch
from .operands import Operands
from .second_order import int8_weight_for


def chosen(spec: ModelSpec, batches: Sequence[Batch], without: Set[str]) -> ModelSpec:
    """The same layers, their matrices as int8 has them, widened; those of ``without`` as they are.
    What no product of the data has is rounded plainly."""
    operands = Operands(spec)
    for batch in batches:
        operands.read(batch)
    arrays = {
        name: dict(stored_layer(name, spec.nodes[name].layer, "int8").arrays)
        for name in spec.reducible
        if name not in without
    }
    for block in operands.blocks():
        if block.node in without:
            continue
        weight = spec.nodes[block.node].layer.arrays[block.matrix][block.rows]
        matrix = np.array(arrays[block.node][block.matrix])
        matrix[block.rows] = int8_weight_for(weight, block.sums)
        arrays[block.node][block.matrix] = matrix
    layers = {name: spec.nodes[name].layer for name in arrays}
    return spec.having(
        {name: layer.make(arrays[name], layer.options) for name, layer in layers.items()}
    )
