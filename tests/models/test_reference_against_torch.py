"""The reference equals ``torch.nn`` in float64 for every option that both have.

Tolerance: both sides round to float64 (u = 1.1e-16) in different orders; at most 16 terms of
order 1 in a sum, 9 steps and 3 levels leave a few 1e-15. 1e-12 of the largest value is beyond
any rounding and far below any wrong equation.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from rnn_native.reference import run
from rnn_native.spec import ACTIVATIONS, Embedding, Linear, ModelSpec, Recurrent

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.oracle

TIME, BATCH, INPUT, HIDDEN = 9, 4, 5, 6
LENGTHS = [5, 9, 1, 3]

MODULES = [
    ("rnn", {"nonlinearity": "tanh"}),
    ("rnn", {"nonlinearity": "relu"}),
    ("gru", {}),
    ("lstm", {}),
    ("lstm", {"proj_size": 3}),
]
STACKS = list(product([1, 3], [False, True], [True, False]))


def recurrent_pair(
    cell: str, options: dict[str, Any], layers: int, both: bool, bias: bool
) -> tuple[Any, ModelSpec]:
    """The same weights as a torch module and as a ModelSpec."""
    torch.manual_seed(0)
    kind = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    module = kind(INPUT, HIDDEN, layers, bias=bias, bidirectional=both, **options).double()
    weights = {name: array.numpy() for name, array in module.state_dict().items()}
    direction = "bidirectional" if both else "forward"
    layer = Recurrent(
        cell, INPUT, HIDDEN, weights, num_layers=layers, direction=direction, bias=bias, **options
    )
    return module, ModelSpec((layer,))


def random_state(spec: ModelSpec, batch: int) -> Any:
    (layer,) = spec.recurrents
    rows = layer.num_layers * layer.num_directions
    arrays = tuple(torch.rand(rows, batch, n).double() * 2 - 1 for n in layer.state_sizes)
    return arrays if len(arrays) == 2 else arrays[0]


def numpy_of(value: Any) -> Any:
    return tuple(map(numpy_of, value)) if isinstance(value, tuple) else value.detach().numpy()


def assert_close(got: Any, want: Any) -> None:
    if isinstance(want, tuple):
        for a, b in zip(got, want, strict=True):
            assert_close(a, b)
        return
    scale = max(1.0, float(np.abs(want).max(initial=0.0)))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * scale, strict=True)


@pytest.mark.parametrize("with_state", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize(("layers", "both", "bias"), STACKS)
@pytest.mark.parametrize(("cell", "options"), MODULES)
def test_recurrent_equals_torch(cell, options, layers, both, bias, with_state):
    module, spec = recurrent_pair(cell, options, layers, both, bias)
    x = torch.randn(TIME, BATCH, INPUT).double()
    state = random_state(spec, BATCH) if with_state else None
    want = numpy_of(module(x, state))
    assert_close(run(spec, x.numpy(), None if state is None else numpy_of(state)), want)


@pytest.mark.parametrize(("layers", "both", "bias"), STACKS)
@pytest.mark.parametrize(("cell", "options"), MODULES)
def test_lengths_equal_packed_sequences(cell, options, layers, both, bias):
    module, spec = recurrent_pair(cell, options, layers, both, bias)
    x = torch.randn(TIME, BATCH, INPUT).double()
    state = random_state(spec, BATCH)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    y, final = module(packed, state)
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=TIME)
    assert_close(run(spec, x.numpy(), numpy_of(state), LENGTHS), numpy_of((y, final)))


@pytest.mark.parametrize(("cell", "options"), MODULES)
def test_reverse_equals_torch_on_flipped_time(cell, options):
    module, forward = recurrent_pair(cell, options, 1, False, True)
    (layer,) = forward.recurrents
    weights = {name + "_reverse": array for name, array in layer.arrays.items()}
    reverse = Recurrent(cell, INPUT, HIDDEN, weights, direction="reverse", **options)
    x = torch.randn(TIME, BATCH, INPUT).double()
    state = random_state(forward, BATCH)
    y, final = module(x.flip(0), state)
    got = run(ModelSpec((reverse,)), x.numpy(), numpy_of(state))
    assert_close(got, numpy_of((y.flip(0), final)))


TORCH_ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softmax": lambda z: torch.softmax(z, -1),
    "log_softmax": lambda z: torch.log_softmax(z, -1),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_linear_equals_torch(activation, bias):
    torch.manual_seed(0)
    module = torch.nn.Linear(INPUT, HIDDEN, bias=bias).double()
    arrays = {name: array.numpy() for name, array in module.state_dict().items()}
    x = torch.randn(TIME, BATCH, INPUT).double() * 10
    x[0, 0, 0] = torch.nan
    want = TORCH_ACTIVATIONS[activation](module(x)).detach().numpy()
    spec = ModelSpec((Linear(**arrays, activation=activation),))
    y, _ = run(spec, x.numpy())
    np.testing.assert_array_equal(np.isnan(y), np.isnan(want))
    assert_close(np.nan_to_num(y), np.nan_to_num(want))


def test_a_tagger_equals_torch():
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(7, INPUT).double()
    lstm, spec = recurrent_pair("lstm", {}, 2, True, True)
    linear = torch.nn.Linear(2 * HIDDEN, 3).double()
    words = torch.randint(0, 7, (TIME, BATCH))
    state = random_state(spec, BATCH)
    hidden, final = lstm(embedding(words), state)
    want = numpy_of((torch.softmax(linear(hidden), -1), final))
    head = Linear(numpy_of(linear.weight), numpy_of(linear.bias), "softmax")
    tagger = ModelSpec((Embedding(numpy_of(embedding.weight)), *spec.layers, head))
    assert_close(run(tagger, words.numpy(), numpy_of(state)), want)
