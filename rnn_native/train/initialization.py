"""Initial weights: PyTorch's uniform, and two changes to it that help recurrent networks.

Of a recurrent layer and a Linear every array is uniform in +-1/sqrt(n), n its hidden_size or its
number of inputs; of an Embedding normal with a standard deviation of 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from .checks import finite, whole
from .optimizers import Trainable


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
        forgets = (layer for layer in net.spec.recurrents if layer.rows_of("f"))
        if not any(layer.bias for layer in forgets):
            raise OptionError("forget_bias: expected None, as no layer is an LSTM with biases")
    rng = np.random.default_rng(whole("seed", seed, 0))
    for index, layer in enumerate(net.spec.layers):
        arrays = {name: net.weights[f"{index}.{name}"] for name in layer.arrays}
        inputs, forget = layer.fan_in, layer.rows_of("f")
        for array in arrays.values():
            array[...] = (
                rng.standard_normal(array.shape)
                if inputs is None
                else rng.uniform(-(inputs**-0.5), inputs**-0.5, array.shape)
            )
        for name in layer.state_matrices if recurrent == "orthogonal" else ():
            assert inputs is not None
            _orthogonal_blocks(arrays[name], inputs, rng)
        for name in arrays if forget and forget_bias is not None else ():
            if name.startswith("bias"):
                # The gate has the sum of both biases, where there are two.
                arrays[name][forget] = forget_bias if name.startswith("bias_ih") else 0.0
    net.update()


def _orthogonal_blocks(array: NDArray[Any], rows: int, rng: np.random.Generator) -> None:
    """Orthogonal columns (with a projection there are fewer of them than rows) in each block."""
    for top in range(0, array.shape[0], rows):
        q, r = np.linalg.qr(rng.standard_normal((rows, array.shape[1])))
        array[top : top + rows] = q * np.sign(np.diag(r))
