"""rn.RNN, rn.GRU and rn.LSTM: PyTorch's signature, shapes and names, over the same core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import AnyArray, assert_agrees, assert_same_bits, assert_same_state, map_state
from strategies import TRAINED_VARIANT_IDS, TRAINED_VARIANTS

import rnn_native as rn
from rnn_native.spec import ModelSpec, Recurrent

variants = pytest.mark.parametrize(("cell", "options"), TRAINED_VARIANTS, ids=TRAINED_VARIANT_IDS)

CLASSES: dict[str, Callable[..., Any]] = {"rnn": rn.RNN, "gru": rn.GRU, "lstm": rn.LSTM}
INPUT, HIDDEN = 3, 5


def shapes_of(cell: str, num_layers: int, bidirectional: bool, **options: Any) -> dict[str, Any]:
    """Names and shapes in the order of torch.nn; peepholes, which it lacks, come last."""
    rows = {"rnn": 1, "gru": 3, "lstm": 4}[cell] * HIDDEN
    features = options.get("proj_size", 0) or HIDDEN
    shapes: dict[str, Any] = {}
    for layer in range(num_layers):
        below = INPUT if layer == 0 else features * (1 + bidirectional)
        for suffix in ("", "_reverse")[: 1 + bidirectional]:
            end = f"_l{layer}{suffix}"
            shapes["weight_ih" + end] = (rows, below)
            if options.get("gate_recurrent"):
                of_gates = {"gru": (2 * HIDDEN, HIDDEN), "lstm": (rows, HIDDEN)}
                shapes["weight_gh" + end] = of_gates[cell]
                last = {"gru": ("weight_hh", HIDDEN), "lstm": ("weight_ch", rows)}[cell]
                shapes[last[0] + end] = (last[1], HIDDEN)
                if options.get("bias", True):
                    shapes["bias_ih" + end] = (rows,)
                continue
            shapes["weight_hh" + end] = (rows, features)
            if options.get("bias", True):
                shapes["bias_ih" + end] = (rows,)
                shapes["bias_hh" + end] = (rows,)
            if options.get("proj_size", 0):
                shapes["weight_hr" + end] = (features, HIDDEN)
            if options.get("peephole"):
                shapes |= {f"weight_c{g}{end}": (HIDDEN,) for g in "ifo"}
    if size := options.get("output_layer"):
        shapes["weight_ho"] = (size, features * (1 + bidirectional))
        shapes["weight_xo"] = (size, INPUT)
        if options.get("bias", True):
            shapes["bias_o"] = (size,)
    return shapes


def make(cell: str, options: dict[str, Any], **more: Any) -> Any:
    """The module with a Recurrent's options; its output layer is called by its size."""
    own = {{"output_layer": "output_size"}.get(name, name): v for name, v in options.items()}
    return CLASSES[cell](INPUT, HIDDEN, **own, **more)


def random_weights(module: Any, dtype: str = "float32", seed: int = 61) -> dict[str, AnyArray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(-0.5, 0.5, a.shape).astype(dtype)
        for name, a in module.state_dict().items()
    }


def build(
    cell: str,
    options: dict[str, Any],
    *,
    num_layers: int = 2,
    bidirectional: bool = True,
    **more: Any,
) -> tuple[Any, ModelSpec]:
    """A loaded module and the spec that it should be."""
    module = make(cell, options, num_layers=num_layers, bidirectional=bidirectional, **more)
    weights = random_weights(module)
    module.load_state_dict(weights)
    layer = Recurrent(
        cell,
        INPUT,
        HIDDEN,
        weights,
        num_layers=num_layers,
        direction="bidirectional" if bidirectional else "forward",
        bias=more.get("bias", True),
        **options,
    )
    return module, ModelSpec((layer,))


def random_states(spec: ModelSpec, *batch: int) -> Any:
    layer = spec.recurrents[0]
    rng = np.random.default_rng(62)
    depth = layer.num_layers * layer.num_directions
    arrays = tuple(
        rng.uniform(-1, 1, (depth, *batch, n)).astype(np.float32) for n in layer.state_sizes
    )
    return arrays if len(arrays) > 1 else arrays[0]


def random_x(*shape: int) -> AnyArray:
    return np.random.default_rng(63).standard_normal((*shape, INPUT)).astype(np.float32)


@variants
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_state_dict_has_torchs_names_order_and_shapes(
    cell: str, options: dict[str, Any], bidirectional: bool, bias: bool
) -> None:
    module = make(cell, options, num_layers=2, bidirectional=bidirectional, bias=bias)
    got = {name: a.shape for name, a in module.state_dict().items()}
    expected = shapes_of(cell, 2, bidirectional, bias=bias, **options)
    assert got == expected
    assert list(got) == list(expected)


@variants
def test_state_dict_round_trip(cell: str, options: dict[str, Any]) -> None:
    module, _ = build(cell, options)
    other = make(cell, options, num_layers=2, bidirectional=True)
    other.load_state_dict(module.state_dict())
    for name, a in module.state_dict().items():
        assert_same_bits(other.state_dict()[name], a)
    x = random_x(4, 2)
    y, final = module(x)
    again, again_final = other(x)
    assert_same_bits(again, y)
    assert_same_state(again_final, final)


@variants
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
def test_batched_call(
    cell: str, options: dict[str, Any], bidirectional: bool, batch_first: bool, with_state: bool
) -> None:
    """States are [layers * directions, batch, size], with batch_first too."""
    module, spec = build(cell, options, bidirectional=bidirectional, batch_first=batch_first)
    x = random_x(4, 3)
    state = random_states(spec, 3) if with_state else None
    y, final = module(np.swapaxes(x, 0, 1) if batch_first else x, state)
    y = np.swapaxes(y, 0, 1) if batch_first else y
    features = options.get("proj_size", 0) or HIDDEN
    depth = 2 * (1 + bidirectional)
    assert y.shape == (4, 3, options.get("output_layer") or features * (1 + bidirectional))
    states = {"lstm": ("h", "c"), "gru": ("h",), "rnn": ("h",)}[cell]
    if options.get("gate_recurrent"):
        states = {"lstm": ("h", "c", "i", "f"), "gru": ("h", "z")}[cell]
    assert isinstance(final, tuple) == (len(states) > 1)
    h_n, *others = final if isinstance(final, tuple) else (final,)
    assert len(others) == len(states) - 1
    assert all(a.shape == (depth, 3, HIDDEN) for a in others)
    assert h_n.shape == (depth, 3, features)
    assert_agrees(spec, x, state, None, y, final, "float32")


@variants
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
def test_unbatched_call(
    cell: str, options: dict[str, Any], batch_first: bool, with_state: bool
) -> None:
    """x [T, I] with states [layers * directions, size]: the batch of one without its axis."""
    module, spec = build(cell, options, batch_first=batch_first)
    x = random_x(4)
    state = random_states(spec) if with_state else None
    y, final = module(x, state)
    assert y.ndim == 2
    with_batch = map_state(lambda a: a[:, None], state)
    final = map_state(lambda a: a[:, None], final)
    assert_agrees(spec, x[:, None], with_batch, None, y[:, None], final, "float32")


@variants
def test_unbatched_no_steps(cell: str, options: dict[str, Any]) -> None:
    module, spec = build(cell, options)
    state = random_states(spec)
    y, final = module(np.zeros((0, INPUT), np.float32), state)
    assert y.shape == (0, spec.output_size)
    assert_same_state(final, state)


@pytest.mark.parametrize("cell", CLASSES)
@pytest.mark.parametrize("shape", [(), (HIDDEN,), (4, 1, HIDDEN), (4, HIDDEN + 1), (3, HIDDEN)])
def test_unbatched_state_that_does_not_fit(cell: str, shape: tuple[int, ...]) -> None:
    module, _ = build(cell, {})
    a = np.zeros(shape, np.float32)
    with pytest.raises(rn.ShapeError, match="expected"):
        module(random_x(4), (a, a) if cell == "lstm" else a)


@variants
def test_lengths(cell: str, options: dict[str, Any]) -> None:
    module, spec = build(cell, options)
    x, state = random_x(4, 3), random_states(spec, 3)
    for lengths in ([4, 0, 2], (1, 1, 1), np.array([2, 3, 4], np.int32), np.array([0, 4, 0], "u1")):
        y, final = module(x, state, lengths=lengths)
        assert_agrees(spec, x, state, lengths, y, final, "float32")


@variants
def test_num_threads_of_one_call(cell: str, options: dict[str, Any]) -> None:
    module, _ = build(cell, options, matmul="packed")
    x = random_x(6, 9)
    y, final = module(x)
    for threads in (1, 2):
        again, again_final = module(x, num_threads=threads)
        assert_same_bits(again, y)
        assert_same_state(again_final, final)


@variants
def test_float64(cell: str, options: dict[str, Any]) -> None:
    module, spec = build(cell, options, dtype="float64")
    x, state = random_x(4, 3), random_states(spec, 3)
    y, final = module(x, state)
    assert_agrees(spec, x, state, None, y, final, "float64")
    assert all(a.dtype == np.float64 for a in module.state_dict().values())


@variants
def test_continuing_from_the_returned_state(cell: str, options: dict[str, Any]) -> None:
    module, _ = build(cell, options, bidirectional=False, matmul="packed")
    x = random_x(6, 2)
    y, final = module(x)
    head, state = module(x[:2])
    tail, state = module(x[2:], state)
    assert_same_bits(np.concatenate([head, tail]), y)
    assert_same_state(state, final)


@pytest.mark.parametrize("cell", CLASSES)
def test_sizes_and_depth_are_positional(cell: str) -> None:
    names = CLASSES[cell](INPUT, HIDDEN, 3).state_dict()
    assert "weight_ih_l2" in names
    assert names["weight_ih_l0"].shape[1] == INPUT
    assert names["weight_hh_l0"].shape[1] == HIDDEN


@pytest.mark.parametrize("cell", CLASSES)
def test_defaults_are_torchs(cell: str) -> None:
    """One forward layer with biases, time first; tanh; reset after; no projection."""
    module = CLASSES[cell](INPUT, HIDDEN)
    assert list(module.state_dict()) == list(shapes_of(cell, 1, False))
    module.load_state_dict(random_weights(module))
    spec = ModelSpec((Recurrent(cell, INPUT, HIDDEN, module.state_dict()),))
    x = random_x(4, 2)
    y, final = module(x)
    assert_agrees(spec, x, None, None, y, final, "float32")


class HasArray:
    """As a tensor of another framework: no ndarray, but np.asarray takes it."""

    def __init__(self, a: AnyArray) -> None:
        self.a = a

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.a, dtype=dtype)


@pytest.mark.parametrize(
    "form",
    [
        lambda a: a.tolist(),
        HasArray,
        np.asfortranarray,
        lambda a: a.astype(a.dtype.newbyteorder()),
        lambda a: a.astype(np.float64),
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: memoryview(a),
    ],
    ids=["list", "__array__", "fortran", "byte_order", "float64", "strided", "buffer"],
)
def test_load_state_dict_takes_what_asarray_takes(form: Callable[[AnyArray], Any]) -> None:
    module = rn.LSTM(INPUT, HIDDEN, proj_size=2, peephole=True)
    weights = random_weights(module)
    module.load_state_dict({name: form(a) for name, a in weights.items()})
    for name, a in module.state_dict().items():
        assert_same_bits(np.ascontiguousarray(a), weights[name])


def test_load_state_dict_widens_float16() -> None:
    module = rn.GRU(INPUT, HIDDEN)
    weights = random_weights(module, "float16")
    module.load_state_dict(weights)
    for name, a in module.state_dict().items():
        assert_same_bits(np.ascontiguousarray(a), weights[name].astype(np.float32))


def test_order_of_the_names_does_not_matter() -> None:
    module = rn.GRU(INPUT, HIDDEN)
    weights = random_weights(module)
    module.load_state_dict(dict(reversed(weights.items())))
    assert list(module.state_dict()) == list(weights)


def test_the_module_keeps_its_own_weights() -> None:
    """Neither what was loaded nor what state_dict returned is a way to change them."""
    module = rn.GRU(INPUT, HIDDEN)
    weights = random_weights(module)
    module.load_state_dict(weights)
    x = random_x(4, 2)
    y, _ = module(x)
    for a in weights.values():
        a.fill(7)
    for a in module.state_dict().values():
        if a.flags.writeable:
            a.fill(7)
    assert_same_bits(module(x)[0], y)
    assert not any(np.any(a == 7) for a in module.state_dict().values())


def missing(w: dict[str, Any]) -> str:
    del w["bias_hh_l1"]
    return "bias_hh_l1"


def unexpected(w: dict[str, Any]) -> str:
    w["weight_hr_l0"] = w["weight_hh_l0"]
    return "weight_hr_l0"


def transposed(w: dict[str, Any]) -> str:
    w["weight_ih_l0"] = w["weight_ih_l0"].T
    return "weight_ih_l0"


def too_many_gates(w: dict[str, Any]) -> str:
    w["weight_hh_l1"] = np.concatenate([w["weight_hh_l1"], w["weight_hh_l1"][:HIDDEN]])
    return "weight_hh_l1"


def another_rank(w: dict[str, Any]) -> str:
    w["bias_ih_l0"] = w["bias_ih_l0"][:, None]
    return "bias_ih_l0"


def integers(w: dict[str, Any]) -> str:
    w["bias_hh_l1"] = np.zeros(w["bias_hh_l1"].shape, int)
    return "bias_hh_l1"


def complex_numbers(w: dict[str, Any]) -> str:
    w["weight_hh_l1"] = w["weight_hh_l1"].astype(complex)
    return "weight_hh_l1"


def objects(w: dict[str, Any]) -> str:
    w["weight_hh_l1"] = w["weight_hh_l1"].astype(object)
    return "weight_hh_l1"


@pytest.mark.parametrize("cell", CLASSES)
@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (missing, rn.ShapeError),
        (unexpected, rn.ShapeError),
        (transposed, rn.ShapeError),
        (too_many_gates, rn.ShapeError),
        (another_rank, rn.ShapeError),
        (integers, rn.DTypeError),
        (complex_numbers, rn.DTypeError),
        (objects, rn.DTypeError),
    ],
)
def test_a_state_dict_that_does_not_fit_leaves_the_module_unchanged(
    cell: str, spoil: Callable[[dict[str, Any]], str], error: type[Exception]
) -> None:
    module = CLASSES[cell](INPUT, HIDDEN, num_layers=2)
    weights = random_weights(module)
    module.load_state_dict(weights)
    x = random_x(4, 2)
    y, _ = module(x)
    others: dict[str, Any] = dict(random_weights(module, seed=64))
    name = spoil(others)
    with pytest.raises(error, match=name) as caught:
        module.load_state_dict(others)
    assert "expected" in str(caught.value)
    for key, a in module.state_dict().items():
        assert_same_bits(np.ascontiguousarray(a), weights[key])
    assert_same_bits(module(x)[0], y)
