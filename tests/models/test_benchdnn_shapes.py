"""The shapes that oneDNN's benchdnn runs its recurrent primitive with, through cells of ours.

A shape has layers, time, rows, and four sizes: of h that comes in (sic), of the input (slc), of the
cell (dhc) and of h that goes out (dic). Here:

- the input has slc features and the layer dhc units; where dic is another size than dhc, an LSTM
  has a projection to it. Its lists of projections all widen h; that is refused here, as PyTorch
  refuses it, and run the other way round, from dic units to dhc features;
- h that comes in and goes out is one state, so that a sic which is not dic has no meaning: such a
  shape is run with a sic that is;
- some have 1760 units over hundreds of steps and rows. Sizes stay as they are; work is bounded by
  `cut`, down to two rows, layers and steps.

Small shapes run with every cell in every direction, larger ones with every cell in one direction
and the largest with one cell in one direction, which take turns. Model and reference agree within
the tolerance of `conftest.py`, which is a random walk of roundings. Small ones do so within the
bound of `bounds.py` as well, which is the worst that roundings can do, and of a thousand terms says
nothing. PyTorch, where it has the layer, is held to the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import bounds
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.errors import OptionError
from rnn_native.spec import Merge, ModelSpec, Recurrent
from rnn_native.spec.layers.recurrent_options import recurrent_shapes

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

Array = NDArray[Any]

FILE = Path(__file__).parents[1] / "data" / "operator_vectors" / "benchdnn.json"
LISTS: dict[str, list[list[int]]] = json.loads(FILE.read_text("ascii"))

CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("lstm", {}),
    "gru": ("gru", {"reset_after": False}),
    "lbr-gru": ("gru", {"reset_after": True}),
    "rnn": ("rnn", {}),
}
DIRECTIONS = ("forward", "reverse", "concat", "sum")

WORK = 1_500_000
"""Multiplications of one layer in one direction over all its rows and steps, after cutting."""
STEPS = 16
"""Of all layers together, after cutting."""
SMALL, LARGE = 50_000, 1_000_000
"""Weights of an LSTM's layers up to which a shape runs in every direction and has a bound, and up
to which it runs with every cell."""
SCALE = 0.4
"""Of weights, over the square root of the units: the spectral norms of W and R are about 1 / 2
then, so that a bound hardly grows with steps and layers."""


class Shape(NamedTuple):
    layers: int
    time: int
    rows: int
    features: int
    hidden: int
    projection: int  # 0: none

    @property
    def weights(self) -> int:
        """Of an LSTM's first layer in one direction."""
        return 4 * self.hidden * (self.features + (self.projection or self.hidden))

    @property
    def all_weights(self) -> int:
        return self.layers * self.weights

    @property
    def name(self) -> str:
        parts = zip("ltnihp", self, strict=True)
        return "".join(f"{letter}{size}" for letter, size in parts if size)


def shape_of(numbers: list[int]) -> Shape:
    layers, time, rows, _, features, hidden, out = numbers
    if out != hidden:
        hidden, out = max(hidden, out), min(hidden, out)
        return Shape(layers, time, rows, features, hidden, out)
    return Shape(layers, time, rows, features, hidden, 0)


def cut(shape: Shape) -> Shape:
    """The same sizes with less work: down to 2 rows, 2 layers and 2 steps."""
    room = max(1, WORK // shape.weights)
    rows = min(shape.rows, max(2, room // shape.time))
    layers = min(shape.layers, max(2, room))
    time = min(shape.time, max(2, min(room // rows, STEPS // layers)))
    return shape._replace(rows=rows, layers=layers, time=time)


SHAPES = sorted(
    {cut(shape_of(numbers)) for numbers in chain.from_iterable(LISTS.values())},
    key=lambda shape: (shape.all_weights, shape),
)


def runs() -> Iterator[tuple[Shape, str, str]]:
    """What each shape runs with."""
    cells, taken = list(CELLS), 0
    for shape in SHAPES:
        own = ["lstm"] if shape.projection else cells
        ways = list(product(own, DIRECTIONS))
        if shape.all_weights > LARGE:
            ways = [(own[taken % len(own)], DIRECTIONS[taken // 2 % 4])]
        elif shape.all_weights > SMALL:
            ways = [(cell, DIRECTIONS[(taken + k) % 4]) for k, cell in enumerate(own)]
        taken += shape.all_weights > SMALL
        yield from ((shape, cell, direction) for cell, direction in ways)


def spec_of(shape: Shape, cell: str, direction: str) -> ModelSpec:
    kind, options = CELLS[cell]
    options = options | ({"proj_size": shape.projection} if shape.projection else {})
    way = direction if direction in ("forward", "reverse") else "bidirectional"
    rng = np.random.default_rng(sum(shape))
    bound = SCALE / np.sqrt(shape.hidden)
    arrays = {
        name: (bound * (2 * rng.random(size, np.float32) - 1)).astype(np.float32)
        for name, size in recurrent_shapes(
            kind, shape.features, shape.hidden, shape.layers, way, **options
        )
    }
    layer = Recurrent(
        kind, shape.features, shape.hidden, arrays, direction=way, num_layers=shape.layers,
        **options,
    )  # fmt: skip
    merge = (Merge("sum", layer.state_size),) if direction == "sum" else ()
    return ModelSpec((layer, *merge))


def random(*shape: int, seed: int) -> Array:
    return (2 * np.random.default_rng(seed).random(shape, np.float32) - 1).astype(np.float32)


def in_torch(spec: ModelSpec, x: Array, state: Any) -> list[Array] | None:
    """Output and final states of PyTorch's layer, where it has one, in float32."""
    try:
        import torch
    except ImportError:
        return None
    layer = spec.recurrents[0]
    if (layer.cell == "gru" and not layer.reset_after) or layer.direction == "reverse":
        return None
    module = getattr(torch.nn, layer.cell.upper())(
        layer.input_size, layer.hidden_size,
        layer.num_layers, device="meta", bidirectional=layer.num_directions == 2,
        **({"proj_size": layer.proj_size} if layer.proj_size else {}),
    )  # fmt: skip
    weights = {n: torch.from_numpy(np.array(a)) for n, a in layer.arrays.items()}
    module.load_state_dict(weights, assign=True)
    tensors = [torch.from_numpy(a) for a in bounds.flatten(state)]
    with torch.no_grad():
        y, final = module(torch.from_numpy(x), tuple(tensors) if len(tensors) > 1 else tensors[0])
    made = y.numpy()
    if len(spec.layers) > 1:
        made = made[..., : layer.state_size] + made[..., layer.state_size :]
    return [made, *([f.numpy() for f in final] if len(tensors) > 1 else [final.numpy()])]


@pytest.mark.parametrize(
    ("shape", "cell", "direction"),
    [pytest.param(*run, id="-".join([run[0].name, *run[1:]])) for run in runs()],
)
def test_a_shape(shape: Shape, cell: str, direction: str, compiled: Any) -> None:
    spec = spec_of(shape, cell, direction)
    layer = spec.recurrents[0]
    x = random(shape.time, shape.rows, shape.features, seed=1)
    count = layer.num_layers * layer.num_directions
    states = [random(count, shape.rows, n, seed=2 + k) for k, n in enumerate(layer.state_sizes)]
    state = tuple(states) if len(states) > 1 else states[0]

    exact = bounds.flatten(rn.reference.run(spec, x, state))
    results = [bounds.flatten(compiled(spec, x, state)), in_torch(spec, x, state)]
    for result in filter(None, results):
        for got, want in zip(result, exact, strict=True):
            compiled.assert_close(got, want)
    if shape.all_weights > SMALL:
        return
    bound, final_bounds = bounds.run(spec, x, state)
    for result in filter(None, results):
        for got, allowed in zip(result, [bound, *final_bounds], strict=True):
            assert allowed.each.max() < 1e-3, "a bound that says nothing"
            assert bounds.excess(got, allowed) <= 1


def test_the_turns_leave_no_cell_without_a_direction() -> None:
    """Among the shapes that are too large for all of them."""
    seen = {(cell, way) for shape, cell, way in runs() if shape.all_weights > SMALL}
    assert seen == set(product(CELLS, DIRECTIONS))


@pytest.mark.parametrize("numbers", LISTS["lstmp_small"] + LISTS["lstmp_large"], ids=str)
def test_a_projection_that_widens_h_is_refused(numbers: list[int]) -> None:
    _, _, _, _, features, hidden, out = numbers
    arrays = {
        name: np.zeros(size, np.float32)
        for name, size in recurrent_shapes("lstm", features, hidden, proj_size=out)
    }
    with pytest.raises(OptionError, match=f"proj_size: expected less than hidden_size {hidden}"):
        Recurrent("lstm", features, hidden, arrays, proj_size=out)
