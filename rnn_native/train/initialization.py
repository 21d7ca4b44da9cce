"""Initial weights: PyTorch's uniform, and two changes to it that help recurrent networks.

Of a recurrent layer and a Linear every array is uniform in +-1/sqrt(n), n its hidden_size or its
number of inputs; of an Embedding normal with a standard deviation of 1.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..spec import Embedding, Recurrent
from .checks import finite, whole
from .optimizers import Trainable

_RECURRENT: Final = ("weight_hh", "weight_gh", "weight_ch")


def initialize(
    net: Trainable, seed: int, recurrent: str = "uniform", forget_bias: float | None = None
) -> None:
    """Set all weights of a network anew, in place; the same seed gives the same bits.

    Parameters
    ----------
    seed
        Of ``numpy.random.default_rng``; an integer of at least 0.
    recurrent
        ``"uniform"``, or ``"orthogonal"``: each gate's block of ``weight_hh``, and in the cells
        whose gates recur on gates of ``weight_gh`` and ``weight_ch``, a random orthogonal matrix
        (Saxe et al. 2014), which neither shrinks nor stretches a state.
    forget_bias
        What the forget gates of an LSTM's layers begin with, in place of something near 0, so
        that the cell remembers before it has learnt to (Gers et al. 2000; Jozefowicz et al. 2015
        recommend 1).

    Raises ``OptionError`` for an unknown ``recurrent``, for a ``seed`` or a ``forget_bias`` that is
    no such number, and for a ``forget_bias`` where no LSTM has a bias.
    """
    if recurrent not in ("uniform", "orthogonal"):
        raise OptionError(f"recurrent: expected one of uniform, orthogonal; got {recurrent!r}")
    if forget_bias is not None:
        forget_bias = finite("forget_bias", forget_bias)
        if not any(layer.cell == "lstm" and layer.bias for layer in net.spec.recurrents):
            raise OptionError("forget_bias: expected None, as no layer is an LSTM with biases")
    rng = np.random.default_rng(whole("seed", seed, 0))
    for index, layer in enumerate(net.spec.layers):
        arrays = {name: net.weights[f"{index}.{name}"] for name in layer.arrays}
        if isinstance(layer, Embedding):
            arrays["weight"][...] = rng.standard_normal(layer.weight.shape)
            continue
        inputs = layer.hidden_size if isinstance(layer, Recurrent) else layer.input_size
        for array in arrays.values():
            array[...] = rng.uniform(-(inputs**-0.5), inputs**-0.5, array.shape)
        if not isinstance(layer, Recurrent):
            continue
        for name, array in arrays.items():
            if recurrent == "orthogonal" and name.startswith(_RECURRENT):
                _orthogonal_blocks(array, layer.hidden_size, rng)
            if layer.cell == "lstm" and forget_bias is not None and name.startswith("bias"):
                # The gate has the sum of both biases, where there are two.
                value = forget_bias if name.startswith("bias_ih") else 0.0
                array[layer.hidden_size : 2 * layer.hidden_size] = value
    net.update()


def _orthogonal_blocks(array: NDArray[Any], rows: int, rng: np.random.Generator) -> None:
    """Orthogonal columns (with a projection there are fewer of them than rows) in each block."""
    for top in range(0, array.shape[0], rows):
        q, r = np.linalg.qr(rng.standard_normal((rows, array.shape[1])))
        array[top : top + rows] = q * np.sign(np.diag(r))
