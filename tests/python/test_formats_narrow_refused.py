"""int8 and scales in a file that do not belong together are an error that names the array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narrow_files import WRITERS, Arrays, of_rich, put
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native import formats


def without(key: str) -> Callable[[Arrays], Any]:
    return lambda arrays: arrays.pop(key)


def changed(key: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Arrays], Any]:
    return lambda arrays: arrays.update({key: change(arrays[key])})


def with_number(value: float) -> Callable[[Arrays], Any]:
    def put_in(scales: NDArray[Any]) -> NDArray[Any]:
        scales = scales.copy()
        scales[2] = value
        return scales

    return changed("1.weight_ih_l0_scale", put_in)


SCALE_SHAPE = r"'1.weight_ih_l0_scale': expected float32 of shape \(16,\).*; got "
WRONG: list[tuple[Callable[[Arrays], Any], str]] = [
    (
        without("1.weight_ih_l0_scale"),
        r"'1.weight_ih_l0': int8, expected its scales .* float32 \[16\] called "
        r"'1.weight_ih_l0_scale'; there are none",
    ),
    (
        changed("1.weight_ih_l0_scale", lambda s: s[:-1]),
        SCALE_SHAPE + r"float32 of shape \(15,\)",
    ),
    (
        changed("1.weight_ih_l0_scale", lambda s: s[:, None]),
        SCALE_SHAPE + r"float32 of shape \(16, 1\)",
    ),
    (
        changed("1.weight_ih_l0_scale", lambda s: s.astype(np.float64)),
        SCALE_SHAPE + r"float64 of shape \(16,\)",
    ),
    (
        changed("1.weight_ih_l0_scale", lambda s: s.astype(np.int8)),
        SCALE_SHAPE + r"int8 of shape \(16,\)",
    ),
    *(
        (
            with_number(value),
            rf"'1.weight_ih_l0_scale': expected finite scales from 0; that of row 2 is {text}",
        )
        for value, text in ((np.nan, "nan"), (np.inf, "inf"), (-1.0, "-1.0"), (-1e-45, r"-1\.4"))
    ),
    (
        changed("1.weight_ih_l0", lambda a: a.astype(np.float32)),
        r"'1.weight_ih_l0_scale': expected no scales beside '1.weight_ih_l0', which is float32",
    ),
    (
        without("1.weight_ih_l0"),
        r"'1.weight_ih_l0_scale': expected the int8 weights '1.weight_ih_l0', .* there are none",
    ),
    (
        lambda arrays: arrays.update({"2.bias_scale": np.ones(3, np.float32)}),
        r"'2.bias_scale': expected no scales beside '2.bias', which is float32, not int8",
    ),
    (
        changed("2.bias", lambda a: a.astype(np.int8)),
        r"'2.bias': expected int8 for a matrix alone.*int8 of shape \(3,\)",
    ),
    (
        lambda arrays: arrays.update(
            {"2.bias": np.ones(3, np.int8), "2.bias_scale": np.ones(3, np.float32)}
        ),
        r"'2.bias': expected int8 for a matrix alone",
    ),
    (
        lambda arrays: arrays.update({"2.weight_scale_scale": np.ones(3, np.float32)}),
        r"'2.weight_scale_scale': expected the int8 weights '2.weight_scale'",
    ),
    (
        lambda arrays: arrays.update({"9.weight_scale": np.ones(3, np.float32)}),
        r"'9.weight_scale' belongs to none of the 3 layers",
    ),
    (changed("2.weight", lambda a: a[:, :-1]), r"weight: expected shape \(3, 4\), got \(3, 3\)"),
]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_does_not_belong_together_is_refused_by_name(
    change: Callable[[Arrays], Any], message: str, name: str, tmp_path: Path
) -> None:
    arrays, strings = of_rich()
    formats.read(put(tmp_path / "right", name, arrays, strings), name)
    change(arrays)
    with pytest.raises(rn.FormatError, match=message):
        formats.read(put(tmp_path / "wrong", name, arrays, strings), name)
