"""g2p_en, letters to phonemes: GRU encoder and decoder, against the package's own NumPy loop.

The package's class is executed from its own text, without what its module imports (nltk, inflect).
"""

from __future__ import annotations

import ast
import os
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import ModelSpec

sys.path.insert(0, str(Path(__file__).parent))

import g2p_layers

pytestmark = pytest.mark.models

START, END, LONGEST = 2, 3, 20  # <s>, </s>, and how many phonemes the package's loop allows
WORDS = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split()


@pytest.fixture(scope="module")
def arrays(package_file: Any) -> dict[str, NDArray[np.float32]]:
    return g2p_layers.load(package_file)


@pytest.fixture(scope="module")
def encoder(arrays: Any) -> ModelSpec:
    return g2p_layers.encoder(arrays)


@pytest.fixture(scope="module")
def decoder(arrays: Any) -> ModelSpec:
    return g2p_layers.decoder(arrays)


class Oracle:
    """The package's `G2p`, whose `grucell` also keeps every hidden state it returns."""

    def __init__(self, source: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one of its strings has an escape that is none
            tree = ast.parse(source.read_text(encoding="utf-8"))
        (body,) = [node for node in tree.body if getattr(node, "name", None) == "G2p"]
        names: dict[str, Any] = {
            "np": np,
            "os": os,
            "dirname": str(source.parent),
            "cmudict": SimpleNamespace(dict=dict),  # the dictionary of words it need not guess
            "construct_homograph_dictionary": dict,
        }
        exec(compile(ast.Module([body], []), str(source), "exec"), names)
        self.g2p = names["G2p"]()
        self.states: list[NDArray[np.float32]] = []
        self.step, self.g2p.grucell = self.g2p.grucell, self.grucell

    def grucell(self, *args: Any) -> NDArray[np.float32]:
        self.states.append(self.step(*args))
        return self.states[-1]

    def letters(self, word: str) -> list[int]:
        unknown = self.g2p.g2idx["<unk>"]
        return [self.g2p.g2idx.get(letter, unknown) for letter in [*word, "</s>"]]

    def __call__(self, word: str) -> tuple[list[str], NDArray[np.float32], NDArray[np.float32]]:
        """Phonemes, hidden states of the encoder and of the decoder [time, 256]."""
        self.states.clear()
        phonemes = self.g2p.predict(word)
        states = np.concatenate(self.states)
        assert states.dtype == np.float32
        return phonemes, *np.split(states, [len(word) + 1])


@pytest.fixture(scope="module")
def oracle(package_file: Any) -> Oracle:
    return Oracle(package_file("g2p_en", "g2p_en/g2p.py"))


@pytest.fixture(scope="module")
def expected(oracle: Oracle) -> dict[str, Any]:
    return {word: oracle(word) for word in ["", *WORDS]}


def test_every_phoneme_and_state_of_every_word(
    encoder: ModelSpec, decoder: ModelSpec, oracle: Oracle, expected: Any, run: Any
) -> None:
    """All words as one ragged batch through the encoder; then the decoder, one step at a time."""
    ids = [oracle.letters(word) for word in expected]
    lengths = np.array([len(row) for row in ids])
    x = np.zeros((lengths.max(), len(ids)), np.int64)
    for row, letters in enumerate(ids):
        x[: len(letters), row] = letters
    states, h = run(encoder, x, None, lengths)

    for row, (_, encoded, _) in enumerate(expected.values()):
        run.assert_close(states[: len(encoded), row], encoded)
        run.assert_close(h[0, row], encoded[-1])

    inputs, decoded = [np.full(len(ids), START)], []
    for _ in range(LONGEST):
        logits, h = run(decoder, inputs[-1][None], h)
        decoded.append(h[0])
        inputs.append(logits[0].argmax(axis=-1))
    symbols = np.stack(inputs[1:])
    for row, (phonemes, _, states) in enumerate(expected.values()):
        run.assert_close(np.stack(decoded)[: len(states), row], states)
        chosen = symbols[:, row].tolist()
        end = chosen.index(END) if END in chosen else LONGEST
        assert [oracle.g2p.idx2p[index] for index in chosen[:end]] == phonemes


def test_streams_letter_by_letter(
    encoder: ModelSpec, oracle: Oracle, expected: Any, compiled: Any
) -> None:
    stream = rn.Model(encoder).stream(batch=1)
    for word in WORDS[::7]:
        stream.reset()
        states = [np.array(stream.step(np.array([letter]))[0]) for letter in oracle.letters(word)]
        compiled.assert_close(states, expected[word][1])
        compiled.assert_close(stream.state[0, 0], expected[word][1][-1])


def test_words_are_told_apart(expected: Any) -> None:
    """The oracle itself: hundreds of different answers, so equality is no accident."""
    assert len(WORDS) == len(set(WORDS)) > 300
    assert len({tuple(phonemes) for phonemes, _, _ in expected.values()}) > 300
