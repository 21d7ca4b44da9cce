"""Whatever takes arrays takes the same ones: those whose numbers are all there is to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
import strategies

import rnn_native as rn
from rnn_native import arrays
from rnn_native.train import losses

T, B, F = 3, 2, 4  # F features everywhere, so that one array fits many doors
MODULE = rn.GRU(F, F)
MODEL = MODULE.model
NET = rn.train.Network(MODEL.spec)
X = np.random.default_rng(1).standard_normal((T, B, F)).astype(np.float32)
X = X.astype(ml_dtypes.bfloat16).astype(np.float32)  # numbers that bfloat16 has
WEIGHTS = {name: np.float32(0.5) * np.ones_like(a) for name, a in MODULE.state_dict().items()}
BATCH_FIRST = rn.GRU(F, F, batch_first=True)
BATCH_FIRST.load_state_dict(MODULE.state_dict())


def _loaded(value: Any) -> Any:
    module = rn.GRU(F, F)
    module.load_state_dict(WEIGHTS | {"weight_hh_l0": value})
    return module(X)[0]


def _network(value: Any) -> Any:
    y, _, _ = rn.train.forward(BATCH_FIRST, value)
    return y


def _backward(value: Any) -> Any:
    _, _, tape = rn.train.forward(BATCH_FIRST, np.ones((B, T, F), np.float32))
    return rn.train.backward(tape, value).weights["weight_ih_l0"]


def _optimizer(value: Any) -> Any:
    optimizer = rn.train.SGD(rn.train.Network(MODEL.spec), momentum=0.5)
    state = optimizer.state_dict()
    name = next(name for name in state if name.endswith("weight_hh_l0"))
    optimizer.load_state_dict(state | {name: value})
    return optimizer.state_dict()[name]


def _masking(value: Any) -> Any:
    spec = rn.ModelSpec(MODEL.spec.layers, mask_value=1.5)
    return rn.Model(spec)(value)[0]


SQUARE = (3 * F, F)
STATE = (1, B, F)
DOORS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "x": (X.shape, lambda v: MODEL(v)[0]),
    "state": (STATE, lambda v: MODEL(X, v)[0]),
    "trace": (X.shape, lambda v: MODEL.trace(v)["n_l0"]),
    "module": (X.shape, lambda v: MODULE(v)[0]),
    "unbatched": ((T, F), lambda v: MODULE(v)[0]),
    "unbatched state": ((1, F), lambda v: MODULE(X[:, 0], v)[0]),
    "step": ((B, F), lambda v: MODEL.stream(B).step(v).copy()),
    "layer": ((F, F), lambda v: rn.Linear(v).weight),
    "embedding": ((F, F), lambda v: rn.Embedding(v).weight),
    "load_state_dict": (SQUARE, _loaded),
    "reference": (X.shape, lambda v: rn.reference.run(MODEL.spec, v)[0]),
    "reference state": (STATE, lambda v: rn.reference.run(MODEL.spec, X, v)[0]),
    "network": ((B, T, F), _network),
    "network x": (X.shape, lambda v: NET.forward(v)[0]),
    "network state": (STATE, lambda v: NET.forward(X, v)[0]),
    "backward": ((B, T, F), _backward),
    "optimizer": (SQUARE, _optimizer),
    "loss": (X.shape, lambda v: losses.mean_squared_error(v, X)[0]),
    "targets": (X.shape, lambda v: losses.mean_squared_error(X, v)[0]),
    "mask_value": (X.shape, _masking),
    "pad": ((T, F), lambda v: rn.models.pad([v, v])[0]),
}


def value_for(name: str) -> np.ndarray[Any, Any]:
    value = np.resize(X, DOORS[name][0])
    if name == "mask_value":
        value[2, 0] = 1.5
    return value


class Length(np.ndarray[Any, Any]):
    """As astropy has it: a subclass with a unit."""

    unit = "m"


class Quantity:
    """As pint has it: converts to an array, and drops the unit."""

    units = "m"

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.values


class Own(np.ndarray[Any, Any]):
    """Somebody's subclass, of whose attributes nothing is known."""


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "masked": (lambda a: np.ma.masked_less(a, 0), "masked"),
    "masked nowhere": (lambda a: np.ma.array(a), "masked"),
    "list of masked": (lambda a: [np.ma.masked_less(row, 0) for row in a], "masked"),
    "unit": (lambda a: a.view(Length), "Length with a unit"),
    "duck with a unit": (Quantity, "Quantity with a unit"),
    "list of units": (lambda a: [Quantity(row) for row in a], "Quantity with a unit"),
    "sparse": (lambda a: scipy.sparse.csr_array(np.reshape(a, (-1, F))), "toarray"),
}
KINDS: dict[str, Callable[[Any], Any]] = {
    "complex": lambda a: a.astype(complex),
    "object": lambda a: a.astype(object),
    "structured": lambda a: a.astype([("x", "f4")]),
    "datetime": lambda a: np.zeros(a.shape, "M8[s]"),
    "text": lambda a: a.astype(str),
    "float8": lambda a: a.astype(ml_dtypes.float8_e4m3fn),
}
TAKEN: dict[str, Callable[[Any], Any]] = {
    "bfloat16": lambda a: a.astype(ml_dtypes.bfloat16),
    "list of bfloat16": lambda a: list(a.astype(ml_dtypes.bfloat16)),
    "bfloat16, strided": lambda a: np.asfortranarray(a.astype(ml_dtypes.bfloat16)),
    "subclass": lambda a: a.view(Own),
    "list": lambda a: list(a),
}


@pytest.mark.parametrize(
    ("door", "kind"),
    [(d, k) for d in DOORS for k in REFUSED if "list" not in k or not d.endswith("state")],
)  # a list of states is a state of several arrays
def test_what_numbers_alone_would_lose_is_refused(door: str, kind: str) -> None:
    make, message = REFUSED[kind]
    with pytest.raises(rn.DTypeError, match=message):
        DOORS[door][1](make(value_for(door)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", [d for d in DOORS if d not in ("pad", "optimizer")])
def test_what_is_no_real_number_is_refused(door: str, kind: str) -> None:
    with pytest.raises(rn.DTypeError, match="expected"):
        DOORS[door][1](KINDS[kind](value_for(door)))


@pytest.mark.parametrize(
    ("door", "kind"),
    [(d, k) for d in DOORS for k in TAKEN if "list" not in k or not d.endswith("state")],
)
def test_numbers_are_taken_as_they_are(door: str, kind: str) -> None:
    value = value_for(door)
    take = DOORS[door][1]
    np.testing.assert_array_equal(take(TAKEN[kind](value)), take(value))


@pytest.mark.parametrize("door", DOORS)
def test_a_mapped_file_is_an_array(door: str, tmp_path: Path) -> None:
    value = value_for(door)
    np.save(tmp_path / "a.npy", value)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    np.testing.assert_array_equal(DOORS[door][1](mapped), DOORS[door][1](value))


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("door", DOORS)
def test_tensors_are_taken_without_their_gradients(door: str, kind: str) -> None:
    torch = pytest.importorskip("torch")
    value = value_for(door)
    tensor = torch.tensor(value, dtype=getattr(torch, kind), requires_grad=True)
    for given in [tensor] if door.endswith("state") else [tensor, list(tensor)]:
        np.testing.assert_array_equal(DOORS[door][1](given), DOORS[door][1](value))


@pytest.mark.parametrize("masked", [True, False])
def test_masked_lengths_labels_and_sequences_are_refused(masked: bool) -> None:
    lengths = np.ma.array([2, 3], mask=[masked, False])
    labels = np.ma.array(np.zeros((T, B), int), mask=masked)
    model = rn.models.GRURegressor()
    calls: list[Callable[[], Any]] = [
        lambda: MODEL(X, None, lengths),
        lambda: rn.reference.run(MODEL.spec, X, None, lengths),
        lambda: losses.mean_squared_error(X, X, lengths),
        lambda: losses.cross_entropy(X, labels),
        lambda: losses.mean_squared_error(X, X, mask=labels == 0),
        lambda: losses.mean_squared_error(X, X, weights=np.ma.array(np.ones((T, B)), mask=masked)),
    ]
    x, y = np.swapaxes(X, 0, 1), X.sum(axis=(0, 2))
    calls += [
        lambda: model.fit(np.ma.array(x, mask=masked), y),
        lambda: model.fit([np.ma.array(row, mask=masked) for row in x], y),
        lambda: model.fit(x, np.ma.array(y, mask=masked)),
        lambda: model.fit(x, y, lengths=lengths),
    ]
    for call in calls:
        with pytest.raises(rn.DTypeError, match="masked"):
            call()


def test_every_bfloat16_is_the_float32_that_it_stands_for() -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    got = arrays.as_array("x", bits.view(ml_dtypes.bfloat16))
    assert got.dtype == np.float32
    number = ~np.isnan(got)  # of which there are many
    want = (bits.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(got[number].view(np.uint32), want[number].view(np.uint32))
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))


def test_a_model_of_bfloat16_weights_is_that_of_their_float32() -> None:
    spec = strategies.make_spec(np.random.default_rng(2), "lstm", 3, 5)
    layer = spec.recurrents[0]
    halves = {name: a.astype(ml_dtypes.bfloat16) for name, a in layer.arrays.items()}
    made = rn.spec.Recurrent("lstm", 3, 5, halves)
    for name, array in made.arrays.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, halves[name].astype(np.float32))


@pytest.mark.parametrize("given", ["float16", "bfloat16", "torch.bfloat16"])
def test_a_mask_value_is_compared_in_the_type_of_x(given: str) -> None:
    """0.1 is another number in float32, in float16 and in bfloat16."""
    spec = rn.ModelSpec(MODEL.spec.layers, mask_value=0.1)
    x = X.copy()
    x[-1, 0] = 0.1
    lengths = [T - 1] + [T] * (B - 1)
    if given == "torch.bfloat16":
        torch = pytest.importorskip("torch")
        other: Any = torch.tensor(x).bfloat16()
    else:
        other = x.astype(ml_dtypes.bfloat16 if given == "bfloat16" else given)
    want = rn.Model(rn.ModelSpec(MODEL.spec.layers))(other, lengths=lengths)[0]
    np.testing.assert_array_equal(rn.Model(spec)(other)[0], want)
    with pytest.raises(rn.ShapeError, match="masked"):
        rn.Model(spec).stream(B).step(other[-1])


@pytest.mark.parametrize("kind", [k for k in REFUSED if "list" not in k])
def test_gradients_that_numbers_alone_would_lose_are_refused(kind: str) -> None:
    net = rn.train.Network(MODEL.spec)
    make, message = REFUSED[kind]
    gradients = {name: np.ones_like(weight) for name, weight in net.weights.items()}
    name = next(name for name in gradients if name.endswith("weight_hh_l0"))
    before = net.weights[name].copy()
    wrong = gradients | {name: make(gradients[name])}
    for call in (
        lambda: rn.train.SGD(net, 1.0).step(wrong),
        lambda: rn.train.Adam(net, 1.0).step(wrong),
        lambda: rn.train.grad_norm(wrong),
        lambda: rn.train.clip_grad_norm(wrong, 1.0),
    ):
        with pytest.raises(rn.DTypeError, match=message):
            call()
    np.testing.assert_array_equal(net.weights[name], before)


def test_tensors_that_are_no_array_are_refused() -> None:
    torch = pytest.importorskip("torch")
    rows = [torch.ones(2, F), torch.ones(3, F)]
    nested = torch.nested.nested_tensor(rows, layout=torch.jagged)
    with pytest.raises(rn.RnnError, match="x: "):
        MODEL(nested)
