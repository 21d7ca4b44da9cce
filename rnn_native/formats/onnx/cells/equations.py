"""Steps of cells, by their equations.

    LSTM  c' = f * c + i * g          h' = o * tanh(c')
    GRU   h' = (1 - z) * n + z * h    n = tanh(.. + r * (R_n h + b)), or tanh(.. + R_n (r * h))
    RNN   h' = tanh(W x + R h + b)

i, f, o, z and r are a sigmoid, g a tanh, of W x + R h + b each; other functions may be in the place
of both, and none in that of the tanh of a GRU. Which gate is which is seen by what it is multiplied
with, not by where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ..graph import Anything, Node
from .sums import Factor, Function, Gate, Rows, Source, Sum, Sums, term


@dataclass(frozen=True, eq=False)
class Affine:
    """W x + R h + b of a gate: x and h are whichever of the two ``matrices`` multiply; ``inner`` is
    the bias within the product with r, of an n. ``sign`` is -1 for one that stands negated here."""

    matrices: dict[str, Rows]
    constant: Anything | None
    inner: Anything | None = None
    sign: int = 1


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a cell that a graph has in pieces.

    ``gates`` are in the operator's order; ``sources`` the two tensors that matrices multiply, x and
    h, in this order once ``oriented``; ``node`` makes the new h, ``before`` and ``after`` are the
    other states, () or the c, as the step finds and leaves them.
    """

    op: str
    node: Node
    gates: tuple[Affine, ...]
    sources: tuple[str, str]
    functions: tuple[Function, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    reset_after: bool = False
    oriented: bool = False

    @property
    def x(self) -> str:
        return self.sources[0]

    @property
    def h(self) -> str:
        return self.sources[1]

    @property
    def made(self) -> str:
        """The new h."""
        return self.node.outputs[0]

    def with_h(self, name: str) -> Step:
        """The step, of which it is now known which tensor is the h."""
        (x,) = (source for source in self.sources if source != name)
        return replace(self, sources=(x, name), oriented=True)


def steps(sums: Sums, nodes: Sequence[Node]) -> list[Step]:
    """The steps of cells among the nodes, which stand in the file's order."""
    found: list[Step] = []
    for node in nodes:
        sums.read(node)
        for step in _of(sums, node):
            found.append(step)
            if step.op != "RNN":  # of which it is not said yet that it is more than a layer
                for name in (step.made, *step.after):
                    sums.take(name)
    return found


def _of(sums: Sums, node: Node) -> Iterator[Step]:
    if len(node.outputs) != 1 or node.domain:
        return
    whole = sums.of(node.outputs[0])
    if node.op == "Mul":
        step = _lstm(sums, node, whole)
    elif node.op in ("Add", "Sub"):
        step = _gru(sums, node, whole)
    else:
        step = _rnn(sums, node, whole)
    if step is not None and _fits(sums, step):
        yield step


def _lstm(sums: Sums, node: Node, whole: Sum) -> Step | None:
    if whole.matrices or whole.constant is not None or len(whole.terms) != 1:
        return None
    ((factors, count),) = whole.terms.items()
    if count != 1 or len(factors) != 2:
        return None
    for o, c in (factors, factors[::-1]):
        if not (isinstance(o, Gate) and isinstance(c, Gate)):
            return None
        state = c.argument
        if state.matrices or state.constant is not None or len(state.terms) != 2:
            continue
        for kept, made in (list(state.terms), list(state.terms)[::-1]):
            step = _lstm_of(node, o, c, kept, made, [*state.terms.values()])
            if step is not None:
                return step
    return None


def _lstm_of(
    node: Node,
    o: Gate,
    c: Gate,
    kept: tuple[Factor, ...],
    made: tuple[Factor, ...],
    counts: Sequence[float],
) -> Step | None:
    """With f * c in ``kept`` and i * g in ``made``."""
    f, before = _gate_and_source(kept)
    if f is None or before is None or len(made) != 2 or list(counts) != [1, 1]:
        return None
    for i, g in (made, made[::-1]):
        gates = [i, o, f, g]
        if not all(isinstance(gate, Gate) for gate in gates):
            return None
        affine = [_affine(gate.argument) for gate in gates if isinstance(gate, Gate)]
        same = isinstance(i, Gate) and i.function == o.function == f.function
        if same and isinstance(g, Gate) and all(a is not None for a in affine):
            functions = (o.function, g.function, c.function)
            sources = tuple(affine[0].matrices) if affine[0] else ()
            return Step(
                "LSTM", node, tuple(a for a in affine if a), (sources[0], sources[1]), functions,
                (before.name,), (c.of,),
            )  # fmt: skip
    return None


def _gru(sums: Sums, node: Node, whole: Sum) -> Step | None:
    if whole.matrices or whole.constant is not None or len(whole.terms) != 3:
        return None
    factors = dict.fromkeys(whole.factors)
    gates = [factor for factor in factors if isinstance(factor, Gate)]
    states = [factor for factor in factors if isinstance(factor, Source)]
    candidates = [factor for factor in factors if isinstance(factor, (Gate, Sum))]
    for h, z, n in product(states, gates, candidates):
        plain = {(n,): 1.0, term(z, n): -1.0, term(z, h): 1.0}
        other = {(h,): 1.0, term(z, h): -1.0, term(z, n): 1.0}
        turned = z.function.name == "Sigmoid" and whole.terms == other
        if z is not n and (turned or whole.terms == plain):
            return _gru_of(sums, node, z, h, _as_gate(n), turned)
    return None


def _as_gate(candidate: Gate | Sum) -> Gate:
    """A candidate without a function is one of the function that changes nothing."""
    if isinstance(candidate, Gate):
        return candidate
    return Gate(Function("Affine", (1.0, 0.0)), candidate, "")


def _gru_of(sums: Sums, node: Node, z: Gate, h: Source, n: Gate, turned: bool) -> Step | None:
    """With 1 - sigmoid(a) = sigmoid(-a) in the place of z where it is ``turned``."""
    update, inner = _affine(z.argument), n.argument
    if update is None or h.name not in update.matrices:
        return None
    update = replace(update, sign=-1) if turned else update
    if len(inner.matrices) == 2 and not inner.terms:
        return _gru_before(sums, node, z, h, n, update)
    if len(inner.matrices) != 1 or len(inner.terms) != 1:
        return None
    ((factors, count),) = inner.terms.items()
    if count != 1 or len(factors) != 2:
        return None
    for r, state in (factors, factors[::-1]):
        if isinstance(r, Gate) and isinstance(state, Sum) and r.function == z.function:
            reset = _affine(r.argument)
            if reset is None or set(state.matrices) != {h.name} or not state.is_affine:
                return None
            matrices = {**inner.matrices, **state.matrices}
            candidate = Affine(matrices, inner.constant, state.constant)
            return _gru_step(node, h, (update, reset, candidate), z, n, reset_after=True)
    return None


def _gru_before(sums: Sums, node: Node, z: Gate, h: Source, n: Gate, update: Affine) -> Step | None:
    """n has a matrix that multiplies r * h."""
    for name, rows in n.argument.matrices.items():
        inner = sums.of(name)
        if inner.matrices or inner.constant is not None or len(inner.terms) != 1:
            continue
        ((factors, count),) = inner.terms.items()
        r, state = _gate_and_source(factors)
        if count == 1 and r is not None and state is h and r.function == z.function:
            reset = _affine(r.argument)
            if reset is None:
                return None
            matrices = {k: v for k, v in n.argument.matrices.items() if k != name}
            candidate = Affine({**matrices, h.name: rows}, n.argument.constant)
            return _gru_step(node, h, (update, reset, candidate), z, n, reset_after=False)
    return None


def _gru_step(
    node: Node, h: Source, gates: tuple[Affine, ...], z: Gate, n: Gate, reset_after: bool
) -> Step | None:
    sources = [name for name in gates[0].matrices if name != h.name]
    if len(sources) != 1:
        return None
    functions = (z.function, n.function)
    step = Step("GRU", node, gates, (sources[0], h.name), functions, reset_after=reset_after)
    return replace(step, oriented=True)


def _rnn(sums: Sums, node: Node, whole: Sum) -> Step | None:
    gate = whole.factor()
    if not isinstance(gate, Gate) or gate.of not in node.inputs:
        return None
    affine = _affine(gate.argument)
    if affine is None:
        return None
    one, two = affine.matrices
    return Step("RNN", node, (affine,), (one, two), (gate.function,))


def _affine(value: Sum) -> Affine | None:
    """Of two tensors."""
    if len(value.matrices) != 2 or value.terms:
        return None
    return Affine(dict(value.matrices), value.constant)


def _gate_and_source(factors: tuple[Factor, ...]) -> tuple[Gate | None, Source | None]:
    gate = next((factor for factor in factors if isinstance(factor, Gate)), None)
    source = next((factor for factor in factors if isinstance(factor, Source)), None)
    return (gate, source) if len(factors) == 2 else (None, None)


def _fits(sums: Sums, step: Step) -> bool:
    """Whether all gates multiply the same two tensors by matrices of the same shape."""
    shapes: dict[str, set[tuple[int, ...] | None]] = {name: set() for name in step.sources}
    for gate in step.gates:
        if gate.matrices.keys() != shapes.keys():
            return False
        for name, rows in gate.matrices.items():
            matrix = sums.matrix(rows)
            shapes[name].add(None if matrix is None else matrix.shape)
    sizes = {shape[0] for many in shapes.values() for shape in many if shape and all(shape)}
    if len(sizes) != 1 or any(len(many) != 1 or None in many for many in shapes.values()):
        return False
    constants = [c for gate in step.gates for c in (gate.constant, gate.inner) if c is not None]
    return all(not c.ndim or len(c) in (1, *sizes) for c in constants)
