"""Keras's axes and ours: what a Reshape does to steps and their features."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rnn_native.formats.keras.shape import Shape, reshaped, starts

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def steps(x: NDArray[Any], time: int) -> NDArray[Any]:
    """The axis of the time in front, all others as features."""
    return np.moveaxis(x, time, 0).reshape(x.shape[time], -1)


@given(data=st.data(), sizes=SIZES, known=st.booleans())
def test_a_reshape_that_is_taken_leaves_each_step_as_it_is(
    data: Any, sizes: list[int], known: bool
) -> None:
    time = data.draw(st.integers(0, len(sizes) - 1))
    target = data.draw(
        st.lists(st.sampled_from([*sizes, 1, prod(sizes)]), min_size=1, max_size=5).filter(
            lambda made: prod(made) == prod(sizes)
        )
        | st.permutations(sizes)
    )
    given_ = list(target)
    if data.draw(st.booleans()):
        given_[data.draw(st.integers(0, len(target) - 1))] = -1
    told = tuple(n if known or axis != time else None for axis, n in enumerate(sizes))
    made = reshaped(Shape(told, time), given_)
    if made is None:
        return
    assert made.time is not None
    x = np.arange(prod(sizes)).reshape(sizes)
    if not known and -1 not in given_ and target[made.time] != sizes[time]:
        return  # a model of another number of steps, which the sizes that are told allow
    y = x.reshape(target)
    assert all(n in (None, m) for n, m in zip(made.sizes, y.shape, strict=True))
    np.testing.assert_array_equal(steps(y, made.time), steps(x, time))


@pytest.mark.parametrize(
    ("sizes", "time", "target", "made"),
    [
        ((None, 3, 4), 0, (-1, 12), ((None, 12), 0)),
        ((3, None, 4), 1, (3, -1, 2, 2), ((3, None, 2, 2), 1)),
        ((10, 3, 4), 0, (10, 12), ((10, 12), 0)),
        ((1, 10, 4), 1, (10, 4), ((10, 4), 0)),
        ((10, 4), 0, (-1, 2), None),
        ((None, 1), 0, (1, -1), ((1, None), 1)),
        ((10, 4), 0, (40,), None),
    ],
)
def test_what_becomes_of_the_time(sizes: Any, time: int, target: Any, made: Any) -> None:
    assert reshaped(Shape(sizes, time), target) == (None if made is None else Shape(*made))


@pytest.mark.parametrize(
    ("sizes", "times"),
    [((5,), [None]), ((5, 3), [0]), ((None, 5, 3), [0]), ((5, None, 3), [1]), ((5, 6, 3), [0, 1])],
)
def test_which_axis_may_be_the_time(sizes: Any, times: Any) -> None:
    assert [shape.time for shape in starts(sizes) if shape is not None] == times
