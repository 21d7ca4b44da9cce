"""What tensors are as sums of products, so that the many ways to write a cell become one.

A cell's equations are made of matrices that multiply its input and its state, of constants, of
functions of such sums (the gates), and of products of gates and states. Multiplied out, they are
the same whatever the order of the operands and of the gates, and wherever a bias is added, a block
is split or a bracket is set: ``(h - n) * z + n`` of PyTorch and ``z * h + (1 - z) * n`` of Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ....errors import RnnError
from ..constants import slices_of, split_sizes
from ..graph import Anything, Node
from .known import Known

_MOST: Final = 6  # terms of a sum; a cell has four at most
_FACTORS: Final = 3  # of a term
_RANK: Final = 2  # of every tensor in a cell: [batch, features]
_FUNCTIONS: Final[Mapping[str, dict[str, tuple[str, Any]]]] = MappingProxyType(
    {
        "HardSigmoid": {"alpha": ("float", 0.2), "beta": ("float", 0.5)},
        "Relu": {},
        "Sigmoid": {},
        "Softsign": {},
        "Tanh": {},
    }
)
"""Functions of gates, with their attributes."""


@dataclass(frozen=True)
class Function:
    """As the recurrent operators call it, and the numbers that it takes."""

    name: str
    constants: tuple[float, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Rows of a constant that is a matrix [out, in], or [in, out] where it is ``turned``."""

    name: str
    turned: bool = False
    start: int = 0
    stop: int | None = None

    def cut(self, start: int, stop: int) -> Rows:
        return Rows(self.name, self.turned, self.start + start, self.start + stop)


@dataclass(frozen=True, eq=False)
class Source:
    """A tensor that is taken as it is."""

    name: str


@dataclass(frozen=True, eq=False)
class Gate:
    """A function of a sum, which is the tensor ``of``."""

    function: Function
    argument: Sum
    of: str


@dataclass(frozen=True, eq=False)
class Sum:
    """``matrices``: by the tensor that each multiplies; ``terms``: how often each product counts;
    ``constant``: a number, or a vector [features]."""

    matrices: Mapping[str, Rows] = field(default_factory=dict)
    terms: Mapping[tuple[Factor, ...], float] = field(default_factory=dict)
    constant: Anything | None = None

    @property
    def is_affine(self) -> bool:
        return bool(self.matrices) and not self.terms

    @property
    def factors(self) -> list[Factor]:
        """Those of all terms."""
        return [factor for factors in self.terms for factor in factors]

    def factor(self) -> Factor | None:
        """The only one, where it is no sum of several."""
        if self.matrices or self.constant is not None or len(self.terms) != 1:
            return None
        ((factors, count),) = self.terms.items()
        return factors[0] if len(factors) == 1 and count == 1 else None


Factor = Source | Gate | Sum


def term(*factors: Factor) -> tuple[Factor, ...]:
    """The product of these, whatever their order."""
    return tuple(sorted(factors, key=id))


def is_gate(factor: Factor) -> bool:
    """Whether it is a function of two tensors times matrices."""
    return isinstance(factor, Gate) and len(factor.argument.matrices) == 2


class Sums:
    """The sums that the tensors of a graph are, found node by node in the file's order."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self._found: dict[str, Sum] = {}
        self._made: set[str] = set()  # of these, what nodes make that are read here
        self._sources: dict[str, Sum] = {}  # constants that are states

    def of(self, name: str) -> Sum:
        """A tensor of which nothing is known is a term by itself."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._new(name)
        return found

    def _new(self, name: str) -> Sum:
        if self.known.is_constant(name):
            array = self.known.array(name)
            if array is not None and array.dtype.kind == "f" and array.ndim < 3:
                vector = array.reshape(()) if array.size == 1 else array
                if vector.ndim < 2 or len(vector) == 1:
                    return Sum(constant=vector.reshape(-1) if vector.ndim else vector)
        return Sum(terms={(Source(name),): 1.0})

    def take(self, name: str) -> None:
        """From here on the tensor is taken as it is."""
        self._found[name] = Sum(terms={(Source(name),): 1.0})

    def read(self, node: Node) -> None:
        """Finds what the outputs of a node are, if it is one that cells are written with."""
        if node.domain or not node.inputs or not node.outputs:
            return
        with suppress(RnnError):
            for name, found in zip(node.outputs, self._results(node), strict=False):
                if name and found is not None:
                    self._found[name] = found
                    self._made.add(name)

    def _results(self, node: Node) -> list[Sum | None]:
        if node.op in ("MatMul", "Gemm"):
            return [self._multiplied(node)]
        if node.op in _FUNCTIONS:
            constants = node.options(**_FUNCTIONS[node.op])
            function = Function(node.op, tuple(constants.values()))
            gate = Gate(function, self.of(node.inputs[0]), node.inputs[0])
            return [Sum(terms={(gate,): 1.0})]
        if node.op in ("Add", "Sub", "Mul") and len(node.inputs) == 2:
            node.options()
            left, right = self._operands(node)
            if node.op == "Mul":
                return [_times(left, right)]
            self._budget(node, left, right)
            return [_plus(left, right if node.op == "Add" else _negative(right))]
        if node.op in ("Split", "Slice"):
            return self._cut(node)
        if node.op == "Identity":
            return [self.of(node.inputs[0])]
        return []

    def _operands(self, node: Node) -> tuple[Sum, Sum]:
        """What a node with two inputs is given; a vector of constants is a bias beside a matrix,
        and anywhere else a state."""
        found = [self.of(name) for name in node.inputs]
        for at, name in enumerate(node.inputs):
            beside = node.op != "Mul" and found[1 - at].matrices
            constant = found[at].constant
            if constant is not None and constant.ndim and name not in self._made and not beside:
                found[at] = self._sources.setdefault(name, Sum(terms={(Source(name),): 1.0}))
        return found[0], found[1]

    def _budget(self, node: Node, *values: Sum) -> None:
        """Takes what the constants of a sum are going to need."""
        sizes = [value.constant.nbytes for value in values if value.constant is not None]
        if len(sizes) > 1 or node.op == "Sub":
            node.contents.budget.take(str(node), 2 * max(sizes, default=0))

    def _multiplied(self, node: Node) -> Sum | None:
        turned, constant = True, None
        if node.op == "Gemm":
            options = node.options(
                alpha=("float", 1.0), beta=("float", 1.0), transA=("int", 0), transB=("int", 0)
            )
            if options["transA"] or options["alpha"] != 1 or options["beta"] != 1:
                return None
            turned = not options["transB"]
            if len(node.inputs) > 2 and node.inputs[2]:
                added = self.of(node.inputs[2])
                if added.matrices or added.terms:
                    return None
                constant = added.constant
        else:
            node.options()
        data, weight = node.inputs[:2]
        if not self.known.is_constant(weight) or (
            self.known.is_constant(data) and self._rank(data) != _RANK
        ):
            return None
        return Sum({data: Rows(weight, turned)}, {}, constant)

    def _rank(self, name: str) -> int | None:
        array = self.known.array(name)
        return None if array is None else array.ndim

    def _cut(self, node: Node) -> list[Sum | None]:
        """Parts of the last axis of what has a matrix in it, and so a size.

        Every tensor in a cell is [batch, features]: else the operator that gets its x and its h,
        with one axis more, would refuse them.
        """
        name = node.inputs[0]
        whole = self.of(name)
        width = self._width(whole)
        if width is None:
            return []
        values = self.known.values(node)
        if node.op == "Split":
            shape = [None, width]
            axis, sizes = split_sizes(node, values, _RANK, shape)
            cuts = list(zip(accumulate(sizes, initial=0), accumulate(sizes), strict=False))
        else:
            slices = slices_of(node, values, _RANK)
            if len(slices) != 1 or slices[0][3] != 1:
                return []
            axis, start, stop, _ = slices[0]
            rows = range(width)[start:stop]
            cuts = [(rows.start, rows.stop)]
        if axis != _RANK - 1:
            return []
        return [self._part(whole, name, *cut) for cut in cuts]

    def _part(self, whole: Sum, name: str, start: int, stop: int) -> Sum | None:
        """The numbers from ``start`` to ``stop`` of each row."""
        gate = whole.factor()
        if isinstance(gate, Gate):
            inner = self._part(gate.argument, gate.of, start, stop)
            return inner and Sum(terms={(Gate(gate.function, inner, name),): 1.0})
        if not whole.is_affine:
            return None
        constant = whole.constant
        if constant is not None and constant.ndim:
            constant = constant[start:stop]
        return Sum({n: rows.cut(start, stop) for n, rows in whole.matrices.items()}, {}, constant)

    def _width(self, whole: Sum) -> int | None:
        gate = whole.factor()
        whole = gate.argument if isinstance(gate, Gate) else whole
        if not whole.is_affine:
            return None
        sizes = {self.size(rows) for rows in whole.matrices.values()}
        if whole.constant is not None and whole.constant.ndim:
            sizes.add(len(whole.constant))
        return sizes.pop() if len(sizes) == 1 else None

    def size(self, rows: Rows) -> int | None:
        """How many they are."""
        matrix = self.matrix(rows)
        return None if matrix is None else len(matrix)

    def matrix(self, rows: Rows) -> Anything | None:
        """[out, in]; None for what is no matrix of floats."""
        array = self.known.array(rows.name)
        if array is None or array.ndim != 2 or array.dtype.kind != "f":
            return None
        matrix = array.T if rows.turned else array
        stop = len(matrix) if rows.stop is None else rows.stop
        return matrix[rows.start : stop] if rows.start <= stop <= len(matrix) else None


def _plus(left: Sum, right: Sum) -> Sum | None:
    if set(left.matrices) & set(right.matrices):
        return None
    terms = dict(left.terms)
    for factors, count in right.terms.items():
        terms[factors] = terms.get(factors, 0.0) + count
    terms = {factors: count for factors, count in terms.items() if count}
    matrices = {**left.matrices, **right.matrices}
    constants = [c for c in (left.constant, right.constant) if c is not None]
    if len(matrices) + len(terms) > _MOST or len({c.shape for c in constants if c.ndim}) > 1:
        return None
    return Sum(matrices, terms, np.asarray(sum(constants)) if constants else None)


def _negative(value: Sum) -> Sum:
    if value.matrices:
        return Sum(terms={(value,): -1.0})
    constant = None if value.constant is None else np.asarray(-value.constant)
    return Sum({}, {factors: -count for factors, count in value.terms.items()}, constant)


def _times(left: Sum, right: Sum) -> Sum | None:
    """Multiplied out, but for what has matrices, which is one factor."""
    found: dict[tuple[Factor, ...], float] = {}
    constant = None
    for one, count in _terms(left):
        for two, other in _terms(right):
            factors = term(*one, *two)
            if len(factors) > _FACTORS:
                return None
            if factors:
                found[factors] = found.get(factors, 0.0) + count * other
            else:
                constant = np.asarray(count * other)
    if len(found) > _MOST or any(value.constant is not None and value.constant.ndim
                                 and not value.matrices for value in (left, right)):  # fmt: skip
        return None
    return Sum({}, {factors: count for factors, count in found.items() if count}, constant)


def _terms(value: Sum) -> list[tuple[tuple[Factor, ...], float]]:
    """Those of a product; () is a number."""
    if value.matrices:
        return [((value,), 1.0)]
    terms = list(value.terms.items())
    if value.constant is not None:
        terms.append(((), float(np.reshape(value.constant, -1)[0])))
    return terms
