"""Keras models with branches, several inputs and outputs, against Keras itself."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import keras
from conftest import Runner
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as known

from rnn_native import formats
from rnn_native.errors import UnsupportedError
from rnn_native.spec import Combine, ModelSpec

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

T, B, F = 5, 3, 3
JOINS = ("Add", "Average", "Concatenate", "Multiply", "Subtract")
RUNNERS = (Runner("reference"), Runner("model"))


class Drawn:
    """A functional model that grows by one layer after the other."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.inputs: list[Any] = []
        self.feeds: dict[str, Any] = {}
        self.values: list[Any] = []
        self.read: set[int] = set()
        for number in range(1 + int(rng.integers(2))):
            self._input(f"in_{number}")
        for _ in range(2 + int(rng.integers(6))):
            value = self.pick(self.values)
            self.pick(self.WAYS)(self, value)
        ends = [v for v in self.values if id(v) not in self.read]
        ends += [v for v in self.made if id(v) in self.read and rng.integers(5) == 0]
        self.model = keras.Model(self.inputs, ends)
        for weight in self.model.weights:
            if "seed" not in weight.path:
                weight.assign(rng.normal(0, 0.4, weight.shape).astype("float32"))

    @property
    def made(self) -> list[Any]:
        return [v for v in self.values if not any(v is one for one in self.inputs)]

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def _add(self, y: Any, *read: Any) -> Any:
        self.read.update(map(id, read))
        self.values.append(y)
        return y

    def _input(self, name: str) -> None:
        if self.rng.integers(4) == 0:
            x = keras.Input((T,), name=name, dtype="int32")
            self.feeds[name] = self.rng.integers(0, 7, (B, T)).astype(np.int32)
            self._add(known.Embedding(7, F)(x))
        else:
            x = keras.Input((T, F), name=name)
            self.feeds[name] = self.rng.normal(0, 1, (B, T, F)).astype(np.float32)
            self._add(known.Dense(F)(x)) if self.rng.integers(2) else self._add(x)
            if self.values[-1] is x:  # which cannot be an output
                self._add(known.Dense(2)(x), x)
        self.inputs.append(x)

    def _dense(self, x: Any) -> None:
        activation = self.pick([None, "tanh", "softmax", "elu"])
        y = self._add(known.Dense(self.pick([2, 4]), activation=activation)(x), x)
        if activation is None and self.rng.integers(2):
            self._add(known.Activation(self.pick(["relu", "sigmoid"]))(y), y)

    def _nothing(self, x: Any) -> None:
        if not any(x is one for one in self.inputs):  # which would be an output
            self._add(known.Dropout(0.5)(x), x)

    def _function(self, x: Any) -> None:
        self._add(known.LeakyReLU()(x), x)

    def _recurrent(self, x: Any) -> None:
        if len(x.shape) < 3:
            return
        make = self.pick([known.SimpleRNN, known.GRU, known.LSTM])
        sequences, form = bool(self.rng.integers(4)), int(self.rng.integers(4))
        if form == 0:
            mode = self.pick(["concat", "sum", "ave"])
            layer = known.Bidirectional(make(2, return_sequences=sequences), merge_mode=mode)
            self._add(layer(x), x)
        elif form == 1:
            y, h, *_ = make(4, return_sequences=sequences, return_state=True)(x)
            self._add(y, x)
            if self.rng.integers(2):
                self._add(known.Dense(2)(h), h)
        elif form == 2 and not sequences:
            self._add(make(4, go_backwards=True)(x), x)
        else:
            self._add(make(4, return_sequences=sequences)(x), x)

    def _join(self, x: Any) -> None:
        kind = self.pick(JOINS)
        same = [v for v in self.values if len(v.shape) == len(x.shape)]
        if kind != "Concatenate":
            same = [v for v in same if v.shape[-1] == x.shape[-1]]
        count = 2 if kind == "Subtract" else int(self.rng.integers(2, 4))
        parts = [x, *(self.pick(same) for _ in range(count - 1))]
        self._add(getattr(known, kind)()(parts), *parts)

    WAYS = (_dense, _recurrent, _recurrent, _join, _join, _function, _nothing)


def saved_and_read(model: Any, suffix: str) -> ModelSpec:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        return formats.read(path)


def check(model: Any, feeds: dict[str, Any], *, lengths: list[int] | None = None) -> ModelSpec:
    """In both of Keras's formats, run in both of our ways, beside Keras."""
    wants = model([feeds[one.name] for one in model.inputs])
    wants = [keras.ops.convert_to_numpy(want) for want in
             (wants if isinstance(wants, list) else [wants])]  # fmt: skip
    for suffix in (".keras", ".h5"):
        spec = saved_and_read(model, suffix)
        if len(feeds) > 1:
            assert list(spec.inputs) == list(feeds)
        x: Any = {name: np.swapaxes(feeds[name], 0, 1) for name in feeds}
        x = x if len(x) > 1 else next(iter(x.values()))
        for runner in RUNNERS:
            ys, _ = runner(spec, x)
            found = list(ys.values()) if isinstance(ys, dict) else [ys]
            for y, want in zip(found, wants, strict=True):
                assert y.ndim == want.ndim
                y = np.swapaxes(y, 0, 1) if y.ndim == 3 else y
                for row, length in enumerate(lengths or [T] * B):
                    cut = slice(length) if y.ndim == 3 else slice(None)
                    runner.assert_close(y[row][cut], want[row][cut])
    return spec


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_any_functional_model_gives_keras_s_numbers(seed: int) -> None:
    drawn = Drawn(np.random.default_rng(seed))
    check(drawn.model, drawn.feeds)


def randomized(model: Any) -> Any:
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(rng.normal(0, 0.4, weight.shape).astype("float32"))
    return model


def features(*names: str) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {name: rng.normal(0, 1, (B, T, F)).astype(np.float32) for name in names}


def test_names_are_those_of_keras() -> None:
    x, who = keras.Input((None, F), name="mel"), keras.Input((None,), name="who", dtype="int32")
    y = known.LSTM(4, return_sequences=True, name="encoder")(x)
    total = known.Add(name="both")([y, known.Embedding(7, 4, name="table")(who)])
    last = known.GRU(2, name="last")(total)
    outputs = [known.Dense(3, "softmax", name="label")(last), known.Dense(2, name="steps")(total)]
    model = randomized(keras.Model([x, who], outputs))
    feeds = features("mel") | {"who": np.arange(B * T).reshape(B, T) % 7}
    spec = check(model, feeds)
    assert list(spec.inputs.items()) == [("mel", (F, False)), ("who", (7, True))]
    assert set(spec.nodes) == {"encoder", "table", "both", "last", "label", "steps"}
    assert spec.nodes["both"] == (Combine("add"), ("encoder", "table"))
    assert dict(spec.outputs) == {"label": "label", "steps": "steps"}


def test_several_heads_behind_masked_steps() -> None:
    """An Embedding with mask_zero, two bidirectional layers and three heads, as of Nakdimon."""
    x = keras.Input((T,), dtype="int32", name="letters")
    y = known.Embedding(7, 4, mask_zero=True)(x)
    for _ in range(2):
        y = known.Bidirectional(known.LSTM(3, return_sequences=True), merge_mode="sum")(y)
    model = randomized(keras.Model(x, [known.Dense(size, "softmax")(y) for size in (2, 3, 4)]))
    letters = np.random.default_rng(0).integers(1, 7, (B, T))
    lengths = [5, 2, 3]
    for row, length in enumerate(lengths):
        letters[row, length:] = 0
    spec = check(model, {"letters": letters}, lengths=lengths)
    assert spec.mask_value == 0


def test_operators_of_two_values() -> None:
    x = keras.Input((T, F), name="x")
    y, z = (known.GRU(F, return_sequences=True)(x) for _ in range(2))
    check(randomized(keras.Model(x, (y + z) * x - z)), features("x"))


def test_a_layer_that_is_called_twice_is_two_nodes() -> None:
    x, other = keras.Input((T, F), name="x"), keras.Input((T, F), name="other")
    shared = known.LSTM(4, name="shared")
    model = randomized(keras.Model([x, other], known.Subtract()([shared(x), shared(other)])))
    spec = check(model, features("x", "other"))
    assert [*spec.nodes][:2] == ["shared", "shared 2"]


def test_a_model_inside_of_a_graph() -> None:
    inner = keras.Sequential([keras.Input((T, F)), known.GRU(F, return_sequences=True)], name="in")
    x = keras.Input((T, F), name="x")
    check(randomized(keras.Model(x, known.Add()([inner(x), x]))), features("x"))


def backwards(x: Any) -> Any:
    return known.GRU(F, return_sequences=True, go_backwards=True)(x)


def test_values_that_both_are_turned_round_are_joined_as_such() -> None:
    x = keras.Input((T, F), name="x")
    both = known.Add()([backwards(x), backwards(x)])
    ends = [known.LSTM(4)(both), known.GRU(2)(both)]
    check(randomized(keras.Model(x, known.Concatenate()(ends))), features("x"))


REFUSED: dict[str, tuple[Any, str]] = {
    "turned and not": (
        lambda x: known.Add()([backwards(x), x]),
        r"\(Add\): joins outputs of go_backwards=True and others",
    ),
    "another axis": (
        lambda x: known.Concatenate(axis=1)([x, known.Dense(F)(x)]),
        r"\(Concatenate\): axis=1; only the features",
    ),
    "another layer": (
        lambda x: known.Dot(axes=2)([x, known.Dense(F)(x)]),
        r"\(Dot\): axes=2; only the product over the time is supported",
    ),
    "a c": (
        lambda x: known.Dense(2)(known.LSTM(4, return_state=True)(x)[2]),
        "its output 2, a state or one direction alone",
    ),
    "a state that a layer makes": (
        lambda x: known.GRU(F)(x, initial_state=known.GRU(F)(x)),
        "an initial state is made by the layer",
    ),
    "masked steps beside": (
        lambda x: known.Add()([x, known.GRU(F, return_sequences=True)(known.Masking()(x))]),
        r"\(Masking\): only the one input of a model can have its steps masked",
    ),
    "an operator that is called like a layer": (
        lambda x: known.GRU(2)(x) + keras.ops.average(known.Dense(2)(x), axis=1),
        r"\(operator Average\): this layer is not supported",
    ),
    "steps whose mask an operator loses": (
        lambda x: known.GRU(2, return_sequences=True)(
            lost(known.GRU(F, return_sequences=True)(known.Masking()(x)))
        ),
        r"\(GRU\): behind layer .* \(operator Multiply\), which does not pass a mask on",
    ),
}


def lost(y: Any) -> Any:
    """The square, which has no mask any more."""
    return y * y


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_graph_of_ours_is_refused_by_name(what: str, suffix: str) -> None:
    make, message = REFUSED[what]
    x = keras.Input((T, F), name="x")
    y = make(x)
    if y.ndim == 2:
        y = known.Concatenate()([known.GRU(2)(x), y])
    model = keras.Model(x, y)
    with pytest.raises(UnsupportedError, match=message):
        saved_and_read(model, suffix)
