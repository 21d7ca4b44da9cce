"""Each step a mean of all steps of a row, weighted by a softmax of its scores with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...activations import softmax
from ...errors import OptionError, ShapeError
from ..keys import Key, flag, in_line, size
from ..layer import Float64, Layer, Ran, State, Value, float64
from ..weights import Array, as_weight, brief, expect
from ..window import form_of, paces_text


@dataclass(frozen=True, eq=False)
class Attention(Layer):
    """y[t] = sum over s of w[t, s] v[s], w[t] = softmax over s of scale q[t] k[s], over all steps
    of a row that count.

    It reads three values with steps, query and key of equal features and value, which may be the
    same one; of several ``heads`` each has its own of so many equal blocks of the features of all
    three. ``scale`` None is 1 / sqrt(features of a head), PyTorch's
    ``scaled_dot_product_attention``. With ``weight`` [features of the query] scores are
    sum(weight tanh(q[t] + k[s])), Bahdanau's: :func:`AdditiveAttention`. ``causal``: step t takes
    steps up to itself.

    It takes whole sequences: a stream refuses it.

    Raises
    ------
    ShapeError
        In a model: query and key have other features, heads is no divisor of them.
    OptionError
        ``heads`` or ``scale`` is not above 0; both ``weight`` and ``scale``.

    Examples
    --------
    >>> import numpy as np, rnn_native as rn
    >>> nodes = {"y": (rn.Attention(), ("x", "x", "x"))}
    >>> model = rn.Model(rn.ModelSpec(nodes=nodes, inputs={"x": 2}, outputs="y"))
    >>> model(np.array([[[1.0, 0.0]], [[1.0, 0.0]]]))[0].ravel().tolist()
    [1.0, 0.0, 1.0, 0.0]
    """

    heads: int = 1
    scale: float | None = None
    causal: bool = False
    weight: Array | None = None

    kind = "attention"
    keys = (
        Key("heads", "natural", least=1),
        Key("causal", "flag"),
        Key("scale", "number", optional=True),
        Key("additive", "natural", optional=True, least=1),
    )
    arity = (3, 3)
    trains = False
    input_size = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads", size("Attention heads", self.heads, 1))
        object.__setattr__(self, "scale", self.keys[2].checked("Attention", self.scale))
        object.__setattr__(self, "causal", flag("Attention causal", self.causal))
        if self.weight is not None:
            array = as_weight("Attention weight", self.weight)
            object.__setattr__(self, "weight", expect("Attention weight", array, (array.size,)))
            if self.scale is not None:
                raise OptionError("Attention scale: with a weight scores are no products")

    def __repr__(self) -> str:
        return brief(self, **self.line)

    @property
    def output_size(self) -> None:
        return None

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {} if self.weight is None else {"weight": self.weight}

    @property
    def options(self) -> dict[str, Any]:
        return {"heads": self.heads, "scale": self.scale, "causal": self.causal}

    @property
    def line(self) -> dict[str, Any]:
        line: dict[str, Any] = {"heads": self.heads, "causal": self.causal}
        if self.scale is not None:
            line["scale"] = self.scale
        return line if self.weight is None else line | {"additive": self.weight.size}

    @classmethod
    def keys_of(cls, values: Mapping[str, Any]) -> tuple[Key, ...]:
        return in_line(cls.keys, values)

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Attention:
        cls.check_arrays(values, arrays)
        names = ("heads", "scale", "causal")
        return cls.make(arrays, {name: values[name] for name in names if name in values})

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        if values.get("additive"):
            yield "weight", (values["additive"],)

    @property
    def fan_in(self) -> None:
        return None

    @property
    def needs_steps(self) -> bool:
        return True

    @property
    def needs_all(self) -> str:
        return "an attention of steps to all steps"

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        where = f"{where} (Attention)"
        if len(inputs) != 3:
            raise ShapeError(
                f"{where}: expected three inputs, query, key and value, got {len(inputs)}"
            )
        query, key, _ = inputs
        for one in inputs:
            made = super().outputs(where, name, [one])
            if form_of(one.paces) != form_of(query.paces):
                raise ShapeError(
                    f"{where}: expected inputs of equal steps, {query.name} has "
                    f"{paces_text(query.paces)}, {one.name} {paces_text(one.paces)}"
                )
            if one.features % self.heads:
                raise ShapeError(
                    f"{where}: heads: expected a divisor of {one.features} features, got "
                    f"{self.heads}"
                )
        wanted = query.features if self.weight is None else self.weight.size
        if query.features != key.features or query.features != wanted:
            raise ShapeError(
                f"{where}: expected query and key of {wanted} features, got {query.features} and "
                f"{key.features}"
            )
        return made

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        query, key, value = (x.swapaxes(0, 1) for x in inputs)  # batch first
        batch = len(query)
        y = np.zeros(value.shape)
        for row in range(batch):
            there = np.flatnonzero(valid[:, row])
            for head in range(self.heads):
                own, of = (
                    slice(head * n, (head + 1) * n)
                    for n in (x.shape[-1] // self.heads for x in (query, value))
                )
                q, k = (x[row, there, own] for x in (query, key))
                if self.weight is not None:
                    scores = np.tanh(q[:, None] + k) @ float64(self.weight)[own]
                else:
                    scores = q @ k.T * (self.scale or q.shape[-1] ** -0.5)
                if self.causal:
                    later = np.arange(len(there)) > np.arange(len(there))[:, None]
                    scores = np.where(later, -np.inf, scores)
                if len(there):
                    y[row, there, of] = softmax(scores) @ value[row, there, of]
        return Ran((y.swapaxes(0, 1),))


def AdditiveAttention(  # noqa: N802
    weight: ArrayLike, heads: int = 1, causal: bool = False
) -> Attention:
    """Scores are sum(weight tanh(q + k)): see :class:`Attention`."""
    return Attention(heads, None, causal, as_weight("Attention weight", weight))
