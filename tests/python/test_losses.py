"""Losses: their values by definition, their gradients by central differences, what counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.train import binary_cross_entropy, cross_entropy, mean_squared_error

TIME, BATCH, FEATURES = 4, 3, 5
LENGTHS = [4, 0, 2]
MASK = np.random.default_rng(5).random((TIME, BATCH)) < 0.6


def case(name: str, seed: int = 0) -> tuple[Callable[..., Any], NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 2, (TIME, BATCH, FEATURES))
    if name == "cross_entropy":
        return cross_entropy, y, rng.integers(FEATURES, size=(TIME, BATCH))
    if name == "binary_cross_entropy":
        return binary_cross_entropy, y, rng.random((TIME, BATCH, FEATURES))
    return mean_squared_error, y, rng.normal(0, 2, (TIME, BATCH, FEATURES))


CASES = ("cross_entropy", "binary_cross_entropy", "mean_squared_error")
COUNTING = {
    "all": {},
    "lengths": {"lengths": LENGTHS},
    "mask": {"mask": MASK},
    "both": {"lengths": LENGTHS, "mask": MASK},
}


def counted(options: dict[str, Any]) -> list[tuple[int, int]]:
    """The places that count, one by one."""
    lengths, mask = options.get("lengths", [TIME] * BATCH), options.get("mask")
    return [
        (t, b)
        for t in range(TIME)
        for b in range(BATCH)
        if t < lengths[b] and (mask is None or mask[t, b])
    ]


def by_definition(name: str, y: NDArray[Any], t: NDArray[Any], options: dict[str, Any]) -> float:
    terms = []
    for place in counted(options):
        row = [float(value) for value in y[place]]
        if name == "cross_entropy":
            total = sum(math.exp(value) for value in row)
            terms.append(-math.log(math.exp(row[t[place]]) / total))
            continue
        for value, target in zip(row, t[place], strict=True):
            if name == "binary_cross_entropy":
                p = 1 / (1 + math.exp(-value))
                terms.append(-target * math.log(p) - (1 - target) * math.log(1 - p))
            else:
                terms.append((value - target) ** 2)
    return sum(terms) / len(terms)


@pytest.mark.parametrize("counting", COUNTING)
@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_the_mean_over_what_counts(name: str, counting: str) -> None:
    options = COUNTING[counting]
    loss, y, targets = case(name)
    # Both sum about 60 terms of magnitude 10 with a relative rounding of 2^-53 each.
    expected = by_definition(name, y, targets, options)
    assert loss(y, targets, **options)[0] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("counting", COUNTING)
@pytest.mark.parametrize("name", CASES)
def test_a_place_counts_as_often_as_its_weight_says(name: str, counting: str) -> None:
    """Whole weights are repeated rows, in the loss and, summed, in the gradient."""
    options = COUNTING[counting]
    loss, y, targets = case(name)
    times = np.array([2, 3, 1])
    rows = np.repeat(np.arange(BATCH), times)
    repeated = {
        "lengths": {"lengths": np.array(LENGTHS)[rows]}, "mask": {"mask": MASK[:, rows]}, "all": {},
        "both": {"lengths": np.array(LENGTHS)[rows], "mask": MASK[:, rows]},
    }[counting]  # fmt: skip
    expected, each = loss(y[:, rows], targets[:, rows], **repeated)
    got, dy = loss(y, targets, weights=np.broadcast_to(times, (TIME, BATCH)), **options)
    # As above: about 60 terms of a relative rounding of 2^-53.
    assert got == pytest.approx(expected, rel=1e-13)
    summed = np.stack([each[:, rows == row].sum(axis=1) for row in range(BATCH)], axis=1)
    np.testing.assert_allclose(dy, summed, rtol=1e-13, atol=0)
    nothing, dy = loss(y, targets, weights=np.zeros((TIME, BATCH)), **options)
    assert nothing == 0
    assert not dy.any()
    with pytest.raises(rn.ShapeError, match="weights: expected finite"):
        loss(y, targets, weights=-np.ones((TIME, BATCH)))


@pytest.mark.parametrize("counting", COUNTING)
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_the_central_difference(name: str, counting: str) -> None:
    """Step 1e-5: the truncation is 1e-10 of a third derivative below 1, the rounding 1e-16 / 1e-5
    of a loss below 10; together below 1e-9."""
    options = COUNTING[counting]
    loss, y, targets = case(name)
    _, dy = loss(y, targets, **options)
    for place in np.ndindex(y.shape):
        values = []
        for step in (1e-5, -1e-5):
            moved = y.copy()
            moved[place] += step
            values.append(loss(moved, targets, **options)[0])
        assert dy[place] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_count_is_never_looked_at(name: str) -> None:
    loss, y, targets = case(name)
    options = COUNTING["both"]
    expected = loss(y, targets, **options)
    places = counted(options)
    for place in np.ndindex(TIME, BATCH):
        if place not in places:
            y[place] = np.nan
            targets[place] = 10**6
    got = loss(y, targets, **options)
    assert got[0] == expected[0]
    assert np.array_equal(got[1], expected[1])
    assert [place for place in np.ndindex(TIME, BATCH) if got[1][place].any()] == places


@pytest.mark.parametrize("name", CASES)
def test_nothing_that_counts_is_no_loss(name: str) -> None:
    loss, y, targets = case(name)
    value, dy = loss(y, targets, lengths=[0, 0, 0])
    assert value == 0.0
    assert not dy.any()


@pytest.mark.parametrize("name", CASES)
def test_without_time_and_in_the_type_of_y(name: str) -> None:
    loss, y, targets = case(name)
    value, dy = loss(y[0].astype(np.float32), targets[0])
    assert (type(value), dy.dtype, dy.shape) == (float, np.float32, (BATCH, FEATURES))
    wide = loss(y[0].astype(np.float32).astype(np.float64), targets[0])
    assert value == wide[0]  # summed in float64 either way
    assert np.array_equal(dy, wide[1].astype(np.float32))


def test_extreme_logits_neither_overflow_nor_lose_the_gradient() -> None:
    logits = np.array([[1e4, -1e4, 0.0]])
    with np.errstate(all="raise", under="ignore"):
        loss, dy = cross_entropy(logits, np.array([1]))
        assert loss == 2e4
        assert dy.tolist() == [[1.0, -1.0, 0.0]]
        loss, dy = binary_cross_entropy(logits, np.array([[0.0, 1.0, 1.0]]))
        assert loss == pytest.approx((2e4 + math.log(2)) / 3, rel=1e-15)
        assert dy.tolist() == [[1 / 3, -1 / 3, -0.5 / 3]]


@pytest.mark.parametrize(
    ("loss", "y", "targets", "options", "error", "text"),
    [
        (cross_entropy, np.ones((2, 3)), [0, 3], {}, rn.ShapeError, r"targets\[1\]: expected 0..2"),
        (cross_entropy, np.ones((2, 3)), [0, -1], {}, rn.ShapeError, r"targets\[1\]"),
        (cross_entropy, np.ones((2, 3)), [0.0, 1.0], {}, rn.DTypeError, "targets"),
        (cross_entropy, np.ones((2, 3)), [0], {}, rn.ShapeError, "targets: expected shape"),
        (cross_entropy, np.ones((2, 3), int), [0, 1], {}, rn.DTypeError, "logits"),
        (cross_entropy, np.ones(3), 0, {}, rn.ShapeError, "logits"),
        (cross_entropy, np.ones((2, 3)), [0, 1], {"lengths": [1, 1]}, rn.ShapeError, "lengths"),
        (cross_entropy, np.ones((1, 2, 3)), [[0, 1]], {"lengths": [2, 1]}, rn.ShapeError,
         r"lengths\[0\]: expected 0..1, got 2"),
        (cross_entropy, np.ones((1, 2, 3)), [[0, 1]], {"lengths": [1.0, 1]}, rn.DTypeError, "len"),
        (cross_entropy, np.ones((2, 3)), [0, 1], {"mask": [1, 0]}, rn.DTypeError, "mask"),
        (cross_entropy, np.ones((2, 3)), [0, 1], {"mask": [True]}, rn.ShapeError, "mask"),
        (binary_cross_entropy, np.ones((2, 1)), [[0], [2]], {}, rn.ShapeError, "expected 0 to 1"),
        (binary_cross_entropy, np.ones((2, 1)), [[0], [np.nan]], {}, rn.ShapeError,
         "expected 0 to 1, got nan"),
        (binary_cross_entropy, np.ones((2, 1)), [[0], [1j]], {}, rn.DTypeError, "targets"),
        (mean_squared_error, np.ones((2, 1)), [0, 1], {}, rn.ShapeError, "targets"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(
    loss: Callable[..., Any], y: Any, targets: Any, options: Any, error: Any, text: str
) -> None:
    with pytest.raises(error, match=text):
        loss(y, targets, **options)
