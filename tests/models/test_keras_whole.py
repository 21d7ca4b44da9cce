"""Trained Keras models with convolutions that load whole, against the same layers in Keras.

Keras 3 does not read files of that age; its layers take their arrays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("h5py")

import h5py
import keras
from keras import layers as known

from rnn_native import formats

pytestmark = [
    pytest.mark.models,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
OPTIONS = (
    "activation", "dilation_rate", "filters", "input_dim", "kernel_size", "output_dim", "padding",
    "pool_size", "recurrent_activation", "return_sequences", "strides", "units", "use_bias",
)  # fmt: skip


def oracle(path: Path, x: NDArray[Any]) -> Any:
    """A straight model, layer by layer."""
    y: Any = x
    with h5py.File(path) as file:
        config = json.loads(file.attrs["model_config"])["config"]
        for one in config["layers"]:
            options = one["config"]
            if one["class_name"] in ("InputLayer", "Dropout"):
                continue
            kept = {name: options[name] for name in OPTIONS if name in options}
            layer = getattr(known, one["class_name"])(**kept)
            layer(y)
            group = file["model_weights"][options["name"]]
            layer.set_weights([group[name][()] for name in group.attrs["weight_names"]])
            y = layer(y)
    return keras.ops.convert_to_numpy(y)


def test_dgaintel_tells_names_that_a_program_made(
    package_file: Callable[[str, str], Path], run: Any
) -> None:
    """Embedding, Conv1D, MaxPooling1D, LSTM, Dense."""
    path = package_file("dgaintel", "dgaintel/domain_classifier_model.h5")
    spec = formats.read(path)
    assert [layer.kind for layer in spec.layers] == [
        "embedding", "conv", "pool", "recurrent", "linear",
    ]  # fmt: skip
    letters = "-.0123456789_abcdefghijklmnopqrstuvwxyz"
    names = [
        "microsoft.com",
        "wikipedia.org",
        "wvbhn12f.biz",
        "qxkjzvbtpwqh.info",
        "lhxmfkanebpqo.ru",
    ]
    x = np.zeros((len(names), 82), np.int64)
    for row, name in enumerate(names):
        x[row, : len(name)] = [letters.index(c) for c in name]
    want = oracle(path, x)
    y, _ = run(spec, x.T)
    run.assert_close(y, want)
    assert np.ptp(want) > 0.1
