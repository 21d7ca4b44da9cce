"""How far a correct implementation in floating point may be from the float64 reference.

:func:`run` walks a spec in float64 and carries, beside every value v, what is known about a
computed v^: each component's error, ``each`` >= |v^ - v|, and its 2-norm over the features of
one row, ``norm`` >= ||v^ - v||_2. u is the unit roundoff (2^-24 for float32) and
gamma(n) = n u / (1 - n u) (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, ch. 3).

1. *Dot product.* a = W x + R h + b_ih + b_hh sums n = K + (number of biases) terms, K being the
   input's and the state's features (one more with a peephole). Summed in **any** order, with or
   without FMA, with the biases added first, last or to each other, its rounding is at most
   gamma(n) (|W||x^| + |R||h^| + |b|). What x and h already carry adds, with e their error,
   |R e| <= |R| each(h) and |R_j e| <= ||R_j||_2 norm(h) for a component, ||R e||_2 <= ||R||_2
   norm(h) for the norm. The spectral norm is what keeps the bound useful: of H x H weights of
   size 1/sqrt(H) it is about 1, whereas sums of absolute values would grow as sqrt(H)^T.
2. *Activation.* s^ is within ``ULPS`` units in the last place of s(a^), so
   |s^ - s(a)| <= d each(a) + 2 u ULPS |s|, where d is the largest slope of s on
   [a - each, a + each]: at most 1/4 for sigmoid, 1 for tanh and relu.
3. *Products and sums* of two values: the exact product rule, second-order term included, plus one
   rounding each, so fused operations are covered.
4. *Time.* 1 to 3 give norm(h_t) <= L norm(h_{t-1}) + local_t, L = max slope * ||R||_2 for the
   simple RNN and the like for the others: the error grows at most as (L^T - 1)/(L - 1). A
   relu RNN has slope 1, so with ||R||_2 > 1 the bound grows with T, as its outputs do.
   Layers compose the same way, by W in the place of R.
5. *Underflow.* Results below the least normal number may become zero (flush-to-zero): every
   operation gets that much absolute error besides.

The values are computed here a second time, independently of ``rnn_native.reference``; a test
holds the two to each other, so that neither can be wrong alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.spec import Embedding, Linear, ModelSpec, Recurrent

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
    return np.sqrt(np.sum(a * a, axis=-1, keepdims=True))


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
    """Steps 1 to 3 and 5 of the module's docstring, for one precision."""

    def __init__(self, u: float = U32, tiny: float = TINY32, ulps: float = ULPS) -> None:
        self.u, self.tiny, self.ulps = u, tiny, ulps

    def gamma(self, n: float) -> float:
        assert n * self.u < 0.1
        return n * self.u / (1 - n * self.u)

    def dot(
        self, terms: Sequence[tuple[Matrix | Diagonal, Approx]], biases: Sequence[F64]
    ) -> Approx:
        value: Any = 0.0
        size: Any = 0.0  # sum of the terms' magnitudes
        weights: Any = 0.0  # sum of the weights' magnitudes: what flushed inputs are multiplied by
        each: Any = 0.0
        norm: Any = 0.0
        n = len(biases)
        for m, x in terms:
            if isinstance(m, Diagonal):
                n += 1
                value = value + m.d * x.value
                size = size + np.abs(m.d) * x.mag
                weights = weights + np.abs(m.d)
                each = each + np.abs(m.d) * x.each
                norm = norm + np.minimum(_top(m.d) * x.norm, _norm(m.d * x.each))
            else:
                n += m.w.shape[1]
                value = value + x.value @ m.w.T
                size = size + x.mag @ m.abs.T
                weights = weights + m.abs.sum(axis=1)
                each = each + np.minimum(x.each @ m.abs.T, m.rows * x.norm)
                norm = norm + m.spectral * x.norm
        for b in biases:
            value = value + b
            size = size + np.abs(b)
        local = self.gamma(n) * size + (2 * n + weights) * self.tiny
        return approx(value, each + local, norm + _norm(local))

    def mul(self, a: Approx, b: Approx) -> Approx:
        value = a.value * b.value
        each = np.abs(a.value) * b.each + np.abs(b.value) * a.each + a.each * b.each
        norm = _top(a.mag) * b.norm + _top(b.value) * a.norm
        local = self.u * (np.abs(value) + each) + self.tiny
        return approx(value, each + local, norm + _norm(local))

    def add(self, a: Approx, b: Approx) -> Approx:
        value = a.value + b.value
        each = a.each + b.each
        local = self.u * (np.abs(value) + each) + self.tiny
        return approx(value, each + local, a.norm + b.norm + _norm(local))

    def mix(self, z: Approx, n: Approx, h: Approx) -> Approx:
        """(1 - z) n + z h, also as n + z (h - n), also with 1 - z from its own sigmoid."""
        value = (1 - z.value) * n.value + z.value * h.value
        gap = np.abs(h.value - n.value)
        each = (1 - z.value) * n.each + z.value * h.each + z.each * (gap + n.each + h.each)
        norm = (
            _top(1 - z.value) * n.norm
            + _top(z.value) * h.norm
            + _top(gap) * z.norm
            + _top(z.each) * (n.norm + h.norm)
        )
        rounding = self.gamma(3 + 2 * self.ulps) * (n.mag * (1 + z.mag) + h.mag * z.mag)
        local = rounding + 3 * self.tiny
        return approx(value, each + local, norm + _norm(local))

    def _activation(self, a: Approx, value: F64, slope: F64) -> Approx:
        each = slope * a.each
        local = 2 * self.u * self.ulps * (np.abs(value) + each) + self.tiny
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

    def softmax(self, a: Approx, log: bool) -> Approx:
        """Shift by any d <= max |error|: log p moves by at most 2 d; the rest is rounding."""
        peak = np.max(a.value, axis=-1, keepdims=True)
        e = np.exp(a.value - peak)
        total = np.sum(e, axis=-1, keepdims=True)
        spread = _top(a.value - peak) + 2 * _top(a.each)
        n = a.value.shape[-1]
        rel = 2 * _top(a.each) + 2 * self.u * spread + self.gamma(n + 4 * self.ulps + 4)
        if log:
            value = a.value - peak - np.log(total)
            rounding = 2 * self.u * (1 + self.ulps) * (spread + 1 + np.log(total))
            each = np.broadcast_to(rel + rounding, value.shape)
            return approx(value, each, _norm(each))
        value = e / total
        each = value * np.expm1(2 * rel) + self.tiny
        return approx(value, each, _norm(each))

    def activation(self, kind: str, a: Approx) -> Approx:
        if kind in ("softmax", "log_softmax"):
            return self.softmax(a, kind == "log_softmax")
        return {
            "identity": lambda v: v,
            "tanh": self.tanh,
            "sigmoid": self.sigmoid,
            "relu": self.relu,
        }[kind](a)


class Cell:
    """One layer and direction of a Recurrent; ``step`` maps (x_t, states) to the next states."""

    def __init__(self, r: Recurrent, layer: int, suffix: str, ar: Arithmetic) -> None:
        end = f"_l{layer}{suffix}"
        w = {k.removesuffix(end): np.asarray(v, np.float64) for k, v in r.arrays.items()
             if k.endswith(end)}  # fmt: skip
        size = r.hidden_size
        gates = range(w["weight_ih"].shape[0] // size)

        def block(name: str, g: int) -> F64:
            return w[name][g * size : (g + 1) * size]

        self.ar, self.kind, self.spec = ar, r.cell, r
        self.w = [Matrix(block("weight_ih", g)) for g in gates]
        self.r = [Matrix(block("weight_hh", g)) for g in gates]
        self.b_ih = [[block("bias_ih", g)] if r.bias else [] for g in gates]
        self.b_hh = [[block("bias_hh", g)] if r.bias else [] for g in gates]
        self.peep = {g: Diagonal(w[f"weight_c{g}"]) for g in "ifo"} if r.peephole else {}
        self.proj = Matrix(w["weight_hr"]) if r.proj_size else None

    def gate(self, g: int, x: Approx, h: Approx, *more: tuple[Diagonal, Approx]) -> Approx:
        terms = [(self.w[g], x), (self.r[g], h), *more]
        return self.ar.dot(terms, self.b_ih[g] + self.b_hh[g])

    def step(self, x: Approx, state: list[Approx]) -> list[Approx]:
        return {"rnn": self.rnn, "gru": self.gru, "lstm": self.lstm}[self.kind](x, *state)

    def rnn(self, x: Approx, h: Approx) -> list[Approx]:
        return [self.ar.activation(self.spec.nonlinearity, self.gate(0, x, h))]

    def gru(self, x: Approx, h: Approx) -> list[Approx]:
        ar = self.ar
        r = ar.sigmoid(self.gate(0, x, h))
        z = ar.sigmoid(self.gate(1, x, h))
        if self.spec.reset_after:
            q = ar.dot([(self.r[2], h)], self.b_hh[2])
            a = ar.add(ar.dot([(self.w[2], x)], self.b_ih[2]), ar.mul(r, q))
        else:
            a = self.gate(2, x, ar.mul(r, h))
        return [ar.mix(z, ar.tanh(a), h)]

    def lstm(self, x: Approx, h: Approx, c: Approx) -> list[Approx]:
        ar = self.ar

        def peep(g: str, cell: Approx) -> list[tuple[Diagonal, Approx]]:
            return [(self.peep[g], cell)] if self.peep else []

        i = ar.sigmoid(self.gate(0, x, h, *peep("i", c)))
        f = ar.sigmoid(self.gate(1, x, h, *peep("f", c)))
        g = ar.tanh(self.gate(2, x, h))
        c = ar.add(ar.mul(f, c), ar.mul(i, g))
        o = ar.sigmoid(self.gate(3, x, h, *peep("o", c)))
        h = ar.mul(o, ar.tanh(c))
        return [ar.dot([(self.proj, h)], []) if self.proj else h, c]


def _stack(steps: Sequence[Approx], rows: int, features: int) -> Approx:
    if not steps:
        return exact(np.zeros((0, rows, features)))
    return Approx(*(np.stack([getattr(s, k) for s in steps]) for k in ("value", "each", "norm")))


def _recurrent(
    r: Recurrent, x: Approx, states: list[F64], valid: NDArray[np.bool_], ar: Arithmetic
) -> tuple[Approx, list[Approx]]:
    """``states``: h or h, c [layers * directions, B, n]; ``valid`` [T, B, 1]."""
    steps, rows = valid.shape[:2]
    finals: list[list[Approx]] = []
    for layer in range(r.num_layers):
        outputs = []
        for direction, suffix in enumerate(r.suffixes):
            cell = Cell(r, layer, suffix, ar)
            state = [exact(s[layer * r.num_directions + direction]) for s in states]
            zero = exact(np.zeros((rows, r.state_size)))
            out: list[Approx] = [zero] * steps
            for t in range(steps)[:: -1 if suffix else 1]:
                after = cell.step(x[t], state)
                state = [where(valid[t], a, b) for a, b in zip(after, state, strict=True)]
                out[t] = where(valid[t], state[0], zero)
            outputs.append(_stack(out, rows, r.state_size))
            finals.append(state)
        x = concat(outputs)
    return x, [_stack([f[k] for f in finals], rows, size) for k, size in enumerate(r.state_sizes)]


def flatten(state: Any) -> list[NDArray[Any]]:
    """The arrays of a model's or module's state, in order."""
    if isinstance(state, (tuple, list)):
        return [a for part in state for a in flatten(part)]
    return [] if state is None else [np.asarray(state)]


def run(
    spec: ModelSpec,
    x: ArrayLike,
    state: Any = None,
    lengths: Any = None,
    *,
    u: float = U32,
    tiny: float = TINY32,
    ulps: float = ULPS,
) -> tuple[Approx, list[Approx]]:
    """The output [T, B, out] and the states in order, with their bounds; as ``reference.run``."""
    ar = Arithmetic(u, tiny, ulps)
    data = np.asarray(x)
    steps, rows = data.shape[:2]
    ends = np.full(rows, steps) if lengths is None else np.asarray(lengths)
    valid = (np.arange(steps)[:, None] < ends)[..., None]
    # What lies past a row's length must not count, whatever it is: NaN included.
    given = [np.asarray(s, np.float64) for s in flatten(state)]
    now = exact(np.zeros((steps, rows, 0)))
    if not spec.takes_indices:
        now = exact(np.where(valid, data, 0).astype(np.float64))
    states: list[Approx] = []
    for layer in spec.layers:
        if isinstance(layer, Embedding):
            now = exact(np.asarray(layer.weight, np.float64)[np.where(valid[..., 0], data, 0)])
        elif isinstance(layer, Linear):
            bias = [] if layer.bias is None else [np.asarray(layer.bias, np.float64)]
            now = ar.activation(layer.activation, ar.dot([(Matrix(layer.weight), now)], bias))
        else:
            count = len(layer.state_sizes)
            depth = layer.num_layers * layer.num_directions
            own = given[:count] or [np.zeros((depth, rows, n)) for n in layer.state_sizes]
            given = given[count:]
            now, finals = _recurrent(layer, now, own, valid, ar)
            states += finals
    zero = exact(np.zeros(now.value.shape))
    return where(valid, now, zero), states


def excess(got: ArrayLike, bound: Approx) -> float:
    """The largest ratio of error to bound; at most 1 for a correct result, inf for NaN."""
    computed = np.asarray(got, np.float64)
    assert computed.shape == bound.value.shape, (computed.shape, bound.value.shape)
    if not computed.size:
        return 0.0
    error = np.abs(computed - bound.value)
    # the float64 evaluation rounds too: 2^-29 of the float32 bound, covered by 1e-6 of it
    allowed = bound.each * (1 + 1e-6) + 2.0**-1022
    return float(np.max(np.where(np.isnan(error), np.inf, error / allowed)))
