"""Operators that make one number of many along axes, or say which it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..constants import axis_of, integers
from ..graph import Anything, Node
from ..values import Constant
from .common import Arrays, Entry, Function, padded

Axes = tuple[int, ...]


def _axes(node: Node, arrays: Arrays) -> tuple[Axes | None, bool]:
    """The axes that are reduced, None for no reduction at all, and whether they stay as 1.

    An attribute before operator set 18, of ReduceSum before 13; an input since.
    """
    known: dict[str, tuple[str, Any]] = {"keepdims": ("int", 1)}
    since = 13 if node.op == "ReduceSum" else 18
    known["noop_with_empty_axes" if node.opset >= since else "axes"] = (
        ("int", 0) if node.opset >= since else ("ints", None)
    )
    options = node.options(**known)
    x, given = padded(arrays, 2)
    axes = options.get("axes")
    if given is not None:
        axes = integers(node, Constant(given), "axes")
    if not axes:
        if options.get("noop_with_empty_axes"):
            return None, True
        axes = range(x.ndim)
    found = tuple(axis_of(node, axis, x.ndim) for axis in axes)
    if len(set(found)) != len(found):
        raise node.malformed(f"axes {found} are not distinct")
    return found, bool(options["keepdims"])


def _reduction(
    function: Callable[[Anything, Axes, bool], Any],
    each: Callable[[Anything], Any] | None = None,
) -> Function:
    """``each`` is what it makes of numbers where no axis is reduced."""

    def calculate(node: Node, arrays: Arrays) -> Any:
        axes, keep = _axes(node, arrays)
        x = arrays[0]
        if axes is None:
            return x if each is None else np.asarray(each(x)).astype(x.dtype)
        return np.asarray(function(x, axes, keep)).astype(x.dtype, copy=False)

    return calculate


def _extreme(function: Any, lowest: bool) -> Callable[[Anything, Axes, bool], Any]:
    def calculate(x: Anything, axes: Axes, keep: bool) -> Any:
        if x.dtype.kind == "b":
            return function(x, axis=axes, keepdims=keep, initial=not lowest)
        if x.dtype.kind == "f":
            start: Any = -np.inf if lowest else np.inf
        else:
            start = np.iinfo(x.dtype).min if lowest else np.iinfo(x.dtype).max
        return function(x, axis=axes, keepdims=keep, initial=start)

    return calculate


def _mean(x: Anything, axes: Axes, keep: bool) -> Any:
    if x.dtype.kind in "iu":  # towards 0
        return np.trunc(np.mean(x, axis=axes, keepdims=keep))
    return np.mean(x, axis=axes, keepdims=keep)


def _log_sum_exp(x: Anything, axes: Axes, keep: bool) -> Any:
    top = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    sums = np.log(np.sum(np.exp(x - top), axis=axes, keepdims=True)) + top
    return sums if keep else sums.squeeze(axes)


def _arg(find: Callable[..., Any]) -> Function:
    def calculate(node: Node, arrays: Arrays) -> Any:
        options = node.options(axis=("int", 0), keepdims=("int", 1), select_last_index=("int", 0))
        x = arrays[0]
        axis = axis_of(node, options["axis"], x.ndim)
        if options["select_last_index"]:
            found = x.shape[axis] - 1 - find(np.flip(x, axis), axis=axis)
        else:
            found = find(x, axis=axis)
        found = np.asarray(found, np.int64)
        return np.expand_dims(found, axis) if options["keepdims"] else found

    return calculate


def _sum(x: Anything, axes: Axes, keep: bool) -> Any:
    return np.sum(x, axis=axes, keepdims=keep, dtype=x.dtype)


def _l1(x: Anything, axes: Axes, keep: bool) -> Any:
    return _sum(np.abs(x), axes, keep)


def _l2(x: Anything, axes: Axes, keep: bool) -> Any:
    return np.sqrt(_sum(np.square(x), axes, keep))


def _product(x: Anything, axes: Axes, keep: bool) -> Any:
    return np.prod(x, axis=axes, keepdims=keep, dtype=x.dtype)


def _log_sum(x: Anything, axes: Axes, keep: bool) -> Any:
    return np.log(_sum(x, axes, keep))


def _sum_of_squares(x: Anything, axes: Axes, keep: bool) -> Any:
    return _sum(np.square(x), axes, keep)


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "ArgMax": (_arg(np.argmax), 1, 1),
        "ArgMin": (_arg(np.argmin), 1, 1),
        "ReduceL1": (_reduction(_l1, np.abs), 1, 2),
        "ReduceL2": (_reduction(_l2, np.abs), 1, 2),
        "ReduceLogSum": (_reduction(_log_sum, np.log), 1, 2),
        "ReduceLogSumExp": (_reduction(_log_sum_exp), 1, 2),
        "ReduceMax": (_reduction(_extreme(np.max, lowest=True)), 1, 2),
        "ReduceMean": (_reduction(_mean), 1, 2),
        "ReduceMin": (_reduction(_extreme(np.min, lowest=False)), 1, 2),
        "ReduceProd": (_reduction(_product), 1, 2),
        "ReduceSum": (_reduction(_sum), 1, 2),
        "ReduceSumSquare": (_reduction(_sum_of_squares, np.square), 1, 2),
    }
)
