"""W, R, B and P of ONNX's recurrent operators, of a Recurrent of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spec import Recurrent
from ..gates import reordered
from .recurrent import ORDER


def onnx_weights(layer: Recurrent, level: int) -> list[NDArray[Any] | None]:
    """W, R, B and P of one layer of a stack; the inverse of what ``recurrent`` reads."""
    order = np.argsort(ORDER[layer.cell]).tolist()  # the inverse

    def stacked(*names: str) -> NDArray[Any]:
        return np.stack(
            [
                np.concatenate(
                    [reordered(layer.arrays[f"{n}_l{level}{end}"], order) for n in names]
                )
                for end in layer.suffixes
            ]
        )

    peepholes = None
    if layer.peephole:
        peepholes = np.stack(
            [
                np.concatenate([layer.arrays[f"weight_c{gate}_l{level}{end}"] for gate in "iof"])
                for end in layer.suffixes
            ]
        )
    return [
        stacked("weight_ih"),
        stacked("weight_hh"),
        stacked("bias_ih", "bias_hh") if layer.bias else None,
        peepholes,
    ]
