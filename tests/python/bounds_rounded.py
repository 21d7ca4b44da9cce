"""What rounding the operands of products adds to the bound of bounds.py, which has the rest.

A computed operand x^ lies in [x - e, x + e], e = ``each`` of what is known of x.

1. *bfloat16.* Rounding B is monotone, so B(x^) is in [B(x - e), B(x + e)]; where x is exact,
   B(x^) = B(x). Products of two bfloat16 are exact in float32. Fused multiply-adds sum them as any
   product. Arm's bfdot rounds to odd, by up to 2u, the sum of a pair and then, in turn, of all so
   far: a term is rounded 1 + ceil(K / 2) times at most, so that n + 3 is in the place of n.
2. *int8.* Of a row, m = max |x| and q = rint(127 x / m), so m^ is in [max(|x| - e), max(|x| + e)],
   and rint is monotone: q^ lies between the integers of the ends, x - e by the m that makes it
   smaller and x + e by the one that makes it larger, three roundings of float32 on top. Away from
   the border between two integers both are q; at one they differ by one. What is multiplied is
   q^ m^ / 127, of the ends of both. A row that is exact has the very same integers and scale.
3. *An int8 product* is the integer sum, exact, times its row's and its weights' scales: the sum
   as float32, the product of the scales and that of both round once each, and so does integer times
   scale in the weights that the reference multiplies. So gamma(4) is in the place of the gamma of a
   sum of K terms. Where the scales' product is below t, the sum may count as zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from bounds_arithmetic import F64, Approx, Arithmetic, Diagonal, Matrix, approx

LEAST: Final = 2.0**-100
MOST: Final = 127.0


def _norm(a: F64) -> F64:
    return np.sqrt(np.sum(a * a, axis=-1, keepdims=True))


def bfloat16(x: F64) -> F64:
    """To the nearest: float64's step at x is 2^-45 of bfloat16's."""
    step = np.maximum(np.spacing(np.abs(x)) * 2.0**45, 2.0**-133)
    return np.where(np.abs(x) < 2.0**-126, 0.0, np.rint(x / step) * step)


def int8(x: F64) -> F64:
    """In the float32 arithmetic of the kernels."""
    rows = x.astype(np.float32)
    m = np.max(np.abs(rows), axis=-1, keepdims=True, initial=0.0)
    small = m < LEAST
    q = np.rint(rows * (np.float32(MOST) / np.where(small, np.float32(1), m)))
    return np.where(small, 0.0, q * (m / np.float32(MOST)).astype(np.float64))


class OfBfloat16(Arithmetic):
    """Products of bfloat16: step 1."""

    def operand(self, x: Approx) -> Approx:
        value = bfloat16(x.value)
        up, low = bfloat16(x.value + x.each) - value, value - bfloat16(x.value - x.each)
        each = np.maximum(up, low) + self.unread(x)
        return approx(value, each, _norm(each))

    def dot(
        self, terms: Sequence[tuple[Matrix | Diagonal, Approx]], biases: Sequence[F64]
    ) -> Approx:
        rounded = [(m, x if isinstance(m, Diagonal) else self.operand(x)) for m, x in terms]
        return super().dot(rounded, [*biases, *np.zeros(3)])  # terms that are roundings alone


class OfInt8(Arithmetic):
    """Products of int8: steps 2 and 3."""

    def operand(self, x: Approx) -> Approx:
        value, exact = int8(x.value), np.all(x.each == 0, axis=-1, keepdims=True)
        top = np.max(x.mag, axis=-1, keepdims=True, initial=0.0)
        least = np.max(np.abs(x.value) - x.each, axis=-1, keepdims=True, initial=self.tiny)
        ends = []
        for sign in (1, -1):  # -rint(-x) is the lower end
            end = sign * x.value + x.each
            steps = end * MOST / np.where(end > 0, least, np.maximum(top, self.tiny))
            q = np.minimum(np.floor(steps + 4 * self.u * np.abs(steps) + 0.5), MOST)
            scale = np.where(q > 0, top * (1 + 2 * self.u), least * (1 - 2 * self.u)) / MOST
            some = np.maximum(q * scale - sign * value, 0.0)
            ends.append(np.where(least < LEAST, np.maximum(some, -sign * value), some))
        each = np.where(exact, 0.0, np.maximum(*ends))
        return approx(value, each, _norm(each))

    def dot(
        self, terms: Sequence[tuple[Matrix | Diagonal, Approx]], biases: Sequence[F64]
    ) -> Approx:
        value: Any = 0.0
        size: Any = 0.0
        lost: Any = 0.0
        each: Any = 0.0
        norm: Any = 0.0
        n = 4 + len(terms) + len(biases)
        for m, x in terms:
            if isinstance(m, Diagonal):
                part = super().dot([(m, x)], [])
                value, size, each = value + part.value, size + part.mag, each + part.each
                norm = norm + part.norm
                continue
            q = self.operand(x)
            products = q.mag @ m.abs.T
            value, size = value + q.value @ m.w.T, size + products
            scales = np.max(q.mag, axis=-1, keepdims=True, initial=0.0) * np.max(m.abs, axis=1)
            lost = lost + np.where(scales / 2**14 < self.tiny, products, 0.0)
            each = each + np.minimum(q.each @ m.abs.T, m.rows * q.norm)
            norm = norm + m.spectral * q.norm
        for b in biases:
            value, size = value + b, size + np.abs(b)
        local = self.gamma(n) * size + 2 * n * self.tiny + lost
        return approx(value, each + local, norm + _norm(local))


def arithmetic_of(weight_dtype: str | None, compute: str | None) -> type[Arithmetic]:
    """That of layers whose matrices are reduced."""
    if compute is not None:
        return OfBfloat16
    return OfInt8 if weight_dtype == "int8" else Arithmetic
