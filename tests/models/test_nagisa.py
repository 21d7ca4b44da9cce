"""nagisa, a Japanese tagger: three bi-LSTMs in DyNet's text format, against its own kernels.

The package tags sentences with its own reader and its compiled kernels; every input and output of
its bi-LSTMs is kept. We read the same file on our own, make a ModelSpec of each, and run that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import ModelSpec, Recurrent

pytestmark = pytest.mark.models

# Names in the file, in the order in which DyNet's ParameterCollection made them.
SEGMENTER, TAGGER, SPELLER = "birnn", "birnn_1", "birnn_2"
SENTENCES = (
    "吾輩は猫である。名前はまだ無い。",
    "東京都の人口は約1400万人で、世界でも最大級の都市です。",
    "すもももももももものうち",
    "昨日、友達と一緒に新しいレストランでイタリア料理を食べました。",
    "Pythonで簡単に使えるツールです",
    "国境の長いトンネルを抜けると雪国であった。夜の底が白くなった。",
    "ﾊﾝｶｸとＡＢＣと㍿と😀が混ざった変な文!?",
    "あ",
)


def read_dynet(path: Any) -> dict[str, NDArray[np.float32]]:
    """The plain parameters of a DyNet text file: its matrices {rows, columns} column by column."""
    arrays = {}
    with path.open("rb") as file:
        while header := file.readline().decode("ascii"):
            kind, name, shape, size, _ = header.split()
            if kind != "#Parameter#":
                file.seek(int(size), 1)
                continue
            values = np.array(file.read(int(size)).split(), dtype=np.float32)
            sizes = [int(size) for size in shape.strip("{}").split(",")]
            arrays[name] = values.reshape(sizes, order="F")
    return arrays


def lstm_of(arrays: dict[str, NDArray[np.float32]], name: str) -> ModelSpec:
    """One bi-LSTM. DyNet: gates i, f, o, g, one bias, and 1 added to f at run time."""
    weights: dict[str, NDArray[np.float32]] = {}
    for builder, suffix in (("vanilla-lstm-builder", ""), ("vanilla-lstm-builder_1", "_reverse")):
        w_x, w_h, b = (arrays[f"/{name}/{builder}/_{part}"] for part in range(3))
        hidden = w_h.shape[1]
        b = b.copy()
        b[hidden : 2 * hidden] += np.float32(1)
        for ours, array in (("weight_ih", w_x), ("weight_hh", w_h), ("bias_ih", b)):
            i, f, o, g = np.split(array, 4)
            weights[f"{ours}_l0{suffix}"] = np.concatenate([i, f, g, o])
        weights[f"bias_hh_l0{suffix}"] = np.zeros_like(b)
    return ModelSpec((Recurrent("lstm", w_x.shape[1], hidden, weights, direction="bidirectional"),))


@pytest.fixture(scope="module")
def specs(package_file: Any) -> dict[str, ModelSpec]:
    arrays = read_dynet(package_file("nagisa", "nagisa/data/nagisa_v001.model"))
    return {name: lstm_of(arrays, name) for name in (SEGMENTER, TAGGER, SPELLER)}


@pytest.fixture(scope="module")
def tagger(package_file: Any) -> Iterator[Any]:
    """The package's Tagger, without its `__init__`, which makes one too and imports training."""
    folder = package_file("nagisa", "nagisa/tagger.py").parent
    pytest.importorskip("six", reason="see tests/models/requirements-oracles.txt")
    pytest.importorskip("nagisa_utils", reason="nagisa is installed without its compiled kernels")
    package = ModuleType("nagisa")
    package.__path__ = [str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))  # the module appends its folder
        patch.setitem(sys.modules, "nagisa", package)
        from nagisa.tagger import Tagger

        yield Tagger()
        for name in [name for name in sys.modules if name.startswith("nagisa.")]:
            patch.delitem(sys.modules, name)


@pytest.fixture(scope="module")
def calls(tagger: Any) -> dict[str, list[tuple[Any, Any]]]:
    """What went in and came out of each bi-LSTM while the package tagged the sentences.

    Of the segmenter and the tagger: x [time, in], y [time, 2H]. Of the speller, which its own
    kernel runs for all words of a sentence at once: their characters' indices, and [words, 2H].
    """
    kept: dict[str, list[tuple[Any, Any]]] = {SEGMENTER: [], TAGGER: [], SPELLER: []}
    model = tagger._model

    def keep(owner: Any, method: str, name: str) -> None:
        original = getattr(owner, method)

        def call(x: Any) -> Any:
            y = original(x)
            kept[name].append((x.copy() if isinstance(x, np.ndarray) else x, y.copy()))
            return y

        setattr(owner, method, call)

    keep(model.ws_model, "transduce", SEGMENTER)
    keep(model.pos_model, "transduce", TAGGER)
    keep(model, "_char_vecs", SPELLER)
    for sentence in SENTENCES:
        assert tagger.tagging(sentence).postags
    assert all(len(of_one) == len(SENTENCES) for of_one in kept.values())
    return kept


@pytest.mark.parametrize("name", [SEGMENTER, TAGGER])
def test_bi_lstm_equals_the_kernel(specs: Any, calls: Any, name: str, run: Any) -> None:
    spec = specs[name]
    for x, expected in calls[name]:
        y, _ = run(spec, x[:, None])
        run.assert_close(y[:, 0], expected)


@pytest.mark.parametrize("name", [SEGMENTER, TAGGER])
def test_sentences_of_different_lengths_in_one_batch(
    specs: Any, calls: Any, name: str, run: Any
) -> None:
    spec = specs[name]
    lengths = [len(x) for x, _ in calls[name]]
    assert len(set(lengths)) > 3
    batch = np.full((max(lengths), len(lengths), spec.input_size), np.nan, np.float32)
    for row, (x, _) in enumerate(calls[name]):
        batch[: len(x), row] = x
    y, _ = run(spec, batch, None, lengths)
    for row, (x, expected) in enumerate(calls[name]):
        run.assert_close(y[: len(x), row], expected)
        assert not y[len(x) :, row].any()


def test_spelling_vectors_of_words_equal_the_kernel(
    specs: Any, calls: Any, tagger: Any, run: Any
) -> None:
    """The output at a word's last character: all of it forwards, one character backwards."""
    spec, table = specs[SPELLER], tagger._model.UNI
    for words, expected in calls[SPELLER]:
        lengths = np.array([len(word) for word in words])
        x = np.zeros((lengths.max(), len(words), spec.input_size), np.float32)
        for row, word in enumerate(words):
            x[: len(word), row] = table[word]
        y, (h_n, _) = run(spec, x, None, lengths)
        last = y[lengths - 1, np.arange(len(words))]
        run.assert_close(last, expected)
        run.assert_close(h_n[0], expected[:, :16])


def test_tags_are_the_same_with_our_bi_lstms_in_place_of_its_own(
    specs: Any, tagger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tags() -> list[list[tuple[str, str]]]:
        found = [tagger.tagging(sentence) for sentence in SENTENCES]
        return [list(zip(one.words, one.postags, strict=True)) for one in found]

    expected = tags()
    ours = {name: rn.Model(spec) for name, spec in specs.items()}

    def transduce(name: str) -> Any:
        return lambda x: np.ascontiguousarray(ours[name](x[:, None])[0][:, 0], np.float32)

    monkeypatch.setattr(tagger._model.ws_model, "transduce", transduce(SEGMENTER))
    monkeypatch.setattr(tagger._model.pos_model, "transduce", transduce(TAGGER))
    speller, table = transduce(SPELLER), tagger._model.UNI
    monkeypatch.setattr(
        tagger._model,
        "_char_vecs",
        lambda words: np.stack([speller(table[word])[-1] for word in words]),
    )
    assert tags() == expected
