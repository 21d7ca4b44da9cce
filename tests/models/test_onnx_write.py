"""ONNX files that we write, in onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx_graphs import ATOL, run
from strategies import Case, cases, grouped, specs

from rnn_native import formats, reference
from rnn_native.formats.calling import BATCH_FIRST
from rnn_native.formats.onnx.activations import NAMES
from rnn_native.formats.onnx.functions import WRITTEN
from rnn_native.spec import Elementwise

pytestmark = pytest.mark.oracle

OF_CELLS = ("identity", *NAMES)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx") / "model.onnx"


@settings(max_examples=150, deadline=None)
@given(cases(specs(functions=OF_CELLS), min_time=1, with_lengths=False), st.booleans())
def test_onnxruntime_gives_what_the_reference_gives(
    path: Path, case: Case, batch_first: bool
) -> None:
    """Any model that the operators can express, with a state and without, time or batch first.

    Left out is what onnxruntime does not do as ONNX has it (test_onnx_attributes.py): T = 0, a
    batch of 0, an LSTM's clip, and a ThresholdedRelu at its threshold, which a clip leads to.
    """
    recurrents = case.spec.recurrents
    assume(
        case.batch and not any(r.gate_recurrent or r.proj_size or r.cell_clip for r in recurrents)
    )
    every = {one.function for one in case.spec.layers if isinstance(one, Elementwise)}
    assume(every <= {*WRITTEN})
    for layer in recurrents:
        thresholds = [a.alpha for a in layer.activations or () if a.name == "thresholded_relu"]
        assume(
            layer.clip is None or (layer.cell != "lstm" and layer.clip not in map(abs, thresholds))
        )
    formats.write(case.spec, path, strings={BATCH_FIRST: "true"} if batch_first else None)
    feeds: dict[str, Any] = {"x": np.swapaxes(case.x, 0, 1) if batch_first else case.x}
    if case.state is not None:
        prefixes = [
            f"{index}." if len(case.spec.layers) > 1 else ""
            for index, layer in enumerate(case.spec.layers)
            if layer in recurrents
        ]
        for prefix, layer, arrays in zip(
            prefixes, recurrents, grouped(case.spec, case.state), strict=True
        ):
            feeds |= {
                f"{prefix}{name}_0": array
                for name, array in zip(layer.state_names, arrays, strict=True)
            }
    want, state = reference.run(case.spec, case.x, case.state)
    states = (
        [array for arrays in grouped(case.spec, state) for array in arrays] if recurrents else []
    )
    if batch_first and case.spec.return_sequences:
        want = np.swapaxes(want, 0, 1)
    for got, expected in zip(run(path, feeds), [want, *states], strict=True):
        # ATOL is for one layer; here are up to two stacks of three between two Linears, which pass
        # on what they get.
        atol = 8 * ATOL * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(got, expected, rtol=0, atol=atol)
