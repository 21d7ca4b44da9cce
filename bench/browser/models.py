"""Both networks as each runtime of bench/browser takes them.

    python -P bench/browser/models.py OUT

NSNet2's file begins from zeros at each call, so onnxruntime-web gets a copy with its states as
inputs and outputs.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples/vad"))
sys.path.insert(0, str(Path(__file__).parents[2] / "examples/denoise"))

import detectors
import networks
import onnx

import rnn_native as rn


def main() -> int:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    rn.load(detectors.model_path()).save(out / "silero.safetensors")
    rn.load(networks.model_path()).save(out / "nsnet2.safetensors")
    shutil.copy(detectors.model_path(), out / "silero.onnx")
    stepwise, _ = networks._with_states(onnx.load(networks.model_path()))
    onnx.save(stepwise, out / "nsnet2.onnx")
    return 0


if __name__ == "__main__":
    sys.exit(main())
