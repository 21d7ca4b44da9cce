"""Keras files that people trained and shipped, against Keras's equations on the same arrays.

The arrays are read by h5py and calculated with in NumPy (tests/python/keras_equations.py), neither
of which our reader has anything to do with.
"""

from __future__ import annotations

import io
import json
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("h5py")
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import h5py
import keras_equations as ke

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import UnsupportedError
from rnn_native.spec import ModelSpec

pytestmark = pytest.mark.models

Finder = Callable[[str, str], Path]
CHARS2VEC = ("eng_50", "eng_100", "eng_150", "eng_200", "eng_300")


def read(path: Path, **options: Any) -> ModelSpec:
    """Without the warning of what was assumed, which is what the tests are about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return formats.read(path, **options)


def arrays(path: Path, *layers: str, root: str = "/") -> list[Any]:
    """The weights of layers as Keras lists them, of one or of each."""
    with h5py.File(path) as file:
        lists = [
            [file[root][name][weight][()] for weight in file[root][name].attrs["weight_names"]]
            for name in layers
        ]
    return lists if len(lists) > 1 else lists[0]


RUNS: dict[str, Callable[[ModelSpec, Any], Any]] = {
    "reference": lambda spec, x: rn.reference.run(spec, x)[0],
    "model": lambda spec, x: rn.Model(spec, dtype="float64")(x)[0],
}


def check(spec: ModelSpec, x: NDArray[Any], expected: NDArray[Any]) -> None:
    """Both our ways to run a model on x [batch, time, ...], in float64, beside the equations
    [batch, time, features]: as close as these two ways have to be to each other."""
    for run in RUNS.values():
        y = np.swapaxes(run(spec, np.swapaxes(x, 0, 1)), 0, 1)
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(0, 1, shape).astype(np.float32)


# textgenrnn: the weights of CuDNNLSTM layers

TEXT = "What is the best way to learn a new language when you are old? My first time playing this."


@pytest.fixture(scope="module")
def textgenrnn(package_file: Finder) -> Path:
    return package_file("textgenrnn", "textgenrnn/textgenrnn_weights.hdf5")


def test_textgenrnn_layers_equal_the_equations(textgenrnn: Path) -> None:
    table, first, second = arrays(textgenrnn, "embedding", "rnn_1", "rnn_2")
    assert first[2].shape == second[2].shape == (8 * 128,)
    indices = np.random.default_rng(0).integers(0, 465, (3, 40))
    y = ke.lstm(table[0][indices].astype(float), ke.from_cudnn(first, 4))
    check(read(textgenrnn, node="rnn_1"), table[0][indices], y)
    y = ke.lstm(y, ke.from_cudnn(second, 4))
    check(read(textgenrnn, between=("embedding", "rnn_2")), indices, y)


def test_textgenrnn_knows_english(textgenrnn: Path, package_file: Finder, run: Any) -> None:
    """In the whole network, with our layers in it, a text is likelier than by chance, and than with
    the other way to read its gates, hard_sigmoid, that LSTMs of its time had."""
    vocabulary = json.loads(
        package_file("textgenrnn", "textgenrnn/textgenrnn_vocab.json").read_text()
    )
    characters = [vocabulary.get(c, 0) for c in ["<s>", *TEXT]]
    starts = range(1, len(characters))
    indices = np.array([([0] * 40 + characters[:end])[-40:] for end in starts])
    table, *weights = arrays(textgenrnn, "embedding", "rnn_1", "rnn_2")

    def ours(x: Any, name: str) -> Any:
        y, _ = run(read(textgenrnn, node=name), np.swapaxes(x, 0, 1))
        return np.swapaxes(y, 0, 1)

    def hard(x: Any, name: str) -> Any:
        lists = ke.from_cudnn(weights[name == "rnn_2"], 4)
        return ke.lstm(x.astype(float), lists, gate=ke.hard_sigmoid_2)

    def nats(lstm: Callable[[Any, str], Any]) -> float:
        """What a character costs on average."""
        parts = [table[0][indices]]
        for name in ("rnn_1", "rnn_2"):
            parts.append(lstm(parts[-1], name))
        joined = np.concatenate(parts, axis=-1).astype(float)
        attention = ke.softmax((joined @ arrays(textgenrnn, "attention")[0])[..., 0])
        summed = (joined * attention[..., None]).sum(axis=1)
        p = ke.softmax(ke.dense(summed, arrays(textgenrnn, "output")))
        return float(-np.log(p[np.arange(len(p)), characters[1:]]).mean())

    assert nats(ours) < min(nats(hard), np.log(len(table[0])))


def test_textgenrnn_is_no_chain(textgenrnn: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"'attention' \(unknown\).*'rnn_1', 'rnn_2' out"):
        read(textgenrnn)


# rnnmorph: hard_sigmoid LSTMs of Keras 2.1.4, weights and the model's JSON


@pytest.mark.parametrize("language", ["en", "ru"])
def test_rnnmorph_bi_lstm_equals_the_equations(language: str, package_file: Finder) -> None:
    folder = f"rnnmorph/models/{language}"
    path = package_file("rnnmorph", f"{folder}/eval_model.h5")
    config = package_file("rnnmorph", f"{folder}/eval_model.json")
    weights, dense = arrays(path, "bidirectional_1", "time_distributed_2")
    x = noise(3, 20, 256)
    y = ke.bidirectional(ke.lstm, x.astype(float), weights, gate=ke.hard_sigmoid_2)
    check(read(path, config=config, node="bidirectional_1"), x, y)
    check(read(path, node="bidirectional_1"), x, y)  # by names, shapes and version alone
    both = read(path, config=config, between=("bidirectional_1", "time_distributed_3"))
    check(both, x, ke.dense(y, dense))


def test_rnnmorph_lstms_of_two_layers_equal_the_equations(package_file: Finder) -> None:
    """Its first bi-LSTM is two layers, one of them of a class of its own: a node by its arrays."""
    path = package_file("rnnmorph", "rnnmorph/models/en/eval_model.h5")
    config = package_file("rnnmorph", "rnnmorph/models/en/eval_model.json")
    forward, backward, dense = arrays(path, "LSTM_1_forward", "LSTM_1_backward", "dense_5")
    x = noise(2, 20, dense[0].shape[0])
    hidden = np.maximum(ke.dense(x.astype(float), dense), 0)
    spec = read(path, config=config, between=("dense_5", "LSTM_1_forward"))
    check(spec, x, ke.lstm(hidden, forward, gate=ke.hard_sigmoid_2))
    spec = read(path, node="LSTM_1_backward")
    x = noise(2, 20, backward[0].shape[0])
    check(spec, x, ke.lstm(x.astype(float), backward, gate=ke.hard_sigmoid_2))
    with pytest.raises(UnsupportedError, match=r"'LSTM_1_backward' \(ReversedLSTM\)"):
        read(path, config=config, node="LSTM_1_backward")
    with pytest.raises(UnsupportedError, match=r"node= takes one of .*'bidirectional_1' out"):
        read(path, config=config)


# russtress: a whole model of Keras 2.0.4, whose configuration is a list


def test_russtress_equals_the_equations(package_file: Finder) -> None:
    path = package_file("russtress", "russtress/weights.96.hdf5")
    both, dense = arrays(path, "bidirectional_1", "dense_1", root="model_weights")
    x = np.eye(36)[np.random.default_rng(0).integers(0, 36, (5, 40))]
    forward = ke.lstm(x, both[:3], gate=ke.hard_sigmoid_2)[:, -1]
    backward = ke.lstm(x, both[3:], gate=ke.hard_sigmoid_2, backwards=True)[:, -1]
    y = ke.dense(np.concatenate([forward, backward], axis=-1), dense)
    for run in RUNS.values():
        made = run(read(path), np.swapaxes(x, 0, 1))
        np.testing.assert_allclose(made, ke.softmax(y), rtol=0, atol=1e-12)


# crema: a whole model of Keras 2.2.2 with convolutions; GRUs that reset before, hard_sigmoid


def test_crema_bi_grus_equal_the_equations(package_file: Finder) -> None:
    path = package_file("crema", "crema/models/chord/model.h5")
    root = "model_weights"
    first, second, pitch, bass = arrays(
        path, "bidirectional_1", "bidirectional_2", "chord_pitch", "chord_bass", root=root
    )
    x = noise(2, 60, 72)
    gru = {"gate": ke.hard_sigmoid_2, "reset_after": False}
    y = ke.bidirectional(ke.gru, x.astype(float), first, **gru)
    check(read(path, node="bidirectional_1"), x, y)
    x = noise(2, 60, 256)
    y = ke.bidirectional(ke.gru, x.astype(float), second, **gru)
    spec = read(path, between=("bidirectional_2", "chord_pitch"))
    check(spec, x, ke.sigmoid(ke.dense(y, pitch)))
    spec = read(path, between=("bidirectional_2", "chord_bass"))
    check(spec, x, ke.softmax(ke.dense(y, bass)))


def test_crema_as_a_whole_is_refused_with_what_can_be_taken(package_file: Finder) -> None:
    path = package_file("crema", "crema/models/chord/model.h5")
    named = r"\(SqueezeLayer\): .*'bidirectional_1', 'bidirectional_2'"
    with pytest.raises(UnsupportedError, match=named):
        read(path)


def test_crema_from_one_bi_gru_to_the_next(package_file: Finder) -> None:
    """A batch normalisation is between them."""
    path = package_file("crema", "crema/models/chord/model.h5")
    names = ("bidirectional_1", "batch_normalization_4", "bidirectional_2")
    first, norm, second = arrays(path, *names, root="model_weights")
    gamma, beta, mean, variance = (array.astype(float) for array in norm)
    x = noise(2, 60, 72)
    gru = {"gate": ke.hard_sigmoid_2, "reset_after": False}
    y = ke.bidirectional(ke.gru, x.astype(float), first, **gru)
    y = gamma * (y - mean) / np.sqrt(variance + 1e-3) + beta
    spec = read(path, between=("bidirectional_1", "bidirectional_2"))
    check(spec, x, ke.bidirectional(ke.gru, y, second, **gru))


# chars2vec: weights of Keras 2.2.0 alone, a chain


@pytest.mark.parametrize("name", CHARS2VEC)
def test_chars2vec_equals_the_equations(name: str, package_file: Finder) -> None:
    path = package_file("chars2vec", f"chars2vec/trained_models/{name}/weights.h5")
    with h5py.File(path) as file:
        _, *names = (layer.decode() for layer in file.attrs["layer_names"])
    first, second = arrays(path, *names)
    rng = np.random.default_rng(0)
    x = np.eye(len(first[0]), dtype=np.float32)[rng.integers(0, len(first[0]), (4, 12))]
    y = ke.lstm(x.astype(float), first, gate=ke.hard_sigmoid_2)
    check(read(path), x, ke.lstm(y, second, gate=ke.hard_sigmoid_2))


@pytest.mark.parametrize("name", CHARS2VEC[::2])
def test_chars2vec_places_words_by_their_spelling(
    name: str, package_file: Finder, run: Any
) -> None:
    """A misspelt word lies nearest to what it was meant to be."""
    folder = f"chars2vec/trained_models/{name}"
    path = package_file("chars2vec", f"{folder}/weights.h5")
    pairs = [
        ("mecbanizatuon", "mechanization"), ("dicovery", "discovery"), ("prot$oplasmatic",
        "protoplasmatic"), ("copumber", "computer"), ("plato0nic", "platonic"),
    ]  # fmt: skip
    words = [word for pair in pairs for word in pair]
    known = package_file("chars2vec", f"{folder}/model.pkl").read_bytes()
    index: dict[str, int] = _Plain(known).load()[1]
    x = np.zeros((max(map(len, words)), len(words), len(index)), np.float32)
    for row, word in enumerate(words):
        for step, letter in enumerate(word):
            x[step, row, index[letter]] = 1
    lengths = [len(word) for word in words]
    y, _ = run(read(path), x, None, lengths)
    vectors = y[np.array(lengths) - 1, np.arange(len(words))]
    distances = np.linalg.norm(vectors[::2, None] - vectors[None, 1::2], axis=-1)
    assert (distances.argmin(axis=1) == np.arange(len(pairs))).all()


class _Plain(pickle.Unpickler):
    """Of lists, numbers and texts alone."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))

    def find_class(self, module: str, name: str) -> Any:
        raise AssertionError(f"{module}.{name} in a file of plain data")
