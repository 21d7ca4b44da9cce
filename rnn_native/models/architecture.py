"""Which layers a model has: one recurrent stack, and the output behind it.

``"standard"``: the cells of the field, tanh RNN, GRU and LSTM as PyTorch has them, then a Linear.

``"article"``: the equations of the article "a comparison of the traditional RNN, the GRU and the
LSTM" as they stand there (``rnn_native.reference``), then for GRU and LSTM a Linear. The article's
RNN has its output layer inside, o_t = s(W_ho h_t + W_xo x_t + b_o), which also sees the input; s,
which section 3.1 calls an activation such as the sigmoid, is the model's output activation, as in
the article's section 4, where it is the softmax.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike

from ..errors import OptionError
from ..spec import Linear, ModelSpec, Recurrent, cell_of, recurrent_shapes

CELLS: Final = ("standard", "article")


def build(
    kind: str, cell: str, input_dim: int, hidden_units: int, output_dim: int, num_layers: int,
    dtype: DTypeLike, bidirectional: bool = False,
) -> ModelSpec:  # fmt: skip
    """A model whose weights are all 0 and whose outputs have no activation yet: to be trained."""
    if cell not in CELLS:
        raise OptionError(f"cell: expected one of {', '.join(CELLS)}; got {cell!r}")
    options: dict[str, Any] = {
        "cell": kind,
        "input_size": input_dim,
        "hidden_size": hidden_units,
        "num_layers": num_layers,
        "direction": "bidirectional" if bidirectional else "forward",
    }
    if cell == "article":
        options |= cell_of(kind).article
        if "output_nonlinearity" in options:
            options["output_layer"] = output_dim
    weights = {name: np.zeros(shape, dtype) for name, shape in recurrent_shapes(**options)}
    recurrent = Recurrent(weights=weights, **options)
    if "output_layer" in options:
        return ModelSpec((recurrent,))
    weight = np.zeros((output_dim, recurrent.output_size), dtype)
    return ModelSpec((recurrent, Linear(weight, np.zeros(output_dim, dtype))))


def with_activation(spec: ModelSpec, activation: str) -> ModelSpec:
    """The same model, its outputs activated: for predicting."""
    *layers, last = spec.layers
    return ModelSpec((*layers, last.with_activation(activation)))


def num_parameters(kind: str, cell: str, input_dim: int, hidden_units: int, output_dim: int) -> int:
    """Of a model of one layer."""
    return build(kind, cell, input_dim, hidden_units, output_dim, 1, "float32").num_parameters
