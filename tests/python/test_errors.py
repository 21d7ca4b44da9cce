"""Every argument that does not fit is refused: the right error, which says what was expected and
what came, before anything is computed or written.

After each refusal the model (and its stream) is used again and gives the bits it gave before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import AnyArray, arrays_of, assert_same_bits, assert_same_state

import rnn_native as rn
from rnn_native.spec import Linear, ModelSpec, Recurrent

TIME, BATCH, INPUT, HIDDEN = 4, 3, 5, 6


@contextmanager
def refusal(error: type[Exception] | tuple[type[Exception], ...], *words: object) -> Iterator[None]:
    """``error``, whose message has "expected", "got" and each of ``words`` as a word of its own."""
    with pytest.raises(error) as caught:
        yield
    assert isinstance(caught.value, rn.RnnError)
    message = str(caught.value)
    for word in ("expected", "got", *words):
        assert re.search(rf"(?<![\w-]){re.escape(str(word))}(?!\w)", message), (word, message)


class Probe:
    """A model, a valid call of it, and a check that a refused call changed nothing."""

    def __init__(self, cell: str = "lstm", **options: Any) -> None:
        rng = np.random.default_rng(71)
        self.spec = strategies.make_spec(rng, cell, INPUT, HIDDEN, num_layers=2, **options)
        self.model = rn.Model(self.spec)
        self.x = strategies.random_input(self.spec, TIME, BATCH, rng)
        self.state = strategies.random_state(self.spec, BATCH, rng)
        self.given = [a.copy() for a in arrays_of(self.state)]
        self.y, self.final = self.model(self.x, self.state)

    def refuses(self, error: Any, *words: object, **changed: Any) -> None:
        call = {"x": self.x, "state": self.state, "lengths": None} | changed
        with refusal(error, *words):
            self.model(**call)
        for a, b in zip(self.given, arrays_of(self.state), strict=True):
            assert_same_bits(a, b)
        y, final = self.model(self.x, self.state)
        assert_same_bits(y, self.y)
        assert_same_state(final, self.final)


@pytest.fixture(params=["rnn", "gru", "lstm"])
def probe(request: pytest.FixtureRequest) -> Probe:
    return Probe(request.param)


def test_errors_are_also_the_builtins_a_caller_expects() -> None:
    for error, builtin in [
        (rn.ShapeError, ValueError),
        (rn.DTypeError, TypeError),
        (rn.OptionError, ValueError),
        (rn.FormatError, ValueError),
        (rn.UnsupportedError, NotImplementedError),
        (rn.BusyError, RuntimeError),
    ]:
        assert issubclass(error, rn.RnnError)
        assert issubclass(error, builtin)


# x


@pytest.mark.parametrize(
    "shape",
    [
        (),
        (INPUT,),
        (TIME, INPUT),
        (TIME, BATCH, 1, INPUT),
        (TIME, BATCH, INPUT + 1),
        (TIME, BATCH, 0),
    ],
    ids=str,
)
def test_shape_of_x(probe: Probe, shape: tuple[int, ...]) -> None:
    probe.refuses(rn.ShapeError, INPUT, *shape, x=np.zeros(shape, np.float32), state=None)


NOT_FLOATS = [
    np.zeros((TIME, BATCH, INPUT), dtype)
    for dtype in ("int8", "int64", "uint8", "bool", "complex64", "complex128", "object")
] + [np.full((TIME, BATCH, INPUT), "1.0"), np.zeros((TIME, BATCH, INPUT), "datetime64[s]")]


@pytest.mark.parametrize("x", NOT_FLOATS, ids=lambda a: str(a.dtype))
def test_element_type_of_x(probe: Probe, x: AnyArray) -> None:
    words = [x.dtype.name] if x.dtype.kind in "iubcO" else []
    probe.refuses(rn.DTypeError, *words, x=x)


def test_ragged_x(probe: Probe) -> None:
    with pytest.raises((rn.ShapeError, rn.DTypeError), match="expected"):
        probe.model([[[0.0] * INPUT], [[0.0] * (INPUT + 1)]])


def test_none_as_x(probe: Probe) -> None:
    with pytest.raises((rn.ShapeError, rn.DTypeError), match="expected"):
        probe.model(None)


@pytest.mark.parametrize(
    "bad", [-1, 11, 2**31, 2**40, -(2**40)], ids=["negative", "one_past", "2^31", "2^40", "-2^40"]
)
def test_index_out_of_range(bad: int) -> None:
    probe = Probe(num_embeddings=11)
    x = probe.x.copy()
    x[1, 2] = bad
    probe.refuses(rn.ShapeError, bad, x=x)
    stream = probe.model.stream()
    with refusal(rn.ShapeError, bad):
        stream.step(np.array([bad]))
    assert_same_state(stream.state, strategies.zero_state(probe.spec, 1))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool", "complex64", "object"])
def test_element_type_of_indices(dtype: str) -> None:
    probe = Probe(num_embeddings=11)
    probe.refuses(rn.DTypeError, dtype, x=np.zeros((TIME, BATCH), dtype))


@pytest.mark.parametrize("shape", [(), (TIME,), (TIME, BATCH, INPUT)], ids=str)
def test_shape_of_indices(shape: tuple[int, ...]) -> None:
    probe = Probe(num_embeddings=11)
    probe.refuses(rn.ShapeError, *shape, x=np.zeros(shape, np.int64), state=None)


def test_shape_of_batch_first_x_is_told_as_the_caller_sees_it() -> None:
    model = rn.Model(Probe().spec, batch_first=True)
    with refusal(rn.ShapeError, INPUT, 8):
        model(np.zeros((BATCH, TIME, 8), np.float32))


# lengths


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([4, -1, 2], [-1]),
        ([4, 5, 2], [5, 4]),
        ([4, 2**40, 2], [2**40]),
        (np.array([1, 2**63, 1], np.uint64), [2**63]),
        ([4, 3], [3, 2]),
        ([4, 3, 2, 1], [3, 4]),
        ([[4, 3, 2]], [3, 1]),
        (4, [3]),
        ([], [3, 0]),
    ],
    ids=["negative", "past_T", "2^40", "2^63", "few", "many", "rank_2", "scalar", "none"],
)
def test_values_and_count_of_lengths(probe: Probe, lengths: Any, words: list[int]) -> None:
    probe.refuses(rn.ShapeError, *words, lengths=lengths)


@pytest.mark.parametrize(
    "lengths",
    [
        [4.0, 2.0, 1.0],
        [4.0, np.nan, 1.0],
        np.ones(BATCH, bool),
        np.ones(BATCH, complex),
        np.ones(BATCH, object),
        ["4", "2", "1"],
    ],
    ids=["float", "nan", "bool", "complex", "object", "str"],
)
def test_element_type_of_lengths(probe: Probe, lengths: Any) -> None:
    probe.refuses(rn.DTypeError, lengths=lengths)


# state


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("more", [-1, 1])
@pytest.mark.parametrize("which", [0, 1])
def test_shape_of_state(probe: Probe, axis: int, more: int, which: int) -> None:
    arrays = arrays_of(probe.state)
    if which >= len(arrays):
        return
    right = arrays[which].shape
    wrong = tuple(n + more * (k == axis) for k, n in enumerate(right))
    arrays[which] = np.zeros(wrong, np.float32)
    state = tuple(arrays) if len(arrays) > 1 else arrays[0]
    probe.refuses(rn.ShapeError, right[axis], wrong[axis], state=state)


@pytest.mark.parametrize("shape", [(), (HIDDEN,), (BATCH, HIDDEN), (1, 2, BATCH, HIDDEN)], ids=str)
def test_rank_of_state(probe: Probe, shape: tuple[int, ...]) -> None:
    a = np.zeros(shape, np.float32)
    state = (a, a) if isinstance(probe.state, tuple) else a
    probe.refuses(rn.ShapeError, *shape, state=state)


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64", "object"])
def test_element_type_of_state(probe: Probe, dtype: str) -> None:
    arrays = [np.zeros(a.shape, dtype) for a in arrays_of(probe.state)]
    state = tuple(arrays) if len(arrays) > 1 else arrays[0]
    probe.refuses(rn.DTypeError, dtype, state=state)


def test_second_array_of_the_state_is_checked_before_the_first_is_used() -> None:
    probe = Probe("lstm")
    h, c = probe.state
    probe.refuses(rn.DTypeError, state=(h, c.astype(int)))
    probe.refuses(rn.ShapeError, state=(h, c[:1]))


def test_number_of_arrays_of_an_lstm_state() -> None:
    probe = Probe("lstm")
    h, c = probe.state
    for state in (h, (h,), (h, c, c), ()):
        probe.refuses(rn.ShapeError, 2, state=state)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_number_of_arrays_of_a_state_of_one(cell: str) -> None:
    probe = Probe(cell)
    for state in ((probe.state, probe.state), (probe.state,), ()):
        probe.refuses(rn.ShapeError, state=state)


def test_number_of_states_of_several_layers() -> None:
    probe = Probe("gru", num_recurrents=2)
    first, second = probe.state
    for state in ((first,), (first, second, second), first, ()):
        probe.refuses(rn.ShapeError, 2, state=state)


def test_state_of_a_model_that_has_none() -> None:
    rng = np.random.default_rng(72)
    model = rn.Model(ModelSpec((strategies.make_linear(rng, INPUT, 2),)))
    x = np.zeros((TIME, BATCH, INPUT), np.float32)
    assert model(x, ())[1] == ()
    with pytest.raises(rn.ShapeError, match="expected"):
        model(x, (np.zeros((1, BATCH, 2), np.float32),))


# streams


@pytest.mark.parametrize(
    "shape", [(), (INPUT,), (2, INPUT + 1), (3, INPUT), (1, 2, INPUT)], ids=str
)
def test_shape_of_a_step(probe: Probe, shape: tuple[int, ...]) -> None:
    stream = probe.model.stream(batch=2)
    stream.step(probe.x[0, :2])
    before = stream.state
    with refusal(rn.ShapeError, 2, INPUT, *shape):
        stream.step(np.zeros(shape, np.float32))
    assert_same_state(stream.state, before)


@pytest.mark.parametrize("x", NOT_FLOATS, ids=lambda a: str(a.dtype))
def test_element_type_of_a_step(probe: Probe, x: AnyArray) -> None:
    stream = probe.model.stream(batch=BATCH)
    y_t = stream.step(probe.x[0])
    kept, before = y_t.copy(), stream.state
    with refusal(rn.DTypeError):
        stream.step(x[0])
    assert_same_state(stream.state, before)
    assert_same_bits(y_t, kept)
    expected, _ = probe.model(probe.x[1:2], before)
    np.testing.assert_allclose(stream.step(probe.x[1]), expected[0], atol=1e-6)  # it goes on


@pytest.mark.parametrize("batch", [0, -1, 1.5, "2", None, True])
def test_batch_of_a_stream(probe: Probe, batch: Any) -> None:
    with refusal((rn.OptionError, rn.ShapeError, rn.DTypeError)):
        probe.model.stream(batch=batch)


# options

BAD_COUNTS = [0, -1, 1.0, 1.5, "2", True, [1]]


@pytest.mark.parametrize("num_threads", BAD_COUNTS)
def test_num_threads(probe: Probe, num_threads: Any) -> None:
    with refusal(rn.OptionError):
        rn.Model(probe.spec, num_threads=num_threads)
    with refusal(rn.OptionError):
        rn.GRU(2, 3)(np.zeros((1, 1, 2), np.float32), num_threads=num_threads)
    before = rn.get_num_threads()
    with refusal(rn.OptionError):
        rn.set_num_threads(num_threads)
    assert rn.get_num_threads() == before


@pytest.mark.parametrize(
    ("option", "bad", "allowed"),
    [
        ("dtype", "float16", ["float32", "float64"]),
        ("dtype", "int32", ["float32", "float64"]),
        ("dtype", "double-ish", ["float32", "float64"]),
        ("matmul", "mkl", ["auto", "packed", "blas"]),
        ("matmul", "", ["auto", "packed", "blas"]),
        ("batch_first", "yes", []),
        ("batch_first", 1, []),
    ],
)
def test_options_of_a_model(probe: Probe, option: str, bad: Any, allowed: list[str]) -> None:
    with refusal(rn.OptionError, *allowed, *([bad] if bad else [])):
        rn.Model(probe.spec, **{option: bad})


def test_a_model_of_something_else_than_a_spec() -> None:
    with refusal((rn.DTypeError, rn.OptionError), "ModelSpec", "dict"):
        rn.Model({})


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (rn.RNN, {"nonlinearity": "gelu"}, ["tanh", "relu", "sigmoid"]),
        (rn.RNN, {"nonlinearity": "softmax"}, ["tanh", "relu", "sigmoid"]),
        (rn.LSTM, {"input_size": 0}, [0]),
        (rn.LSTM, {"hidden_size": 0}, [0]),
        (rn.GRU, {"hidden_size": -3}, [-3]),
        (rn.GRU, {"hidden_size": 3.0}, []),
        (rn.GRU, {"num_layers": 0}, [0]),
        (rn.LSTM, {"proj_size": 3}, [3]),
        (rn.LSTM, {"proj_size": -1}, []),
        (rn.LSTM, {"peephole": "yes"}, []),
        (rn.LSTM, {"bias": 1}, []),
        (rn.GRU, {"reset_after": None}, []),
        (rn.GRU, {"bidirectional": "reverse"}, []),
        (rn.GRU, {"batch_first": 0}, []),
        (rn.GRU, {"dtype": "float16"}, ["float32", "float64"]),
        (rn.GRU, {"dtype": "double-ish"}, ["float32", "float64"]),
    ],
    ids=str,
)
def test_options_of_a_module(
    kind: Callable[..., Any], options: dict[str, Any], words: list[object]
) -> None:
    with refusal(rn.OptionError, *words):
        kind(**({"input_size": 2, "hidden_size": 3} | options))


@pytest.mark.parametrize(
    ("option", "bad", "allowed"),
    [
        ("cell", "transformer", ["rnn", "gru", "lstm"]),
        ("nonlinearity", "gelu", ["tanh", "relu", "sigmoid"]),
        ("output_layer", -1, [0, -1]),
        ("output_nonlinearity", "gelu", ["softmax", "identity"]),
        ("direction", "both", ["forward", "reverse", "bidirectional"]),
    ],
)
def test_options_of_a_recurrent_layer(option: str, bad: Any, allowed: list[Any]) -> None:
    arguments = {"cell": "rnn", "input_size": 2, "hidden_size": 3, "weights": {}, option: bad}
    with refusal(rn.OptionError, *allowed):
        Recurrent(**arguments)


def test_activation_of_a_linear_layer() -> None:
    with refusal(rn.OptionError, "softmax", "identity"):
        Linear(np.zeros((2, 3), np.float32), activation="gelu")


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("gates", [1, 2, 3, 4, 5])
def test_number_of_gates(cell: str, gates: int) -> None:
    right = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    if gates == right:
        return
    weights = {
        "weight_ih_l0": np.zeros((gates * 7, 2), np.float32),
        "weight_hh_l0": np.zeros((gates * 7, 7), np.float32),
    }
    with refusal(rn.ShapeError, right * 7, gates * 7):
        Recurrent(cell, 2, 7, weights, bias=False)


def test_unknown_file_format(tmp_path: Any) -> None:
    path = tmp_path / "model.safetensors"
    rn.Model(Probe().spec).save(path)
    with pytest.raises((rn.OptionError, rn.FormatError), match="nonsense"):
        rn.load(path, format="nonsense")
    for option, bad in [("dtype", "int8"), ("matmul", "mkl"), ("num_threads", 0)]:
        with refusal(rn.OptionError):
            rn.load(path, **{option: bad})
