"""What the tests of the compiled core share: comparing with the reference, and memory layouts.

- ``assert_agrees``: a result against float64 ``reference.run``: float32 within ``bounds.run``
  (derived there), float64 within 1e-12 of the largest magnitude, or of 1 where that is less, and
  what that bound has for underflow besides;
- ``assert_same_bits``: equality of bits, NaN and the sign of zero included;
- ``LAYOUTS``: the same numbers (or what a conversion leaves of them) laid out otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import bounds
import numpy as np
import strategies
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import Layer, ModelSpec

AnyArray = NDArray[Any]

DTYPES: Final = ("float32", "float64")
TINY64: Final = 2.0**-1022


def matmuls() -> tuple[str, ...]:
    """The values of ``matmul`` that this process can serve."""
    has_blas = bool(rn.show_config(mode="dicts")["blas"])
    return ("packed", "auto", *(("blas",) if has_blas else ()))


def arrays_of(state: Any) -> list[AnyArray]:
    """The arrays of a state, however nested, in order."""
    return bounds.flatten(state)


def map_state(f: Callable[[AnyArray], AnyArray], state: Any) -> Any:
    """f of each array of a state, nested as before; None stays None."""
    return None if state is None else strategies.map_state(f, state)


def recast(spec: ModelSpec, dtype: str) -> ModelSpec:
    """The spec with every weight rounded to, or widened to, ``dtype``."""

    def cast(layer: Layer) -> Layer:
        arrays = {name: a.astype(dtype) for name, a in layer.arrays.items()}
        return layer.make(arrays, layer.options)

    return ModelSpec(tuple(cast(layer) for layer in spec.layers), spec.mask_value)


def structure(state: Any) -> Any:
    """The nesting and the shapes of a state."""
    if isinstance(state, tuple):
        return tuple(structure(part) for part in state)
    return np.asarray(state).shape


def assert_same_bits(a: AnyArray, b: AnyArray) -> None:
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    x, y = (np.ascontiguousarray(v).view(unsigned) for v in (a, b))
    wrong = np.argwhere(x != y)
    assert not len(wrong), (
        f"{len(wrong)} of {x.size} values differ in bits, first at {tuple(wrong[0])}: "
        f"{a[tuple(wrong[0])]!r} and {b[tuple(wrong[0])]!r}"
    )


def assert_same_state(a: Any, b: Any) -> None:
    assert structure(a) == structure(b)
    for left, right in zip(arrays_of(a), arrays_of(b), strict=True):
        assert_same_bits(left, right)


def assert_agrees(
    spec: ModelSpec,
    x: AnyArray,
    state: Any,
    lengths: Any,
    y: AnyArray,
    final: Any,
    dtype: str,
    weight_dtype: str | None = None,
    compute: str | None = None,
) -> None:
    """``y`` and ``final`` against the reference, given numbers of ``dtype``; time first."""
    options: Any = {"weight_dtype": weight_dtype, "compute": compute}
    data = np.asarray(x)
    if not spec.takes_indices:
        data = data.astype(dtype).astype(np.float64)  # what the model was asked to calculate with
    start = map_state(lambda a: a.astype(dtype).astype(np.float64), state)
    want, want_final = rn.reference.run(spec, data, start, lengths, **options)
    assert structure(final) == structure(want_final)
    pairs = list(zip([y, *arrays_of(final)], [want, *arrays_of(want_final)], strict=True))
    for got, expected in pairs:
        assert got.dtype == np.dtype(dtype)
        assert got.shape == expected.shape
    if dtype == "float64":
        for k, (got, expected) in enumerate(pairs):
            most = 1e-12 * max(1.0, float(np.max(np.abs(expected), initial=0.0)))
            if np.allclose(got, expected, rtol=0, atol=most, equal_nan=True):
                continue
            # The reference rounds as the core does, but has denormals: underflow comes on top.
            under, under_final = bounds.run(spec, data, start, lengths, u=0.0, tiny=TINY64)
            most = most + [under, *under_final][k].each
            np.testing.assert_array_less(np.abs(got - expected), most)
        return
    allowed, allowed_final = bounds.run(spec, data, start, lengths, **options)
    for (got, _), bound in zip(pairs, [allowed, *allowed_final], strict=True):
        assert np.all(np.isfinite(bound.each)), "a bound that says nothing"
        ratio = bounds.excess(got, bound)
        assert ratio <= 1, f"the error is {ratio:.3g} times its bound"


def check(
    spec: ModelSpec,
    x: AnyArray,
    state: Any = None,
    lengths: Any = None,
    *,
    dtype: str = "float32",
    batch_first: bool = False,
    **options: Any,
) -> None:
    """Build a Model, run it, and hold it to the reference. ``x`` is [T, B, ...] either way."""
    model = rn.Model(spec, dtype=dtype, batch_first=batch_first, **options)
    y, final = model(np.swapaxes(x, 0, 1) if batch_first else x, state, lengths)
    y = np.swapaxes(y, 0, 1) if batch_first and spec.return_sequences else y
    rounded = {name: options[name] for name in ("weight_dtype", "compute") if name in options}
    assert_agrees(spec, x, state, lengths, y, final, dtype, **rounded)


def _fortran(a: AnyArray) -> AnyArray:
    return np.asfortranarray(a)


def _sliced(a: AnyArray) -> AnyArray:
    """A window on a larger array, every second element of it, with others all around."""
    big = np.full([2 * n + 3 for n in a.shape], 99, a.dtype)
    window = big[tuple(slice(1, 1 + 2 * n, 2) for n in a.shape)]
    window[...] = a
    return window


def _negative(a: AnyArray) -> AnyArray:
    flip = (slice(None, None, -1),) * a.ndim
    return a[flip].copy()[flip]


def _swapped_axes(a: AnyArray) -> AnyArray:
    return np.swapaxes(np.swapaxes(a, 0, 1).copy(), 0, 1)


def _broadcast(a: AnyArray) -> AnyArray:
    """Stride 0 on the first axis: every step is the first one."""
    return np.broadcast_to(a[:1], a.shape) if a.shape[0] else a


def _broadcast_all(a: AnyArray) -> AnyArray:
    """Stride 0 on every axis: one number throughout."""
    return np.broadcast_to(a[(slice(1),) * a.ndim], a.shape) if a.size else a


def _broadcast_last(a: AnyArray) -> AnyArray:
    """Stride 0 on the last axis: features that are all equal."""
    return np.broadcast_to(a[..., :1], a.shape) if a.size else a


def _other_byte_order(a: AnyArray) -> AnyArray:
    return a.astype(a.dtype.newbyteorder())


def _read_only(a: AnyArray) -> AnyArray:
    b = a.copy()
    b.flags.writeable = False
    return b


def _unaligned(a: AnyArray) -> AnyArray:
    memory = np.zeros(a.nbytes + 1, np.uint8)
    b = memory[1:].view(a.dtype).reshape(a.shape)
    b[...] = a
    return b


def _narrow(a: AnyArray) -> AnyArray:
    return a.astype(np.int16 if a.dtype.kind in "iu" else np.float16)


def _wide(a: AnyArray) -> AnyArray:
    """More digits than float32 has, to be rounded to it."""
    return a if a.dtype.kind in "iu" else a.astype(np.float64) * (1 + 2.0**-30)


LAYOUTS: Final[Mapping[str, Callable[[AnyArray], AnyArray]]] = MappingProxyType(
    {
        "contiguous": np.ascontiguousarray,
        "fortran": _fortran,
        "sliced": _sliced,
        "negative": _negative,
        "swapped_axes": _swapped_axes,
        "broadcast": _broadcast,
        "broadcast_all": _broadcast_all,
        "broadcast_last": _broadcast_last,
        "other_byte_order": _other_byte_order,
        "read_only": _read_only,
        "unaligned": _unaligned,
        "narrow": _narrow,
        "wide": _wide,
    }
)
