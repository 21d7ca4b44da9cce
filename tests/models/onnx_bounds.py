"""How far onnxruntime may be from the float64 reference: bounds.py with its own activations."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from bounds_arithmetic import F64, Approx, Arithmetic, approx


class OnnxRuntime(Arithmetic):
    """float32 with activations that err by 5e-7 besides: its sigmoid and tanh are rational
    approximations, good to some 3e-7."""

    def _activation(self, a: Approx, value: F64, slope: F64) -> Approx:
        ours = super()._activation(a, value, slope)
        more = np.full(value.shape, 5e-7)
        return approx(value, ours.each + more, ours.norm + np.sqrt(value.shape[-1]) * 5e-7)
