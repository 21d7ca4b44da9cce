"""Names in messages: few, short, and those that were meant."""

from __future__ import annotations

from rnn_native.formats.names import some, suggest


def test_a_few_of_many_names_are_shown() -> None:
    assert some([]) == "none"
    assert some(["a", "b"]) == "a, b"
    assert some(list("abcd"), 3) == "a, b, c and 1 more"


def test_what_cannot_be_printed_and_what_is_long_does_no_harm() -> None:
    assert some(["a\nb\x1b[2J"]) == r"'a\nb\x1b[2J'"
    assert len(some(["x" * 10**6] * 10**4)) < 3000


def test_similar_names_are_suggested() -> None:
    known = ["dense", "lstm_1", "lstm_2", "x" * 10**6]
    assert suggest("lstm1", known) == "; there is 'lstm_1', 'lstm_2'"
    assert suggest("gru", known) == ""
    assert suggest("x" * 10**6, ["x" * 99]) == "; there is " + repr("x" * 99)
