"""Loads a model file, tells what is in it, runs it and holds the result to the reference.

    python examples/quick_start.py [model.onnx | model.safetensors | model.npz]

Without a file it makes a small one first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import rnn_native as rn


def make_file(path: Path) -> Path:
    """A small LSTM with weights drawn at random, in place of a trained one."""
    rn.LSTM(8, 16, num_layers=2, bidirectional=True).model.save(path)
    return path


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if sys.argv[1:] else make_file(Path(folder, "lstm.safetensors"))
        model = rn.load(path)
    print(model)
    for layer in model.spec.layers:
        print(f"  {layer}" if isinstance(layer, rn.Recurrent) else f"  {type(layer).__name__}")

    rng = np.random.default_rng(0)
    time, batch = 20, 3
    if model.spec.takes_indices:
        x = rng.integers(0, model.input_size, (time, batch))
    else:
        x = rng.standard_normal((time, batch, model.input_size), dtype="float32")
    lengths = [20, 7, 12]  # rows are padded on the right; what lies past a length is not looked at

    y, _ = model(x, lengths=lengths)
    print(f"x {x.shape} -> y {y.shape} {y.dtype}")

    expected, _ = rn.reference.run(model.spec, x, lengths=lengths)
    print(f"largest difference to the float64 reference: {np.abs(y - expected).max():.1e}")


if __name__ == "__main__":
    main()
