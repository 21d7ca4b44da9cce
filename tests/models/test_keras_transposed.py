"""Keras's transposed convolutions, more steps, and pictures at each step, against Keras."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import keras
from keras import layers as known
from test_keras_convolution import assert_equal, noise, saved_and_read

from rnn_native.errors import UnsupportedError

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def as_others(kernel: int, stride: int, padding: str) -> bool:
    """Whether Keras's PyTorch backend makes what TensorFlow and JAX do: with padding="same", where
    an odd number is cut off, it cuts the more of them in front."""
    return padding == "valid" or kernel < stride or (kernel - stride) % 2 == 0


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (4, 2), (5, 3), (2, 3), (1, 2)])
def test_conv1d_transpose(kernel: int, stride: int, padding: str) -> None:
    """Over the time, and over positions at each step."""
    assert as_others(kernel, stride, padding)
    layer = known.Conv1DTranspose(3, kernel, stride, padding, activation="tanh")
    model = keras.Sequential([keras.Input((None, 2)), layer])
    assert_equal(model, noise(2, 7, 2))
    layer = known.Conv1DTranspose(3, kernel, stride, padding, use_bias=False)
    model = keras.Sequential(
        [keras.Input((None, 6, 2)), known.TimeDistributed(layer), known.Activation("relu")]
    )
    assert_equal(model, noise(2, 4, 6, 2))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kernel", "strides"), [((1, 3), (1, 1)), ((3, 4), (1, 2)), ((2, 3), (2, 3)), ((4, 1), (2, 1))]
)
def test_conv2d_transpose(kernel: Any, strides: Any, padding: str) -> None:
    """Over (time, positions), and over (positions, time)."""
    for at in (0, 1):
        turned = slice(None, None, -1 if at else 1)
        layer = known.Conv2DTranspose(2, kernel[turned], strides[turned], padding)
        shape = [None, 5, 3] if at == 0 else [5, None, 3]
        model = keras.Sequential([keras.Input(shape), layer])
        assert_equal(model, noise(2, 6, 5, 3) if at == 0 else noise(2, 5, 6, 3), at, at)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_more_steps(size: int) -> None:
    model = keras.Sequential([keras.Input((None, 3)), known.UpSampling1D(size), known.GRU(4)])
    assert_equal(model, noise(2, 5, 3), out=None)
    model = keras.Sequential([keras.Input((None, 4, 2)), known.UpSampling2D((size, 2))])
    assert_equal(model, noise(2, 5, 4, 2))


@pytest.mark.parametrize("strides", [1, 2, (2, 1)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pictures_at_each_step(padding: str, strides: Any) -> None:
    parts = [
        known.Conv2D(4, (3, 2), strides, padding, activation="relu"),
        known.MaxPooling2D(2),
        known.DepthwiseConv2D(2, padding="same"),
        known.Conv2D(3, 1),
        known.Flatten(),
    ]
    model = keras.Sequential(
        [keras.Input((None, 9, 8, 2)), *map(known.TimeDistributed, parts), known.LSTM(3)]
    )
    assert_equal(model, noise(2, 4, 9, 8, 2), out=None)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (known.Conv1DTranspose(2, 3, 2, output_padding=1), "output_padding="),
        (known.TimeDistributed(known.Conv2DTranspose(2, 3)), "over two axes"),
    ],
)
def test_what_is_not_read_is_refused_by_name(layer: Any, why: str) -> None:
    shape = (None, 3) if isinstance(layer, known.Conv1DTranspose) else (None, 5, 4, 3)
    with pytest.raises(UnsupportedError, match=why):
        saved_and_read(keras.Sequential([keras.Input(shape), layer]), ".keras")
