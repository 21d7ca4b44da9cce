"""Nakdimon, which puts vowels into Hebrew: two merged bidirectional layers with three heads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py")
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import h5py
import keras_equations as ke

from rnn_native import formats
from rnn_native.spec import Merge

pytestmark = pytest.mark.models

LENGTHS = [12, 7]


def merged(x: Any, weights: Any) -> Any:
    """Both directions of each row's steps by itself, added."""
    y = np.zeros_like(x)
    for row, length in enumerate(LENGTHS):
        both = ke.bidirectional(ke.lstm, x[row : row + 1, :length], weights)
        y[row, :length] = sum(np.split(both[0], 2, axis=-1))
    return y


def test_the_three_heads_equal_the_equations(package_file: Any, run: Any) -> None:
    path = package_file("nakdimon", "nakdimon/Nakdimon.h5")
    spec = formats.read(path)
    assert list(spec.outputs) == ["N", "D", "S"]
    assert spec.mask_value == 0
    assert sum(isinstance(node.layer, Merge) for node in spec.nodes.values()) == 2
    with h5py.File(path) as file:
        root = file["model_weights"]
        weights = {
            name: [root[name][weight][()] for weight in root[name].attrs["weight_names"]]
            for name in root
        }
    letters = np.random.default_rng(0).integers(1, 43, (2, 12))
    for row, length in enumerate(LENGTHS):
        letters[row, length:] = 0
    y = weights["embedding"][0].astype(np.float64)[letters]
    for name in ("bidirectional", "bidirectional_1"):
        y = merged(y, weights[name])
    y = ke.dense(y, weights["dense"])
    got, _ = run(spec, letters.T)
    for name in ("N", "D", "S"):
        want = ke.dense(y, weights[name])
        for row, length in enumerate(LENGTHS):
            run.assert_close(got[name][:length, row], want[row, :length])
