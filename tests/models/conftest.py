"""What the tests on real trained models share: where a model lies, and how close is equal."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import ModelSpec

settings.register_profile("models", parent=settings(), deadline=None)  # no test here is timed
settings.load_profile("models")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--target", action="append", default=[], metavar="NAME=PATH",
        help="a program of tests/cross that was built for a target: test_c_targets.py",
    )  # fmt: skip


TOLERANCE = {"reference": 1e-5, "model": 2e-5}
"""What each of our two ways to run may differ by from an oracle, where values are within -1..1.

The oracles calculate in float32, whose unit of roundoff u is 6e-8; the reference does not, so its
difference is the oracle's own error. One step: the errors of a sum of K products are a random
walk, about sqrt(K) u / 2 for a sum near 1: 11 u at K = 512. Many steps: a gate that remembers
adds up the errors of n steps, another walk: 7 times as much at n = 50. That makes 5e-6, and twice
it covers the rounding of the activations and the largest of millions of values: 1e-5. The Model
is float32 too and errs on its own account as much: 2e-5. A wrong gate order, bias, reset or
direction is far off, at 1e-3 and more.
"""


def package_file(package: str, path: str) -> Path:
    """The file `path` of an installed package, which is not imported; skips where there is none."""
    try:
        file = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed: see tests/models/requirements-models.txt")
    assert file.is_file(), f"{package} is installed without its file {path}"
    return file


@pytest.fixture(scope="session", name="package_file")
def package_file_fixture() -> Callable[[str, str], Path]:
    return package_file


class Runner:
    """One of our two ways to run a spec."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(
        self, spec: ModelSpec, x: NDArray[Any], state: Any = None, lengths: Any = None
    ) -> tuple[NDArray[Any], Any]:
        if self.name == "reference":
            return rn.reference.run(spec, x, state, lengths)
        return rn.Model(spec)(x, state, lengths)

    def assert_close(self, got: Any, expected: NDArray[np.float32]) -> None:
        """Within `TOLERANCE`, relative to the largest value where that is above 1."""
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[self.name] * scale)


@pytest.fixture(params=["model", "reference"])
def run(request: pytest.FixtureRequest) -> Runner:
    return Runner(request.param)


@pytest.fixture
def compiled() -> Runner:
    """For what the reference does not do: streaming."""
    return Runner("model")


@pytest.fixture(scope="session")
def voice() -> Callable[[int, float], NDArray[np.float32]]:
    """Makes a signal with what speech has, [samples] within -1..1 at a rate for some seconds.

    A glottal pulse train of moving pitch, shaped by three resonances that move as well,
    in syllables with pauses, over a floor of noise.
    """

    def make(rate: int, seconds: float) -> NDArray[np.float32]:
        rng = np.random.default_rng(7)
        t = np.arange(round(rate * seconds)) / rate
        pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * t)) / rate
        centres = (
            500 + 250 * np.sin(2 * np.pi * 1.3 * t),
            1500 + 600 * np.sin(2 * np.pi * 0.9 * t + 1),
            2500 + 200 * np.sin(2 * np.pi * 1.7 * t + 2),
        )
        signal = np.zeros_like(t)
        for harmonic in range(1, 28):
            frequency = harmonic * (120 + 30 * np.sin(2 * np.pi * 0.7 * t))
            gain = sum(1 / (1 + ((frequency - centre) / 120) ** 2) for centre in centres)
            signal += gain * np.sin(harmonic * pitch) / harmonic
        syllables = np.clip(np.sin(2 * np.pi * 3.1 * t), 0, None) ** 0.5
        syllables *= np.sin(2 * np.pi * 0.45 * t) > -0.4
        signal = signal * syllables / np.abs(signal).max() * 0.6
        return (signal + 0.003 * rng.standard_normal(t.size)).astype(np.float32)

    return make
