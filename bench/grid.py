"""What is measured: the cells, the cases, and how much arithmetic and memory each one takes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native import ModelSpec, Recurrent
from rnn_native.spec import GATES, cell_of, recurrent_shapes

CELLS = ("lstm", "gru", "rnn")
THREADS = (1, 2)
_NAME = re.compile(r"H([1-9]\d*)T([1-9]\d*)B([1-9]\d*)(?:L([1-9]\d*)(bi)?)?")


@dataclass(frozen=True)
class Case:
    """One layer, or a stack, with input size = hidden size, over one shape of input."""

    hidden: int
    time: int
    batch: int
    layers: int = 1
    bidirectional: bool = False

    @classmethod
    def parse(cls, name: str) -> Case:
        """``H64T100B1``, or ``H128T100B1L2bi`` for two bidirectional layers."""
        found = _NAME.fullmatch(name)
        if not found:
            raise ValueError(f"case: expected a name like H64T100B1 or H128T100B1L2bi, got {name}")
        hidden, time, batch, layers, bi = found.groups()
        return cls(int(hidden), int(time), int(batch), int(layers or 1), bool(bi))

    @property
    def name(self) -> str:
        stack = f"L{self.layers}" if self.layers > 1 or self.bidirectional else ""
        end = "bi" if self.bidirectional else ""
        return f"H{self.hidden}T{self.time}B{self.batch}{stack}{end}"

    @property
    def is_step(self) -> bool:
        return self.time == 1

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def input_sizes(self) -> list[int]:
        """The input size of each layer."""
        return [self.hidden] + [self.hidden * self.directions] * (self.layers - 1)

    def flops(self, cell: str) -> int:
        """Multiplications and additions of the matrix products; nothing else is counted."""
        width = sum(self.input_sizes()) + self.layers * self.hidden
        return 2 * GATES[cell] * self.hidden * width * self.directions * self.time * self.batch


# One step at a time, then growing batches, then stacks.
CASES = tuple(
    Case.parse(name)
    for name in (
        "H64T1B1", "H256T1B1", "H1024T1B1",
        "H16T100B1", "H64T100B1", "H256T100B1", "H512T100B1", "H1024T50B1",
        "H64T100B8", "H256T100B8", "H512T50B8",
        "H64T100B32", "H256T100B32", "H512T50B32",
        "H128T100B128", "H256T50B128", "H1024T20B64",
        "H128T100B1L2bi", "H256T50B16L2bi",
    )
)  # fmt: skip
TINY = tuple(map(Case.parse, ("H1T1B1", "H8T1B1", "H16T1B1", "H32T1B1")))
"""Single steps of networks so small that only the call itself counts."""
TRAINING = tuple(map(Case.parse, ("H64T100B32", "H128T100B32", "H256T100B32", "H256T50B128")))
TRAINING_PRODUCTS = 3
"""Products of a training step, of the size of forward's: forward itself, and backward's for the
inputs and for the weights."""
QUICK = tuple(map(Case.parse, ("H64T1B1", "H64T100B1", "H64T100B8", "H128T100B1L2bi")))


def _rng(cell: str, case: Case) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{cell} {case.name}".encode()))


def make_spec(cell: str, case: Case) -> ModelSpec:
    """Weights and biases uniform in ±1/sqrt(H), as PyTorch begins; the same in every run."""
    rng = _rng(cell, case)
    options: dict[str, Any] = {
        "cell": cell,
        "input_size": case.hidden,
        "hidden_size": case.hidden,
        "num_layers": case.layers,
        "direction": "bidirectional" if case.bidirectional else "forward",
    }
    bound = case.hidden**-0.5
    weights = {
        name: rng.uniform(-bound, bound, shape).astype(np.float32)
        for name, shape in recurrent_shapes(**options)
    }
    return ModelSpec((Recurrent(weights=weights, **options),))


def make_input(cell: str, case: Case) -> tuple[NDArray[Any], Sequence[NDArray[Any]] | None]:
    """x [time, batch, hidden], and for one step the states to start from: h, and c of LSTM."""
    rng = _rng(cell, case)
    x = rng.standard_normal((case.time, case.batch, case.hidden), dtype=np.float32)
    if not case.is_step:
        return x, None
    shape = (case.layers * case.directions, case.batch, case.hidden)
    return x, [rng.uniform(-1, 1, shape).astype(np.float32) for _ in cell_of(cell).state_names]
