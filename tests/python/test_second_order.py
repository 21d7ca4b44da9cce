"""Integers chosen by what they multiply: each part of the choice, and several blocks of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agreement import assert_same_bits
from numpy.typing import NDArray

from rnn_native.quantizing import second_order
from rnn_native.quantizing.operands import _sums
from rnn_native.quantizing.second_order import int8_weight_for
from rnn_native.spec.rounding import int8_operand, int8_weight

WIDE = 150  # more columns than are rounded at once, twice


def data(columns: int, rows: int = 600, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights, and what they multiply, features of which go along with each other."""
    rng = np.random.default_rng(seed)
    few = rng.standard_normal((rows, max(1, columns // 4)))
    x = few @ rng.standard_normal((few.shape[1], columns))
    return rng.standard_normal((20, columns)), x + 0.1 * rng.standard_normal(x.shape)


def errors(weight: NDArray[Any], made: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """Of each row, the squared error of its products."""
    return np.sum((x @ weight.T - int8_operand(x) @ made.T) ** 2, axis=0)


def test_blocks_of_columns_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, x = data(WIDE)
    made = int8_weight_for(weight, _sums(x))
    for at_once in (1, WIDE):
        monkeypatch.setattr(second_order, "_AT_ONCE", at_once)
        assert_same_bits(int8_weight_for(weight, _sums(x)), made)


@pytest.mark.parametrize("part", ["_round_in_turn", "_descend"])
def test_each_part_makes_products_nearer(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weight, x = data(WIDE, 6000)
    whole = errors(weight, int8_weight_for(weight, _sums(x)), x).sum()

    def nearest(target: Any, curvature: Any, steps: Any) -> Any:
        return second_order._nearest(target / steps)

    without = {"_round_in_turn": nearest, "_descend": lambda *all: None}
    monkeypatch.setattr(second_order, part, without[part])
    assert whole < errors(weight, int8_weight_for(weight, _sums(x)), x).sum()


def test_the_rounding_of_what_is_multiplied_is_made_up_for() -> None:
    """Where it is always the same nearly all of it; not where it is taken to be exact."""
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((20, 12))
    x = rng.uniform(0.002, 1, 12) + 1e-4 * rng.standard_normal((200, 12))
    sums, exact = _sums(x), _sums(x)
    exact.missing[:] = 0
    found = [errors(weight, int8_weight_for(weight, each), x).sum() for each in (sums, exact)]
    assert found[0] < 0.2 * found[1]


def test_no_row_is_worse_than_each_weight_by_itself() -> None:
    for seed in range(40):
        weight, x = data(3, 30, seed)
        made, plain = int8_weight_for(weight, _sums(x)), int8_weight(weight)
        assert (errors(weight, made, x) <= errors(weight, plain, x) * (1 + 1e-9)).all()


def test_few_rows_do_not_spoil_what_others_see() -> None:
    """Of fewer steps than features, too, on data of the same kind as good as plain ones."""
    for rows in (1, 10, 40, 120):
        weight, x = data(WIDE, 2000)
        made = int8_weight_for(weight, _sums(x[:rows]))
        found, plain = (errors(weight, it, x[1000:]).sum() for it in (made, int8_weight(weight)))
        assert found < 1.05 * plain
