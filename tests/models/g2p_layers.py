"""The layers of g2p_en, letters to phonemes, out of the weights that come with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rnn_native.spec import Embedding, Linear, ModelSpec, Recurrent

Arrays = dict[str, NDArray[np.float32]]
_NAMES = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}


def load(package_file: Callable[[str, str], Path]) -> Arrays:
    with np.load(package_file("g2p_en", "g2p_en/checkpoint20.npz")) as file:
        return dict(file)


def _gru(arrays: Arrays, part: str) -> tuple[Embedding, Recurrent]:
    weights = {f"{ours}_l0": arrays[f"{part}_{theirs}"] for theirs, ours in _NAMES.items()}
    return Embedding(arrays[f"{part}_emb"]), Recurrent("gru", 256, 256, weights)


def encoder(arrays: Arrays) -> ModelSpec:
    return ModelSpec(_gru(arrays, "enc"))


def decoder(arrays: Arrays) -> ModelSpec:
    return ModelSpec((*_gru(arrays, "dec"), Linear(arrays["fc_w"], arrays["fc_b"])))
