"""Gradients in float32 equal those of torch.autograd, for every option that both have.

Tolerance: 1e-5 of the largest element. Both sides round to float32 (u = 6e-8) in different orders;
a gradient adds at most TIME * BATCH = 36 terms after 9 steps back, a random walk of a few u of
their size. The largest element is that of the array itself, however small, but 1e-3 at least: its
terms may be of order 1e-2 and cancel, and 1e-8 is some ten of their u.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import rnn_native as rn

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.oracle

TIME, BATCH, INPUT, HIDDEN = 9, 4, 5, 6
LENGTHS = [5, 9, 1, 3]
KINDS = [
    ("RNN", {"nonlinearity": "tanh"}),
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
]
STACKS = list(product([1, 3], [False, True], [True, False]))


def pair(kind: str, options: dict[str, Any], layers: int, both: bool, bias: bool) -> Any:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(
        INPUT, HIDDEN, layers, bias=bias, bidirectional=both, **options
    )
    ours = getattr(rn, kind)(INPUT, HIDDEN, layers, bias=bias, bidirectional=both, **options)
    ours.load_state_dict({name: array.numpy() for name, array in theirs.state_dict().items()})
    return theirs, ours


def close(got: Any, expected: Any) -> None:
    expected = expected.detach().numpy()
    scale = max(1e-3, float(np.abs(expected).max()))
    assert got.shape == expected.shape
    assert float(np.abs(got - expected).max()) < 1e-5 * scale


def tuple_of(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize(("layers", "both", "bias"), STACKS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_gradients(
    kind: str, options: dict[str, Any], layers: int, both: bool, bias: bool, lengths: Any
) -> None:
    theirs, ours = pair(kind, options, layers, both, bias)
    sizes = ours.spec.state_sizes
    rows = layers * (2 if both else 1)
    x = torch.randn(TIME, BATCH, INPUT, requires_grad=True)
    start = [torch.randn(rows, BATCH, n, requires_grad=True) for n in sizes]
    ends = [torch.randn(rows, BATCH, n) for n in sizes]
    given = tuple(start) if len(start) > 1 else start[0]
    if lengths is None:
        y, final = theirs(x, given)
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, final = theirs(packed, given)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=TIME)
    dy = torch.randn(y.shape)
    loss = (y * dy).sum() + sum((h * d).sum() for h, d in zip(tuple_of(final), ends, strict=True))
    loss.backward()

    arrays = tuple(h.detach().numpy() for h in start)
    dstate = tuple(d.numpy() for d in ends)
    one = len(arrays) == 1
    got, _, tape = rn.train.forward(ours, x.detach().numpy(), arrays[0] if one else arrays, lengths)
    grads = rn.train.backward(tape, dy.numpy(), dstate[0] if one else dstate)
    close(got, y)
    close(grads.x, x.grad)
    for ours_h, h in zip(tuple_of(grads.state), start, strict=True):
        close(ours_h, h.grad)
    named = dict(theirs.named_parameters())
    assert list(grads.weights) == list(named)
    for name, parameter in named.items():
        close(grads.weights[name], parameter.grad)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("identity", lambda z: z),
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("relu", torch.relu),
        ("softmax", lambda z: torch.softmax(z, -1)),
        ("log_softmax", lambda z: torch.log_softmax(z, -1)),
    ],
)
def test_embedding_and_linear(activation: str, function: Any) -> None:
    torch.manual_seed(1)
    table = torch.nn.Embedding(11, INPUT)
    linear = torch.nn.Linear(INPUT, 7)
    spec = rn.ModelSpec((
        rn.Embedding(table.weight.detach().numpy()),
        rn.Linear(linear.weight.detach().numpy(), linear.bias.detach().numpy(), activation),
    ))  # fmt: skip
    indices = torch.randint(0, 11, (TIME, BATCH))
    y = function(linear(table(indices)))
    dy = torch.randn(y.shape)
    (y * dy).sum().backward()
    got, _, tape = rn.train.forward(rn.Model(spec), indices.numpy())
    grads = rn.train.backward(tape, dy.numpy())
    close(got, y)
    close(grads.weights["0.weight"], table.weight.grad)
    close(grads.weights["1.weight"], linear.weight.grad)
    close(grads.weights["1.bias"], linear.bias.grad)
