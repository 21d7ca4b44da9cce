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
   [a - each, a + each]: at most 1/4 for sigmoid, 1 for tanh and relu. Those with constants are
   sums and products with these, rounded, and pieces; where a jump lies in [a - each, a + each]
   the result may be that of either side. A clip passes no error on outside its bounds.
3. *Products and sums* of two values: the exact product rule, second-order term included, plus one
   rounding each, so fused operations are covered.
4. *Time.* 1 to 3 give norm(h_t) <= L norm(h_{t-1}) + local_t, L = max slope * ||R||_2 for the
   simple RNN and the like for the others: the error grows at most as (L^T - 1)/(L - 1). A
   relu RNN has slope 1, so with ||R||_2 > 1 the bound grows with T, as its outputs do.
   Layers compose the same way, by W in the place of R.
5. *Underflow.* With t the least normal number (2^-126 for float32), a result below t may become
   zero (flush-to-zero): every operation gets t of absolute error besides. An operand below t may
   count as zero (denormals are zero), which a product makes large: 2^-130 times 2^100 loses 2^-30.
   So w x gets |w| min(|x^|, t) where |x^| may be below t, and |w||x^| where |w| is; a product of
   two values likewise, and a sum min(|x^|, t). Weights and biases are numbers below t if they are
   that in the file; computed values are 0 instead where results are flushed. Arithmetic with
   denormals (gradual underflow) is within this too: it loses no operand, adds without an error
   there, and its products err by less than u t.
6. *Normalisation.* Of a block of n features, m is within mean(e) + gamma(n + 1) mean(|x^|) and
   d = x - m within e_d, the sum of its operands' errors and a rounding; v = mean(d d) is within
   mean((2 |d| + e_d) e_d) + gamma(n + 2) mean(d^ d^), in any order of the sum; and 1 / sqrt changes
   by at most the error of v + epsilon times its slope where that is least, 1 / (2 (..)^1.5).
7. *Products of rounded operands* (``weight_dtype="int8"``, ``compute``): bounds_rounded.py.
8. *Overflow* is not covered: nothing that is computed may be too large for the type.

The values are computed here a second time, independently of ``rnn_native.reference`` but for what
weights are stored as; a test holds the two to each other, so that neither can be wrong alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import bounds_layers
import bounds_rounded
import numpy as np
from bounds_arithmetic import (
    F64,
    TINY32,
    U32,
    ULPS,
    Approx,
    Arithmetic,
    Diagonal,
    Matrix,
    concat,
    exact,
    where,
)
from bounds_positions import apart, together
from numpy.typing import ArrayLike, NDArray

from rnn_native import reference
from rnn_native.spec import (
    Elementwise,
    Embedding,
    InstanceNorm,
    LayerNorm,
    Linear,
    Merge,
    ModelSpec,
    PReLU,
    Recurrent,
    Scale,
    Softmax,
)
from rnn_native.spec.layers.conv import Conv
from rnn_native.spec.layers.pool_within import PoolWithin
from rnn_native.spec.layers.strided import Strided


class Cell:
    """One layer and direction of a Recurrent; ``step`` maps (x_t, states) to the next states, and
    leaves the gates that it calculated on the way in ``gates``."""

    gates: dict[str, Approx]

    def __init__(self, r: Recurrent, layer: int, suffix: str, ar: Arithmetic) -> None:
        end = f"_l{layer}{suffix}"
        w = {k.removesuffix(end): np.asarray(v, np.float64) for k, v in r.arrays.items()
             if k.endswith(end)}  # fmt: skip
        size = r.hidden_size
        gates = range(w["weight_ih"].shape[0] // size)

        def block(name: str, g: int) -> F64:
            return w[name][g * size : (g + 1) * size]

        self.ar, self.kind, self.spec = ar, r.cell, r
        self.functions = [
            partial(ar.function, f, r.clip) for f in r.activations_of(r.suffixes.index(suffix))
        ]
        self.w = [Matrix(block("weight_ih", g)) for g in gates]
        self.r = []
        if not r.gate_recurrent:
            self.r = [Matrix(block("weight_hh", g)) for g in gates]
        self.b_ih = [[block("bias_ih", g)] if r.bias else [] for g in gates]
        self.b_hh = [[block("bias_hh", g)] if "bias_hh" in w else [] for g in gates]
        self.peep = {g: Diagonal(w[f"weight_c{g}"]) for g in "ifo"} if r.peephole else {}
        self.proj = Matrix(w["weight_hr"]) if r.proj_size else None
        if r.gate_recurrent:
            on_gates = range(w["weight_gh"].shape[0] // size)
            self.g = [Matrix(block("weight_gh", g)) for g in on_gates]
        if r.gate_recurrent and r.cell == "gru":
            self.h = Matrix(w["weight_hh"])
        elif r.gate_recurrent:
            self.c = [Matrix(block("weight_ch", g)) for g in gates]

    def gate(self, g: int, x: Approx, h: Approx, *more: tuple[Diagonal, Approx]) -> Approx:
        terms = [(self.w[g], x), (self.r[g], h), *more]
        return self.ar.dot(terms, self.b_ih[g] + self.b_hh[g])

    def step(self, x: Approx, state: list[Approx]) -> list[Approx]:
        if self.spec.gate_recurrent:
            return {"gru": self.gate_gru, "lstm": self.gate_lstm}[self.kind](x, *state)
        return {"rnn": self.rnn, "gru": self.gru, "lstm": self.lstm}[self.kind](x, *state)

    def rnn(self, x: Approx, h: Approx) -> list[Approx]:
        self.gates = {}
        (f,) = self.functions
        return [f(self.gate(0, x, h))]

    def gru(self, x: Approx, h: Approx) -> list[Approx]:
        ar = self.ar
        f, g = self.functions
        r = f(self.gate(0, x, h))
        z = f(self.gate(1, x, h))
        if self.spec.reset_after:
            q = ar.dot([(self.r[2], h)], self.b_hh[2])
            a = ar.add(ar.dot([(self.w[2], x)], self.b_ih[2]), ar.mul(r, q))
        else:
            a = self.gate(2, x, ar.mul(r, h))
        self.gates = {"r": r, "z": z, "n": g(a)}
        return [ar.mix(z, self.gates["n"], h)]

    def lstm(self, x: Approx, h: Approx, c: Approx) -> list[Approx]:
        ar = self.ar
        gate, candidate, output = self.functions

        def peep(g: str, cell: Approx) -> list[tuple[Diagonal, Approx]]:
            return [(self.peep[g], cell)] if self.peep else []

        i = gate(self.gate(0, x, h, *peep("i", c)))
        f = gate(self.gate(1, x, h, *peep("f", c)))
        f = ar.less(i) if self.spec.input_forget else f
        g = candidate(self.gate(2, x, h))
        c = ar.add(ar.mul(f, c), ar.mul(i, g))
        bound = self.spec.cell_clip
        c = c if bound is None else ar.clamp(c, -bound, bound)
        o = gate(self.gate(3, x, h, *peep("o", c)))
        self.gates = {"i": i, "f": f, "g": g, "o": o, "c": c}
        h = ar.mul(o, output(c))
        return [ar.dot([(self.proj, h)], []) if self.proj else h, c]

    def gate_gru(self, x: Approx, h: Approx, z: Approx) -> list[Approx]:
        """z and r on z_{t-1}; z keeps the new in the place of the old."""
        ar = self.ar
        r = ar.sigmoid(ar.dot([(self.w[0], x), (self.g[0], z)], self.b_ih[0]))
        z = ar.sigmoid(ar.dot([(self.w[1], x), (self.g[1], z)], self.b_ih[1]))
        n = ar.tanh(ar.dot([(self.w[2], x), (self.h, ar.mul(r, h))], self.b_ih[2]))
        self.gates = {"r": r, "z": z, "n": n}
        return [ar.mix(z, h, n), z]

    def gate_lstm(self, x: Approx, h: Approx, c: Approx, i: Approx, f: Approx) -> list[Approx]:
        """i, g and o on i_{t-1}, f on f_{t-1}, all four on c_{t-1}."""
        ar = self.ar
        a = [
            ar.dot([(self.w[g], x), (self.g[g], before), (self.c[g], c)], self.b_ih[g])
            for g, before in enumerate([i, f, i, i])
        ]
        i, f, g, o = ar.sigmoid(a[0]), ar.sigmoid(a[1]), ar.tanh(a[2]), ar.sigmoid(a[3])
        c = ar.add(ar.mul(f, c), ar.mul(i, g))
        self.gates = {"i": i, "f": f, "g": g, "o": o, "c": c}
        return [ar.mul(o, ar.tanh(c)), c, i, f]


def _stack(steps: Sequence[Approx], rows: int, features: int) -> Approx:
    if not steps:
        return exact(np.zeros((0, rows, features)))
    return Approx(*(np.stack([getattr(s, k) for s in steps]) for k in ("value", "each", "norm")))


def _recurrent(
    r: Recurrent, x: Approx, states: list[F64], valid: NDArray[np.bool_], ar: Arithmetic
) -> tuple[Approx, list[Approx], dict[str, Approx]]:
    """``states``: each [layers * directions, B, n], h first; ``valid`` [T, B, 1].

    Returns the output, the final states, and what was calculated in the cells, by name.
    """
    traced: dict[str, Approx] = {}
    steps, rows = valid.shape[:2]
    given = x
    finals: list[list[Approx]] = []
    for layer in range(r.num_layers):
        outputs = []
        for direction, suffix in enumerate(r.suffixes):
            cell = Cell(r, layer, suffix, ar)
            state = [exact(s[layer * r.num_directions + direction]) for s in states]
            zero = exact(np.zeros((rows, r.state_size)))
            out: list[Approx] = [zero] * steps
            inside: list[dict[str, Approx]] = [{}] * steps
            for t in range(steps)[:: -1 if suffix else 1]:
                after = cell.step(x[t], state)
                state = [where(valid[t], a, b) for a, b in zip(after, state, strict=True)]
                out[t] = where(valid[t], state[0], zero)
                nothing = exact(np.zeros((rows, r.hidden_size)))
                inside[t] = {n: where(valid[t], a, nothing) for n, a in cell.gates.items()}
            outputs.append(_stack(out, rows, r.state_size))
            finals.append(state)
            end = f"_l{layer}{suffix}"
            for name in inside[0] if inside else ():
                traced[name + end] = _stack([v[name] for v in inside], rows, r.hidden_size)
            traced["h" + end] = outputs[-1]
        x = concat(outputs)
    if r.output_layer:
        terms = [(Matrix(r.arrays["weight_ho"]), x), (Matrix(r.arrays["weight_xo"]), given)]
        bias = [np.asarray(r.arrays["bias_o"], np.float64)] if r.bias else []
        x = ar.activation(r.output_nonlinearity, ar.dot(terms, bias))
        traced["o"] = where(valid, x, exact(np.zeros(x.value.shape)))
    ends = [_stack([f[k] for f in finals], rows, s.shape[-1]) for k, s in enumerate(states)]
    if not r.return_sequences:
        x = concat([ends[0][k] for k in range(-r.num_directions, 0)])
    return x, ends, traced


def _along(
    r: Recurrent, x: Approx, ar: Arithmetic
) -> tuple[Approx, list[Approx], dict[str, Approx]]:
    """The positions of each step of each row are the steps of a row of a larger batch."""
    lead, count = x.value.shape[:-1], r.positions
    rows = apart(x, count, lambda a: np.moveaxis(a.reshape(-1, *a.shape[-2:]), 1, 0))
    every = np.ones((*rows.value.shape[:2], 1), np.bool_)
    y, _, traced = _recurrent(r, rows, list(r.begin(every.shape[1])), every, ar)

    def back(a: F64) -> F64:
        return np.moveaxis(a, 0, 1).reshape(*lead, len(a), a.shape[-1])

    if not r.return_sequences:
        y = Approx(*(a[None] for a in (y.value, y.each, y.norm)))
    return together(y, back), [], {name: together(a, back) for name, a in traced.items()}


def _over_time(
    r: Recurrent, x: Approx, states: list[F64], valid: NDArray[np.bool_], ar: Arithmetic
) -> tuple[Approx, list[Approx], dict[str, Approx]]:
    """Each position of a row is a row of a larger batch."""
    count = r.positions

    def rows(a: F64) -> F64:
        return a.reshape(*a.shape[:-3], a.shape[-3] * count, a.shape[-1])

    def back(a: F64) -> F64:
        return a.reshape(*a.shape[:-2], a.shape[-2] // count, count, a.shape[-1])

    own = [rows(s.reshape(*s.shape[:-1], count, s.shape[-1] // count)) for s in states]
    many = np.repeat(valid, count, axis=1)
    y, finals, traced = _recurrent(r, apart(x, count, rows), own, many, ar)
    shown = {name: together(array, back) for name, array in traced.items()}
    return together(y, back), [together(f, back) for f in finals], shown


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
    kind: type[Arithmetic] = Arithmetic,
    weight_dtype: str | None = None,
    compute: str | None = None,
) -> tuple[Approx, list[Approx]]:
    """The output and the states in order, with their bounds; as ``reference.run``."""
    plain = products = kind(u, tiny, ulps)
    if compute or weight_dtype:
        products = bounds_rounded.arithmetic_of(weight_dtype, compute)(u, tiny, ulps)
        spec = reference.stored(spec, compute or weight_dtype)
    return _run(spec, x, state, lengths, plain, products)[:2]


def trace(
    spec: ModelSpec, x: ArrayLike, state: Any = None, lengths: Any = None
) -> dict[str, Approx]:
    """What is calculated in the cells, with its bounds; as ``reference.trace``, not of no steps."""
    return _run(spec, x, state, lengths, Arithmetic(), Arithmetic())[2]


def _run(
    spec: ModelSpec,
    x: ArrayLike,
    state: Any,
    lengths: Any,
    plain: Arithmetic,
    products: Arithmetic,
) -> tuple[Approx, list[Approx], dict[str, Approx]]:
    """``products``: the arithmetic of layers whose matrices are reduced."""
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
    traced: dict[str, Approx] = {}
    for index, layer in enumerate(spec.layers):
        ar = products if str(index) in spec.reducible else plain
        if isinstance(layer, Embedding):
            now = exact(np.asarray(layer.weight, np.float64)[np.where(valid[..., 0], data, 0)])
        elif isinstance(layer, Linear):
            bias = [] if layer.bias is None else [np.asarray(layer.bias, np.float64)]
            now = ar.activation(layer.activation, ar.dot([(Matrix(layer.weight), now)], bias))
        elif isinstance(layer, Merge):
            now = bounds_layers.merge(layer, now, ar)
        elif isinstance(layer, PReLU):
            slope = np.asarray(layer.slope, np.float64)
            now = ar.below_zero(now, ar.dot([(Diagonal(slope), now)], []), np.abs(slope))
        elif isinstance(layer, Scale):
            now = ar.dot([(Diagonal(layer.scale), now)], [np.asarray(layer.shift, np.float64)])
        elif isinstance(layer, Conv):
            now = bounds_layers.conv(layer, now, ar)
        elif isinstance(layer, PoolWithin):
            now = bounds_layers.pool_within(layer, now, ar)
        elif isinstance(layer, Strided):
            now = bounds_layers.read(now, layer.read, (layer.output_size,))
        elif isinstance(layer, (LayerNorm, InstanceNorm)):
            if isinstance(layer, LayerNorm):
                now = ar.normal(now, layer.groups, layer.epsilon, layer.subtract_mean)
            else:
                now = bounds_layers.over_time(layer, now, ends, ar)
            if layer.arrays:
                repeat = getattr(layer, "positions", 1)
                ones = np.ones(layer.features // repeat)
                weight = np.asarray(ones if layer.weight is None else layer.weight, np.float64)
                bias = [] if layer.bias is None else [np.tile(layer.bias, repeat).astype("f8")]
                now = ar.dot([(Diagonal(np.tile(weight, repeat)), now)], bias)
        elif isinstance(layer, Softmax):
            now = bounds_layers.softmax(layer, now, ar)
        elif isinstance(layer, Elementwise):
            now = ar.function(layer.as_activation, None, now)
        else:
            count = len(layer.state_sizes)
            own = given[:count] or list(layer.first_state(rows, layer.features_taken))
            given = given[count:]
            if layer.runs_over_time:
                now, finals, inside = _over_time(layer, now, own, valid, ar)
            else:
                now, finals, inside = _along(layer, now, ar)
            states += finals
            prefix = f"{index}." if len(spec.layers) > 1 else ""
            traced |= {prefix + name: array for name, array in inside.items()}
    if not spec.return_sequences:
        return now, states, traced
    zero = exact(np.zeros(now.value.shape))
    return where(valid, now, zero), states, traced


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
