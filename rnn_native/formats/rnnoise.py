"""RNNoise's networks as text, ``.rnnn``: those of its rnnoise-nu branch, which FFmpeg's ``arnndn``
reads too.

Behind a line with the version there are whole numbers, of six layers one behind the other: sizes of
input and output, the activation (0 tanh, 1 sigmoid, 2 relu), and the weights, each a 256th part.
Matrices have a row for each input. A GRU has the gates z, r, h in each row; it resets before the
product, and its activation is that of h alone. x is the features of a frame of 10 ms::

    dense = input_dense(x)
    vad = vad_gru(dense)                          "vad" is vad_output(vad)
    noise = noise_gru([dense, vad, x])
    denoise = denoise_gru([vad, noise, x])        "gains" is denoise_output(denoise)

Newer networks of RNNoise, from its release 0.2 on, are binary and of another shape: not read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..activations import Activation
from ..errors import FormatError, RnnError, UnsupportedError
from ..spec import Array, Concat, Layer, Linear, ModelSpec, Recurrent
from .gates import reordered
from .keras.cells import ORDER
from .reading import read_bytes
from .stored import Stored, gathered

_BEGIN: Final = re.compile(rb"rnnoise-nu model file version (\d{1,9})\s")
_NUMBERS: Final = re.compile(rb"[-0-9\s]*")
_BLOB: Final = b"DNNw"  # of release 0.2 and later
_SCALE: Final = 1 / 256
_ACTIVATIONS: Final = ("tanh", "sigmoid", "relu")
_LONGEST: Final = 10  # digits of a number
_MOST_UNITS: Final = 2**20


def read(path: str | os.PathLike[str]) -> ModelSpec:
    """Raises ``FormatError`` for what is malformed, ``UnsupportedError`` for another version."""
    dense, grus, gains, vad = _layers(_Numbers(_numbers(read_bytes(path))))
    nodes: dict[str, tuple[Layer, str | tuple[str, ...]]] = {
        "dense": (dense, "x"),
        "vad_gru": (grus["vad"], "dense"),
        "noise_input": (Concat(), ("dense", "vad_gru", "x")),
        "noise_gru": (grus["noise"], "noise_input"),
        "denoise_input": (Concat(), ("vad_gru", "noise_gru", "x")),
        "denoise_gru": (grus["denoise"], "denoise_input"),
        "gains": (gains, "denoise_gru"),
        "vad": (vad, "vad_gru"),
    }
    try:
        return ModelSpec(
            nodes=nodes, inputs={"x": dense.input_size}, outputs=("gains", "vad")
        )  # fmt: skip
    except RnnError as error:
        raise FormatError(str(error)) from error


def arrays(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """The weights as they are, int8, each a 256th part: of a dense layer ``weights`` [inputs,
    units] and ``bias``, of a GRU ``recurrent_weights`` too, with the gates z, r, h in each row."""
    numbers = _Numbers(_numbers(read_bytes(path)))
    _layers(numbers)
    return gathered(numbers.taken, numbers.taken.__getitem__)


def _layers(numbers: _Numbers) -> tuple[Linear, dict[str, Recurrent], Linear, Linear]:
    """Of the whole file: the first layer, the GRUs, that of the gains, that of the voice."""
    dense = numbers.dense("input_dense")
    grus = {name: numbers.gru(f"{name}_gru") for name in ("vad", "noise", "denoise")}
    gains, vad = numbers.dense("denoise_output"), numbers.dense("vad_output")
    numbers.end()
    return dense, grus, gains, vad


def strings(path: str | os.PathLike[str]) -> Mapping[str, str]:
    begin = _BEGIN.match(read_bytes(path)[:100])
    return {} if begin is None else {"version": begin[1].decode()}


def _numbers(data: bytes) -> NDArray[np.int64]:
    begin = _BEGIN.match(data)
    if data.startswith(_BLOB):
        raise UnsupportedError(
            "a binary network of RNNoise 0.2 or later: only the text of rnnoise-nu, version 1, is "
            "read; PyTorch's checkpoint of that network can be, by chain="
        )
    if begin is None:
        raise FormatError(f"expected 'rnnoise-nu model file version 1' in front, got {data[:40]!r}")
    if begin[1] != b"1":
        raise UnsupportedError(f"version {begin[1].decode()}: version 1 is read")
    rest = data[begin.end() :]
    if not _NUMBERS.fullmatch(rest):
        raise FormatError("expected whole numbers and nothing else behind the version")
    words = rest.split()
    if max(map(len, words), default=0) > _LONGEST:
        raise FormatError(f"expected numbers of at most {_LONGEST} digits")
    try:
        return np.array(list(map(int, words)), dtype=np.int64)
    except ValueError as error:
        raise FormatError(str(error)) from error


class _Numbers:
    """The numbers of a file, taken from its beginning on."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self._numbers = numbers
        self._used = 0
        self.taken: dict[str, NDArray[np.int8]] = {}

    def dense(self, name: str) -> Linear:
        inputs, units, activation = self._sizes(name)
        weight = self._take(name, "weights", inputs, units)
        bias = self._take(name, "bias", units)
        return Linear(weight.T, bias, activation)

    def gru(self, name: str) -> Recurrent:
        inputs, units, activation = self._sizes(name)
        kernel = self._take(name, "weights", inputs, 3 * units)
        recurrent = self._take(name, "recurrent_weights", units, 3 * units)
        bias = self._take(name, "bias", 3 * units)
        order = ORDER["gru"]
        arrays = {
            "weight_ih_l0": reordered(kernel.T, order),
            "weight_hh_l0": reordered(recurrent.T, order),
            "bias_ih_l0": reordered(bias, order),
            "bias_hh_l0": np.zeros_like(bias),
        }
        functions = (Activation("sigmoid"), Activation(activation))
        return Recurrent(
            "gru", inputs, units, arrays, reset_after=False, activations=functions
        )  # fmt: skip

    def end(self) -> None:
        left = len(self._numbers) - self._used
        if left:
            raise FormatError(f"{left} numbers behind the last layer")

    def _sizes(self, name: str) -> tuple[int, int, str]:
        inputs, units, activation = (int(n) for n in self._some(name, 3))
        for what, size in (("inputs", inputs), ("units", units)):
            if not 1 <= size <= _MOST_UNITS:
                raise FormatError(f"{name}: {what}: expected 1 to {_MOST_UNITS}, got {size}")
        if not 0 <= activation < len(_ACTIVATIONS):
            raise FormatError(f"{name}: activation: expected 0, 1 or 2, got {activation}")
        return inputs, units, _ACTIVATIONS[activation]

    def _take(self, name: str, own: str, *shape: int) -> Array:
        """Weights: bytes with a sign, each a 256th part."""
        found = self._some(name, int(np.prod(shape)))
        if found.size and not (found.min() >= -128 and found.max() <= 127):
            raise FormatError(f"{name}: expected weights from -128 to 127")
        self.taken[f"{name}.{own}"] = found.astype(np.int8).reshape(shape)
        return (found * _SCALE).astype(np.float32).reshape(shape)

    def _some(self, name: str, count: int) -> NDArray[np.int64]:
        begin, end = self._used, self._used + count
        if end > len(self._numbers):
            raise FormatError(
                f"{name}: {count} numbers at {begin}, and the file has {len(self._numbers)}"
            )
        self._used = end
        return self._numbers[begin:end]
