"""Whether what a browser computed has the bits of Python's baseline kernels.

    RNN_NATIVE_ISA=baseline python -P tests/web/bits.py FOLDER MODELS

FOLDER has what the page drew: before.f32 and gains.f32 [frames, 161], speech.f32 and
units.f32 [frames, 128], and samples.f32, which the page heard. Exit status 1 where they differ.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import rnn_native as rn

CHUNK, CONTEXT, HOP = 512, 64, 160


def differ(what: str, ours: Any, expected: Any) -> int:
    bad = int((ours.view(np.uint32) != expected.view(np.uint32)).sum())
    print(f"{what}: {bad} of {ours.size} numbers differ")
    return bad + (ours.size == 0)


def main() -> int:
    folder, models = Path(sys.argv[1]), Path(sys.argv[2])

    def read(name: str, width: int) -> Any:
        return np.fromfile(folder / f"{name}.f32", np.float32).reshape(-1, width)

    features = read("before", 161)
    gains, _ = rn.load(models / "denoiser.safetensors")(features[:, None])
    bad = differ("gains", read("gains", 161), np.ascontiguousarray(gains[:, 0]))

    frames = len(features)
    heard = np.zeros(frames * HOP, np.float32)
    samples = read("samples", 1)[: frames * HOP, 0]
    heard[: samples.size] = samples
    stream = rn.load(models / "detector.safetensors").stream()
    speech = np.zeros((frames, 1), np.float32)
    units = np.zeros((frames, 128), np.float32)
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), heard])
    chunk = 0
    for frame in range(frames):
        while (chunk + 1) * CHUNK <= (frame + 1) * HOP:
            x = padded[chunk * CHUNK : (chunk + 1) * CHUNK + CONTEXT]
            now = stream.step(x[None])[0]
            speech[frame:], units[frame:] = now, stream.state[0].reshape(-1)
            chunk += 1
    bad += differ("speech", read("speech", 1), speech)
    bad += differ("units", read("units", 128), units)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
