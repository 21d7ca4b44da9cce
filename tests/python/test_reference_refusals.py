"""Every bad argument of the reference raises the right error; every good spelling is taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from strategies import make_linear, make_spec, random_input

from rnn_native.errors import DTypeError, RnnError, ShapeError
from rnn_native.reference import run
from rnn_native.spec import ModelSpec

LSTM = make_spec(np.random.default_rng(11), "lstm", out_features=2)
GRU = make_spec(np.random.default_rng(11), "gru")
GATES = make_spec(np.random.default_rng(11), "lstm", gate_recurrent=True)
TWO = make_spec(np.random.default_rng(11), "lstm", num_recurrents=2)
WORDS = make_spec(np.random.default_rng(11), "gru", num_embeddings=5)
NONE = ModelSpec((make_linear(np.random.default_rng(11), 3, 2),))
X = np.zeros((5, 2, 3))
H = np.zeros((1, 2, 4))

REFUSED: list[tuple[str, type[RnnError], Any, Any, Any, Any]] = [
    ("not a ModelSpec", DTypeError, LSTM.layers[0], X, None, None),
    ("x int", DTypeError, LSTM, X.astype(int), None, None),
    ("x bool", DTypeError, LSTM, X.astype(bool), None, None),
    ("x complex", DTypeError, LSTM, X.astype(complex), None, None),
    ("x object", DTypeError, LSTM, X.astype(object), None, None),
    ("x text", DTypeError, LSTM, X.astype(str), None, None),
    ("x rank 2", ShapeError, LSTM, X[0], None, None),
    ("x rank 4", ShapeError, LSTM, X[None], None, None),
    ("x features", ShapeError, LSTM, X[..., :2], None, None),
    ("x ragged", ShapeError, LSTM, [[[1.0]], [[1.0, 2.0]]], None, None),
    ("indices float", DTypeError, WORDS, np.zeros((5, 2)), None, None),
    ("indices bool", DTypeError, WORDS, np.zeros((5, 2), bool), None, None),
    ("indices complex", DTypeError, WORDS, np.zeros((5, 2), complex), None, None),
    ("indices rank 3", ShapeError, WORDS, np.zeros((5, 2, 1), int), None, None),
    ("indices rank 1", ShapeError, WORDS, np.zeros(5, int), None, None),
    ("index negative", ShapeError, WORDS, [[0, -1]], None, None),
    ("index too large", ShapeError, WORDS, [[0, 5]], None, None),
    ("index unsigned", ShapeError, WORDS, np.array([[2**64 - 1]], np.uint64), None, None),
    ("index valid by lengths", ShapeError, WORDS, [[0, 5], [0, 0]], None, [1, 1]),
    ("state int", DTypeError, GRU, X, H.astype(int), None),
    ("state complex", DTypeError, GRU, X, H.astype(complex), None),
    ("state batch", ShapeError, GRU, X, H[:, :1], None),
    ("state features", ShapeError, GRU, X, H[..., :3], None),
    ("state rows", ShapeError, GRU, X, np.concatenate([H, H]), None),
    ("state rank", ShapeError, GRU, X, H[0], None),
    ("state in a tuple", ShapeError, GRU, X, (H,), None),
    ("lstm h alone", ShapeError, LSTM, X, H, None),
    ("lstm (h,)", ShapeError, LSTM, X, (H,), None),
    ("lstm (h, c, c)", ShapeError, LSTM, X, (H, H, H), None),
    ("lstm c rank", ShapeError, LSTM, X, (H, H[0]), None),
    ("lstm c missing", DTypeError, LSTM, X, (H, None), None),
    ("gates (h, c)", ShapeError, GATES, X, (H, H), None),
    ("gates f features", ShapeError, GATES, X, (H, H, H, H[..., :3]), None),
    ("two layers, one state", ShapeError, TWO, X, ((H, H),), None),
    ("two layers, bare arrays", ShapeError, TWO, X, (H, H), None),
    ("state where there is none", ShapeError, NONE, X, H, None),
    ("tuple where there is none", ShapeError, NONE, X, (H,), None),
    ("lengths float", DTypeError, LSTM, X, None, [5.0, 2.0]),
    ("lengths empty float array", DTypeError, LSTM, X[:, :0], None, np.zeros(0)),
    ("lengths NaN", DTypeError, LSTM, X, None, [5, np.nan]),
    ("lengths bool", DTypeError, LSTM, X, None, [True, False]),
    ("lengths text", DTypeError, LSTM, X, None, "52"),
    ("lengths scalar", ShapeError, LSTM, X, None, 5),
    ("lengths rank 2", ShapeError, LSTM, X, None, [[5], [2]]),
    ("lengths too few", ShapeError, LSTM, X, None, [5]),
    ("lengths too many", ShapeError, LSTM, X, None, [5, 5, 5]),
    ("lengths empty", ShapeError, LSTM, X, None, []),
    ("length negative", ShapeError, LSTM, X, None, [5, -1]),
    ("length past time", ShapeError, LSTM, X, None, [5, 6]),
    ("length unsigned", ShapeError, LSTM, X, None, np.array([5, 2**64 - 1], np.uint64)),
]


@pytest.mark.parametrize(
    ("error", "spec", "x", "state", "lengths"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_bad_arguments_are_refused(error, spec, x, state, lengths):
    with pytest.raises(error, match=r"expected .*, got"):
        run(spec, x, state, lengths)


@pytest.mark.parametrize("kind", [list, tuple, np.int8, np.uint8, np.int64, np.uint64])
def test_lengths_are_any_integers(kind):
    rng = np.random.default_rng(12)
    x = random_input(LSTM, 5, 2, rng)
    lengths = kind([5, 2]) if kind in (list, tuple) else np.array([5, 2], kind)
    np.testing.assert_equal(run(LSTM, x, None, lengths), run(LSTM, x, None, [5, 2]))
    assert run(LSTM, x[:, :0], None, kind([]) if kind in (list, tuple) else lengths[:0])
