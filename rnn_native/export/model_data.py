"""The constants of a packed model as C: arrays, and src/model.h's structs that point to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import numbers

# In the order of src/types.h.
_KINDS: Final = tuple(
    f"RNNAT_LAYER_{name}" for name in ("EMBEDDING", "RECURRENT", "LINEAR", "MERGE")
)
_ACTIVATIONS: Final = tuple(
    f"RNNAT_{name}" for name in ("IDENTITY", "SIGMOID", "TANH", "RELU", "SOFTMAX", "LOG_SOFTMAX")
)
_MERGES: Final = tuple(f"RNNAT_MERGE_{name}" for name in ("SUM", "MUL", "AVE"))
_FUNCTIONS: Final = tuple(
    f"RNNAT_GATE_{name}"
    for name in (
        "IDENTITY", "RELU", "TANH", "SIGMOID", "AFFINE", "LEAKY_RELU", "THRESHOLDED_RELU",
        "SCALED_TANH", "HARD_SIGMOID", "ELU", "SOFTSIGN", "SOFTPLUS",
    )
)  # fmt: skip

_CELL_MATRICES: Final = ("w_ih", "w_hh", "w_hn", "w_hr", "w_gh", "w_gf", "w_go", "w_ch")
_CELL_VECTORS: Final = ("bias", "bias_hn", "peephole")
_OP_NUMBERS: Final = (
    "input", "output", "hidden", "state", "num_directions", "first_state", "first_row",
    "first_cell", "skip_size",
)  # fmt: skip
_MODEL_NUMBERS: Final = (
    "num_ops", "over_time", "num_cells", "max_width", "max_gates", "max_products", "max_hidden",
    "max_skip", "max_whole_skip",
)  # fmt: skip


def _functions(functions: Mapping[str, Any]) -> str:
    each = ",\n                                  ".join(
        f"{{{_FUNCTIONS[kind]}, {numbers.number(alpha)}, {numbers.number(beta)}}}"
        for kind, alpha, beta in functions["of"]
    )
    return (
        f"{{.of = {{{each}}},\n"
        f"                             .clip = {numbers.number(functions['clip'])},\n"
        f"                             .input_forget = {'01'[functions['input_forget']]}}}"
    )


class Constants:
    """C source of a model's constants, one line after the other, and how many bytes they are."""

    def __init__(self, name: str, facts: Mapping[str, Any], kernels: str, vectors: bool) -> None:
        """``kernels``: the table that runs it; ``vectors``: whether these read arrays by vectors,
        which are faster where none lies across two lines of the cache."""
        self._name = name
        self._facts = facts
        self._kernels = kernels
        self._storage = "static const _Alignas(64)" if vectors else "static const"
        self.bytes = 0
        """Of the arrays."""
        self.has_names = False
        """Whether macros of <math.h> are among the numbers. Arrays alone may hold infinity or NaN:
        no layer has them as alpha, beta or clip, but a clip of 0 where there is no bound."""
        self.lines = [*self._all()]

    def _all(self) -> Iterator[str]:
        name, info = self._name, self._facts["info"]
        ops: list[str] = []
        for index, op in enumerate(self._facts["ops"]):
            yield from self._op(f"{name}_{index}", op, ops)
        yield f"static const rnnat_op {name}_ops[] = {{"
        yield from ops
        yield "};"
        states = self._facts["states"]
        if states:
            shapes = ", ".join(f"{{{rows}, {features}}}" for rows, features in states)
            yield f"static const struct rnnat_state_shape {name}_states[] = {{{shapes}}};"
        yield ""
        yield f"const rnnat_model {name}_model = {{"
        yield f"    .kernels = {self._kernels},"
        yield "    .info = {.struct_size = sizeof(rnnat_model_info),"
        for key, value in info.items():
            yield f"             .{key} = {value},"
        yield (
            f"             .memory = {self.bytes}u + sizeof {name}_ops + "
            f"{f'sizeof {name}_states + ' if states else ''}sizeof(rnnat_model)}},"
        )
        for key in _MODEL_NUMBERS:
            yield f"    .{key} = {self._facts[key]},"
        if states:
            yield f"    .states = {name}_states,"
        yield f"    .ops = {name}_ops}};"

    def _op(self, name: str, op: Mapping[str, Any], out: list[str]) -> Iterator[str]:
        """Yields the arrays, and adds the initialiser to ``out``."""
        fields = [f".kind = {_KINDS[op['kind']]}"]
        fields += [f".{key} = {op[key]}" for key in _OP_NUMBERS if op[key]]
        fields += [f".{key} = true" for key in ("adds_skip", "last_only") if op[key]]
        fields.append(f".activation = {_ACTIVATIONS[op['activation']]}")
        fields.append(f".merge = {_MERGES[op['merge']]}")
        for key in ("weight", "skip"):
            yield from self._matrix(f"{name}_{key}", op[key], key, fields)
        for key in ("table", "bias", "skip_bias"):
            yield from self._array(f"{name}_{key}", op[key], key, fields)
        if op["ops"]:
            fields.append(f".ops = &{op['ops']}")
            fields.append(f".reverse = {{{', '.join('01'[r] for r in op['reverse'])}}}")
            cells: list[str] = []
            for direction, cell in enumerate(op["cell"]):
                yield from self._cell(f"{name}_{direction}", cell, cells)
            fields.append(f".cell = {{{', '.join(cells)}}}")
        out.append("    {" + ",\n     ".join(fields) + "},")

    def _cell(self, name: str, cell: Mapping[str, Any], out: list[str]) -> Iterator[str]:
        fields: list[str] = []
        for key in _CELL_MATRICES:
            yield from self._matrix(f"{name}_{key}", cell[key], key, fields)
        for key in _CELL_VECTORS:
            yield from self._array(f"{name}_{key}", cell[key], key, fields)
        fields.append(f".functions = {_functions(cell['functions'])}")
        out.append("\n              {" + ",\n               ".join(fields) + "}")

    def _matrix(
        self, name: str, matrix: Mapping[str, Any] | None, key: str, fields: list[str]
    ) -> Iterator[str]:
        if matrix is None:
            return
        unused: list[str] = []
        yield from self._array(name, matrix["data"], "data", unused)
        sizes = ", ".join(f".{part} = {matrix[part]}" for part in ("k", "n", "panel"))
        fields.append(f".{key} = {{{sizes}, .data = {name}}}")

    def _array(
        self, name: str, array: NDArray[Any] | None, key: str, fields: list[str]
    ) -> Iterator[str]:
        if array is None:
            return
        kind = "float" if array.dtype == np.float32 else "double"
        self.bytes += array.nbytes
        self.has_names = self.has_names or not np.isfinite(array).all()
        yield f"{self._storage} {kind} {name}[{array.size}] = {{"
        yield from numbers.lines(array)
        yield "};"
        fields.append(f".{key} = {name}")
