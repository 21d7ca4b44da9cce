"""Keras's layers and options: models that Keras 3 saves, read and run, against Keras itself."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import keras
import keras_models as km
from conftest import Runner
from keras import layers as known

from rnn_native import formats
from rnn_native.spec import ModelSpec

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
EXAMPLES = settings(max_examples=50, deadline=None)
FORMS = ("sequential", "functional", "nested")
RUNNERS = (Runner("reference"), Runner("model"))


def saved_and_read(model: Any, suffix: str, **options: Any) -> tuple[ModelSpec, bool]:
    """The model by way of a file, and whether its outputs are in another order than Keras's."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        spec = formats.read(path, **options)
    turned = [w for w in caught if issubclass(w.category, UserWarning) and "y[::-1]" in str(w)]
    return spec, bool(turned)


def assert_equal(model: Any, x: NDArray[Any], lengths: list[int]) -> None:
    """The model in both of Keras's formats, run in both of our ways, beside Keras: x is [batch,
    time, ...], of each row the first ``lengths`` steps count."""
    expected = km.run(model, x)
    assume(np.abs(expected).max() < 100)  # gates without bounds can grow without any
    for suffix, runner in itertools.product((".keras", ".h5"), RUNNERS):
        spec, turned = saved_and_read(model, suffix)
        y, _ = runner(spec, np.swapaxes(x, 0, 1))
        assert spec.return_sequences == (expected.ndim == 3)
        if expected.ndim == 2:
            runner.assert_close(y, expected)
            continue
        for row, length in enumerate(lengths):
            if not length:
                assert not y[:, row].any()
                continue
            # Keras, going backwards, has met the padding first.
            last = expected[row, x.shape[1] - length :][::-1]
            runner.assert_close(y[:length, row], last if turned else expected[row, :length])
            assert not y[length:, row].any()


@EXAMPLES
@given(layers=km.chains(), form=st.sampled_from(FORMS), seed=st.integers(0, 99))
def test_chains_of_features(layers: list[km.Layer], form: str, seed: int) -> None:
    model = km.build(None, layers, form, (5, 3), seed)
    x = np.random.default_rng(seed).normal(0, 1, (2, 5, 3)).astype(np.float32)
    assert_equal(model, x, [5, 5])


@EXAMPLES
@given(
    layers=km.chains(masked=True),
    form=st.sampled_from(FORMS),
    seed=st.integers(0, 99),
    lengths=st.lists(st.integers(0, 5), min_size=3, max_size=3),
    padding=st.sampled_from([None, 0.0, -1.5]),
)
def test_chains_that_mask_steps(
    layers: list[km.Layer], form: str, seed: int, lengths: list[int], padding: float | None
) -> None:
    """Masking, or an Embedding with mask_zero=True, and rows padded on the right."""
    rng = np.random.default_rng(seed)
    x: NDArray[Any]
    if padding is None:
        model = km.build(known.Embedding(7, 3, mask_zero=True), layers, form, (5,), seed)
        x = rng.integers(1, 7, (3, 5))
    else:
        model = km.build(known.Masking(padding), layers, form, (5, 3), seed)
        x = rng.normal(0, 1, (3, 5, 3)).astype(np.float32)
    for row, length in enumerate(lengths):
        x[row, length:] = padding or 0
    assert saved_and_read(model, ".keras")[0].mask_value == (padding or 0)
    assert_equal(model, x, lengths)


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("join", ["Concatenate", "Add", "Multiply", "Average"])
def test_two_directions_that_another_layer_makes_one(join: str, sequences: bool) -> None:
    """Of a Bidirectional with merge_mode=None."""
    x = np.random.default_rng(0).normal(0, 1, (3, 5, 3)).astype(np.float32)
    x[1, 3:] = 0
    start = keras.Input((5, 3))
    cell = known.GRU(4, return_sequences=sequences)
    halves = known.Bidirectional(cell, merge_mode=None)(known.Masking(0.0)(start))
    model = keras.Model(start, known.Dense(2)(getattr(known, join)()(halves)))
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(rng.normal(0, 0.4, weight.shape).astype("float32"))
    expected = km.run(model, x)
    for suffix, runner in itertools.product((".keras", ".h5"), RUNNERS):
        y, _ = runner(saved_and_read(model, suffix)[0], np.swapaxes(x, 0, 1))
        for row, length in enumerate((5, 3, 5)):
            if sequences:
                runner.assert_close(y[:length, row], expected[row, :length])
            else:
                runner.assert_close(y[row], expected[row])
