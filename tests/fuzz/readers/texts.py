"""Mutants of JSON values and of the texts in them."""

from __future__ import annotations

import copy
import random
import re
from typing import Any

_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**53, 2**70, 1e308, -0.5, float("nan"), float("inf"),
    "", "0", "F32", "BF16", "I8", "LSTM", "linear", "a", "\ud800", "x" * 3000, [], {}, [[]], [0, 0],
    [0, 2**63], ["a", 0, 0], [["a", 0, 0, {}]], {"class_name": "LSTM", "config": {}},
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}},
    {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]},
)  # fmt: skip
_WORDS = (
    "true", "false", "nan", "inf", "-1", "1e999", "4294967296", "lstm", "gru", "rnn", "merge",
    "recurrent", "linear", "embedding", "bidirectional", "reverse", "relu", "softmax", "affine",
    "return_sequences=false", "clip=0.5", "activations=tanh", "gate_recurrent=true", "=", " ",
)  # fmt: skip


def change_json(rng: random.Random, value: Any) -> Any:
    """A value with something else in one of its places."""
    value = copy.deepcopy(value)
    places = _places(value)
    if not places:
        return copy.deepcopy(rng.choice(_ODD))
    owner, key = rng.choice(places)
    what = rng.random()
    if what < 0.3:
        owner[key] = copy.deepcopy(rng.choice(_ODD))
    elif what < 0.45:
        del owner[key]
    elif what < 0.6:
        other, its = rng.choice(places)
        owner[key] = copy.deepcopy(other[its])
    elif what < 0.7 and isinstance(owner, list):
        owner.insert(key, copy.deepcopy(owner[key]))
    elif what < 0.7:
        owner[change_text(rng, str(key))] = owner[key] if rng.random() < 0.5 else owner.pop(key)
    elif what < 0.72:
        for _ in range(rng.choice((10, 100, 400))):
            owner[key] = [owner[key]]
    elif isinstance(owner[key], str):
        owner[key] = change_text(rng, owner[key])
    elif type(owner[key]) in (int, float):
        owner[key] = rng.choice((owner[key] + rng.choice((-1, 1, 4)), -owner[key], 2 * owner[key]))
    return value


def change_text(rng: random.Random, text: str) -> str:
    """A text with another word, number or character in it."""
    words = list(re.finditer(r"[a-z_]+|[0-9]+|\W", text))
    if not words or rng.random() < 0.1:
        return text + rng.choice(("/", ".", "\0", "_l1", "_reverse", "_scale", ":0", *_WORDS))
    word = rng.choice(words)
    what = rng.random()
    if what < 0.5:
        new = rng.choice((*_WORDS, *(other[0] for other in words)))
    elif what < 0.7:
        new = word[0] * rng.choice((0, 2, 40))
    else:
        new = word[0][:-1] + chr(rng.choice((0, 10, 48, 57, 65, 97, 0x663, 0x2028)))
    return text[: word.start()] + new + text[word.end() :]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Containers and keys of all that is in a value; not by recursion, as it may be deep."""
    found: list[tuple[Any, Any]] = []
    left = [value]
    while left:
        one = left.pop()
        items = one.items() if isinstance(one, dict) else enumerate(one)
        for key, item in items:
            found.append((one, key))
            if isinstance(item, (dict, list)):
                left.append(item)
    return found
