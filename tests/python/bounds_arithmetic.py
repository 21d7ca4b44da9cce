"""Values with the bound of their error, and the operations on them: bounds.py derives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.activations import FUNCTIONS
from rnn_native.spec import Activation

F64 = NDArray[np.float64]

ULPS = 4.0
"""The activations' own error, in units in the last place, that a conforming core may have."""

U32 = 2.0**-24
TINY32 = 2.0**-126


@dataclass(frozen=True)
class Approx:
    """Values [..., n] with bounds: ``each`` [..., n] by component, ``norm`` [..., 1] by row."""

    value: F64
    each: F64
    norm: F64

    def __getitem__(self, key: Any) -> Approx:
        return Approx(self.value[key], self.each[key], self.norm[key])

    @property
    def mag(self) -> F64:
        """The largest magnitude that a computed value may have."""
        return np.abs(self.value) + self.each


def _norm(a: F64) -> F64:
    """Of multiples of a power of two, so that no square is too small or too large for float64."""
    _, exponent = np.frexp(_top(a))
    scaled = np.ldexp(a, -exponent)
    return np.ldexp(np.sqrt(np.sum(scaled * scaled, axis=-1, keepdims=True)), exponent)


def _top(a: F64) -> F64:
    return np.max(np.abs(a), axis=-1, keepdims=True, initial=0.0)


def _least(a: Approx) -> F64:
    """The smallest magnitude in [a - each, a + each]: where sigmoid and tanh are steepest."""
    return np.maximum(np.abs(a.value) - a.each, 0.0)


def approx(value: F64, each: F64, norm: F64) -> Approx:
    """Either bound may sharpen the other."""
    norm = np.minimum(norm, _norm(each))
    return Approx(value, np.minimum(each, norm), norm)


def exact(value: ArrayLike) -> Approx:
    v = np.asarray(value, dtype=np.float64)
    return Approx(v, np.zeros_like(v), np.zeros((*v.shape[:-1], 1)))


def concat(parts: Sequence[Approx]) -> Approx:
    return Approx(
        np.concatenate([p.value for p in parts], axis=-1),
        np.concatenate([p.each for p in parts], axis=-1),
        np.sqrt(sum(p.norm**2 for p in parts)),
    )


def where(mask: NDArray[np.bool_], yes: Approx, no: Approx) -> Approx:
    """Per row: ``mask`` is [B, 1]."""
    return Approx(
        np.where(mask, yes.value, no.value),
        np.where(mask, yes.each, no.each),
        np.where(mask, yes.norm, no.norm),
    )


class Matrix:
    """W [out, in] with its absolute values, its rows' norms and its spectral norm."""

    def __init__(self, w: ArrayLike) -> None:
        self.w = np.asarray(w, dtype=np.float64)
        self.abs = np.abs(self.w)
        self.rows = _norm(self.w)[:, 0]
        self.spectral = float(np.linalg.norm(self.w, 2)) * (1 + 1e-9)


class Diagonal:
    """The same for a diagonal matrix: a peephole."""

    def __init__(self, d: ArrayLike) -> None:
        self.d = np.asarray(d, dtype=np.float64)


class Arithmetic:
    """Steps 1 to 3 and 5 of bounds.py's docstring, for one precision."""

    def __init__(self, u: float = U32, tiny: float = TINY32, ulps: float = ULPS) -> None:
        self.u, self.tiny, self.ulps = u, tiny, ulps

    def gamma(self, n: float) -> float:
        assert n * self.u < 0.1
        return n * self.u / (1 - n * self.u)

    def unread(self, a: Approx) -> F64:
        """How much of a is lost where it counts as zero if it is below the least normal number."""
        return self._lost(np.maximum(np.abs(a.value) - a.each, 0.0), a.mag)

    def _lost(self, least: F64, most: F64) -> F64:
        return np.where(least < self.tiny, np.minimum(most, self.tiny), 0.0)

    def dot(
        self, terms: Sequence[tuple[Matrix | Diagonal, Approx]], biases: Sequence[F64]
    ) -> Approx:
        value: Any = 0.0
        size: Any = 0.0  # sum of the terms' magnitudes
        lost: Any = 0.0  # sum of the terms of which a factor counts as zero
        each: Any = 0.0
        norm: Any = 0.0
        n = len(biases)
        for m, x in terms:
            if isinstance(m, Diagonal):
                n += 1
                value = value + m.d * x.value
                size = size + np.abs(m.d) * x.mag
                w = np.abs(m.d)
                lost = lost + w * self.unread(x) + self._lost(w, w) * x.mag
                each = each + np.abs(m.d) * x.each
                norm = norm + np.minimum(_top(m.d) * x.norm, _norm(m.d * x.each))
            else:
                n += m.w.shape[1]
                value = value + x.value @ m.w.T
                size = size + x.mag @ m.abs.T
                lost = lost + self.unread(x) @ m.abs.T + x.mag @ self._lost(m.abs, m.abs).T
                each = each + np.minimum(x.each @ m.abs.T, m.rows * x.norm)
                norm = norm + m.spectral * x.norm
        for b in biases:
            value = value + b
            size = size + np.abs(b)
        local = self.gamma(n) * size + 2 * n * self.tiny + lost
        return approx(value, each + local, norm + _norm(local))

    def mul(self, a: Approx, b: Approx) -> Approx:
        value = a.value * b.value
        each = np.abs(a.value) * b.each + np.abs(b.value) * a.each + a.each * b.each
        norm = _top(a.mag) * b.norm + _top(b.value) * a.norm
        lost = a.mag * self.unread(b) + b.mag * self.unread(a)
        local = self.u * (np.abs(value) + each) + self.tiny + lost
        return approx(value, each + local, norm + _norm(local))

    def add(self, a: Approx, b: Approx) -> Approx:
        value = a.value + b.value
        each = a.each + b.each
        lost = self.unread(a) + self.unread(b)
        local = self.u * (np.abs(value) + each) + self.tiny + lost
        return approx(value, each + local, a.norm + b.norm + _norm(local))

    def mix(self, z: Approx, n: Approx, h: Approx) -> Approx:
        """(1 - z) n + z h, also as n + z (h - n), also with 1 - z from its own sigmoid."""
        value = (1 - z.value) * n.value + z.value * h.value
        gap = np.abs(h.value - n.value)
        keep, rest = np.abs(z.value), np.abs(1 - z.value)
        each = rest * n.each + keep * h.each + z.each * (gap + n.each + h.each)
        norm = (
            _top(rest) * n.norm
            + _top(keep) * h.norm
            + _top(gap) * z.norm
            + _top(z.each) * (n.norm + h.norm)
        )
        rounding = self.gamma(3 + 2 * self.ulps) * (n.mag * (1 + z.mag) + h.mag * z.mag)
        lost = (
            (1 + z.mag) * self.unread(n) + z.mag * self.unread(h) + (n.mag + h.mag) * self.unread(z)
        )
        local = rounding + (3 + z.mag) * self.tiny + lost
        return approx(value, each + local, norm + _norm(local))

    def _activation(self, a: Approx, value: F64, slope: F64) -> Approx:
        each = slope * a.each
        local = 2 * self.u * self.ulps * (np.abs(value) + each) + self.tiny + slope * self.unread(a)
        return approx(value, each + local, _top(slope) * a.norm + _norm(local))

    def tanh(self, a: Approx) -> Approx:
        e = np.exp(-2 * _least(a))
        return self._activation(a, np.tanh(a.value), 4 * e / (1 + e) ** 2)

    def sigmoid(self, a: Approx) -> Approx:
        e = np.exp(-_least(a))
        tail = np.exp(-np.abs(a.value))  # of the two forms, the one without cancellation
        value = np.where(a.value < 0, tail, 1.0) / (1 + tail)
        return self._activation(a, value, e / (1 + e) ** 2)

    def relu(self, a: Approx) -> Approx:
        slope = (a.value + a.each > 0).astype(np.float64)
        value = np.maximum(a.value, 0.0)
        return approx(value, slope * a.each, _top(slope) * a.norm)

    def less(self, a: Approx) -> Approx:
        """1 - a."""
        value = 1 - a.value
        local = self.u * (np.abs(value) + a.each) + self.tiny + self.unread(a)
        return approx(value, a.each + local, a.norm + _norm(local))

    def affine(self, alpha: float, a: Approx, beta: float = 0.0) -> Approx:
        """alpha a + beta, constants rounded to the computation's type."""
        value = alpha * a.value + beta
        local = self.gamma(4) * (abs(alpha) * a.mag + abs(beta)) + (3 + abs(alpha)) * self.tiny
        if abs(alpha) < self.tiny:  # counts as zero itself
            local = local + abs(alpha) * a.mag
        return approx(value, abs(alpha) * a.each + local, abs(alpha) * a.norm + _norm(local))

    def clamp(self, a: Approx, low: float, high: float) -> Approx:
        """a within [low, high], bounds rounded likewise; beyond them no error of a matters."""
        value = np.clip(a.value, low, high)
        slope = ((a.value + a.each > low) & (a.value - a.each < high)).astype(np.float64)
        local = np.where(a.mag >= min(abs(low), abs(high)), self.u * np.abs(value), 0.0) + self.tiny
        return approx(value, slope * a.each + local, _top(slope) * a.norm + _norm(local))

    def below_zero(self, a: Approx, branch: Approx, slope: F64) -> Approx:
        """a where it is above 0, and below it a branch that meets it there."""
        value = np.where(a.value < 0, branch.value, a.value)
        steepest = np.where(a.value + a.each > 0, 1.0, 0.0)
        steepest = np.maximum(steepest, np.where(a.value - a.each < 0, slope, 0.0))
        each = steepest * a.each
        local = np.where(a.value - a.each < 0, np.maximum(branch.each - slope * a.each, 0), 0.0)
        local = local + self.tiny
        return approx(value, each + local, _top(steepest) * a.norm + _norm(local))

    def leaky_relu(self, a: Approx, alpha: float) -> Approx:
        return self.below_zero(a, self.affine(alpha, a), np.full(a.value.shape, abs(alpha)))

    def elu(self, a: Approx, alpha: float) -> Approx:
        slope = np.exp(np.minimum(a.value + a.each, 0.0))
        minus = self._activation(a, np.expm1(np.minimum(a.value, 0.0)), slope)
        return self.below_zero(a, self.affine(alpha, minus), abs(alpha) * slope)

    def thresholded_relu(self, a: Approx, alpha: float) -> Approx:
        """Near the threshold nobody can say on which side of it a is: all of a may be lost."""
        value = np.where(a.value < alpha, 0.0, a.value)
        near = np.abs(a.value - alpha) <= a.each + self.u * abs(alpha) + 2 * self.tiny
        each = np.where(near, a.mag, np.where(a.value < alpha, 0.0, a.each)) + self.tiny
        return approx(value, each, _norm(each))

    def softsign(self, a: Approx) -> Approx:
        return self._activation(a, a.value / (1 + np.abs(a.value)), (1 + _least(a)) ** -2.0)

    def softplus(self, a: Approx) -> Approx:
        top = a.value + a.each
        tail = np.exp(-np.abs(top))
        return self._activation(
            a, np.logaddexp(0.0, a.value), np.where(top < 0, tail, 1.0) / (1 + tail)
        )

    def _scaled(self, a: Approx, value: F64, slope: float, ulps: float) -> Approx:
        """x g(x), g a number from 0 to 1 that counts as zero where it is below the least normal."""
        each = slope * a.each
        local = 2 * self.u * ulps * (np.abs(value) + each)
        local = local + self.tiny * (1 + a.mag) + slope * self.unread(a)
        return approx(value, each + local, slope * a.norm + _norm(local))

    def _between(self, a: Approx, value: F64, each: F64) -> Approx:
        """Of a function whose change over [a - each, a + each] is known."""
        local = 2 * self.u * self.ulps * (np.abs(value) + each) + self.tiny
        return approx(value, each + local, _norm(each + local))

    def _above(self, a: Approx) -> tuple[F64, F64]:
        """The least number in [a - each, a + each], of magnitudes, and where that may count as
        zero, at which the function is infinite."""
        least = _least(a)
        return np.where(least < self.tiny, 1.0, least), least < self.tiny

    def silu(self, a: Approx, alpha: float) -> Approx:
        return self.mul(a, self.sigmoid(self.affine(alpha, a)))

    def gelu(self, a: Approx) -> Approx:
        return self._scaled(a, FUNCTIONS["gelu"](a.value), 1.13, 7)

    def gelu_tanh(self, a: Approx) -> Approx:
        """As it is calculated: a sigmoid(a (b a^2 + c))."""
        c = np.sqrt(8 / np.pi)
        return self.mul(a, self.sigmoid(self.mul(a, self.affine(0.044715 * c, self.mul(a, a), c))))

    def mish(self, a: Approx) -> Approx:
        return self._scaled(a, FUNCTIONS["mish"](a.value), 1.1, 5)

    def hard_swish(self, a: Approx, alpha: float, beta: float) -> Approx:
        return self.mul(a, self.clamp(self.affine(alpha, a, beta), 0.0, 1.0))

    def selu(self, a: Approx, alpha: float, beta: float) -> Approx:
        return self.affine(beta, self.elu(a, alpha))

    def abs(self, a: Approx) -> Approx:
        return Approx(np.abs(a.value), a.each, a.norm)

    def max(self, a: Approx, alpha: float) -> Approx:
        return self.clamp(a, alpha, np.inf)

    def min(self, a: Approx, alpha: float) -> Approx:
        return self.clamp(a, -np.inf, alpha)

    def exp(self, a: Approx) -> Approx:
        value = np.exp(a.value)
        return self._between(a, value, value * np.expm1(a.each))

    def log(self, a: Approx) -> Approx:
        least, zero = self._above(a)
        with np.errstate(all="ignore"):
            value = np.log(a.value)
        return self._between(a, value, np.where(zero, np.inf, np.log1p(a.each / least)))

    def sqrt(self, a: Approx) -> Approx:
        """Of x >= 0: sqrt(x + e) - sqrt(x) <= e / sqrt(x), and <= sqrt(e)."""
        value = np.sqrt(a.value)
        e = a.each + self.unread(a)
        ratio = e / np.where(value > 0, value, 1.0)
        return self._between(a, value, np.where(value > 0, np.minimum(ratio, np.sqrt(e)), 0.0))

    def reciprocal(self, a: Approx) -> Approx:
        return self.pow(a, -1.0)

    def pow(self, a: Approx, alpha: float) -> Approx:
        """By its slope, alpha x^(alpha - 1), which is largest at one of the ends."""
        least, zero = self._above(a)
        with np.errstate(all="ignore"):
            value = np.asarray(a.value**alpha)
            ends = [np.where(zero, 1.0, end) ** (alpha - 1) for end in (least, a.mag)]
            change = abs(alpha) * np.maximum(*ends) * a.each
            at_zero = a.mag**alpha if alpha > 0 else np.full_like(value, np.inf)
        return self._between(a, value, np.where(zero, at_zero, change))

    def erf(self, a: Approx) -> Approx:
        slope = 2 / np.sqrt(np.pi) * np.exp(-(_least(a) ** 2))
        return self._activation(a, FUNCTIONS["erf"](a.value), slope)

    def function(self, f: Activation, clip: float | None, a: Approx) -> Approx:
        """An activation of a gate, of its input within [-clip, clip]."""
        a = a if clip is None else self.clamp(a, -clip, clip)
        if f.name == "affine":
            return self.affine(f.constants[0], a, f.constants[1])
        if f.name == "hard_sigmoid":
            return self.clamp(self.affine(f.constants[0], a, f.constants[1]), 0.0, 1.0)
        if f.name == "scaled_tanh":
            return self.affine(f.constants[0], self.tanh(self.affine(f.constants[1], a)))
        if f.name == "clip":
            return self.clamp(a, *f.constants)
        if f.name == "identity":
            return a
        shape: Approx = getattr(self, f.name)(a, *f.constants)
        return shape

    def normal(self, a: Approx, groups: int, epsilon: float, centred: bool) -> Approx:
        """A LayerNorm without weight and bias: step 6."""
        blocks = (*a.value.shape[:-1], groups, a.value.shape[-1] // groups)
        x, e, unread = (part.reshape(blocks) for part in (a.value, a.each, self.unread(a)))
        n = x.shape[-1]

        def mean(part: F64) -> F64:
            return np.mean(part, axis=-1, keepdims=True)

        d, e_d = x, e
        if centred:
            m = mean(x)
            e_m = mean(e + unread) + self.gamma(n + 1) * mean(np.abs(x) + e) + 2 * n * self.tiny
            d = x - m
            e_d = e + e_m + unread + 3 * self.tiny
            e_d = e_d + self.u * (np.abs(d) + e_d)
        most = np.abs(d) + e_d
        v = mean(d * d)
        e_v = mean((np.abs(d) + most) * e_d) + self.gamma(n + 2) * mean(most * most)
        e_v = e_v + (2 * n + mean(most)) * self.tiny
        e_v = e_v + 2 * self.u * (v + e_v + epsilon) + 3 * self.tiny  # epsilon, and its sum
        least = np.maximum(v + epsilon - e_v, epsilon * (1 - 4 * self.u))
        r = (v + epsilon) ** -0.5
        e_r = e_v / (2 * least**1.5) + self.gamma(3) * least**-0.5
        value = d * r
        each = np.abs(d) * e_r + (r + e_r) * e_d
        each = each + self.u * (np.abs(value) + each) + (1 + r + e_r + most) * self.tiny
        each = each.reshape(a.value.shape)
        return approx(value.reshape(a.value.shape), each, _norm(each))

    def softmax(self, a: Approx, log: bool) -> Approx:
        """Shift by any d <= max |error|: log p moves by at most 2 d; the rest is rounding."""
        peak = np.max(a.value, axis=-1, keepdims=True)
        e = np.exp(a.value - peak)
        total = np.sum(e, axis=-1, keepdims=True)
        spread = _top(a.value - peak) + 2 * _top(a.each)
        n = a.value.shape[-1]
        flushed = (n + 2) * self.tiny
        rel = flushed + 2 * _top(a.each) + 2 * self.u * spread + self.gamma(n + 4 * self.ulps + 4)
        if log:
            value = a.value - peak - np.log(total)
            rounding = 2 * self.u * (1 + self.ulps) * (spread + 1 + np.log(total))
            each = np.broadcast_to(rel + rounding, value.shape)
            return approx(value, each, _norm(each))
        value = e / total
        off = np.where(2 * rel < 700, value * np.expm1(np.minimum(2 * rel, 700.0)), 1.0)
        each = np.minimum(off, 1 + self.gamma(n + 1)) + 2 * self.tiny  # both are from 0 to 1
        return approx(value, each, _norm(each))

    def activation(self, kind: str, a: Approx) -> Approx:
        if kind in ("softmax", "log_softmax"):
            return self.softmax(a, kind == "log_softmax")
        return self.function(Activation(kind), None, a)
