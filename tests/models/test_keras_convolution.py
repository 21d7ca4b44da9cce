"""Keras's convolutions and what stands around them: models that Keras 3 saves, against Keras."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import keras
import keras_models as km
from conftest import Runner
from keras import layers as known

from rnn_native import formats
from rnn_native.errors import UnsupportedError
from rnn_native.spec import ModelSpec
from rnn_native.spec.layers.conv import Conv

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning"),
]
EXAMPLES = settings(max_examples=15, deadline=None)
RUNNERS = (Runner("reference"), Runner("model"))
ACTIVATIONS = ("linear", "relu", "tanh", "softmax", "gelu", "elu")
B, T, P = 2, 14, 7


def saved_and_read(model: Any, suffix: str) -> ModelSpec:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        return formats.read(path)


def with_numbers(model: Any, seed: int) -> Any:
    """Random weights; variances above 0."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" not in weight.path:
            values = rng.normal(0, 0.5, weight.shape)
            weight.assign((abs(values) + 0.2 if "variance" in weight.path else values).astype("f4"))
    return model


def steps(x: NDArray[Any], time: int | None) -> NDArray[Any]:
    """[batch, ...] of Keras as ours: the time in front, all axes behind the batch as features."""
    if time is None:
        return x.reshape(len(x), -1)
    return np.moveaxis(x, time + 1, 0).reshape(x.shape[time + 1], len(x), -1)


TOO_SMALL = (
    "zero or negative", "Kernel size can't be", "computed output size: 0", "size is too small",
)  # fmt: skip
"""What Keras, and PyTorch below it, say of data that are smaller than a kernel."""


def fitting(call: Any, *arguments: Any) -> Any:
    """What Keras makes of some sizes, where these are no smaller than a kernel."""
    try:
        made = call(*arguments)
    except (ValueError, RuntimeError) as error:
        assume(not any(text in str(error) for text in TOO_SMALL))
        raise
    assume(0 not in made.shape)
    return made


def assert_equal(
    model: Any, x: NDArray[Any], time: int = 0, out: int | None = 0, seed: int = 0
) -> None:
    """``time``, ``out``: which axis of the input and of the output is the time."""
    with_numbers(model, seed)
    expected = fitting(km.run, model, x)
    assume(np.abs(expected).max(initial=0) < 100)
    given_ = np.swapaxes(x, 0, 1) if x.ndim == 2 else steps(x, time)
    for suffix, runner in itertools.product((".keras", ".h5"), RUNNERS):
        y, _ = runner(saved_and_read(model, suffix), given_)
        runner.assert_close(y, steps(expected, out))


def depends_on_steps(model: Any) -> bool:
    """Whether the model is refused since its padding does, and the file does not say how many."""
    try:
        saved_and_read(model, ".keras")
    except UnsupportedError as error:
        if "whose padding depends on how many steps come" not in str(error):
            raise
        return True
    return False


def noise(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@st.composite
def convolutions(draw: st.DrawFn, rank: int, channels: int, within: bool = False) -> Any:
    """A convolution of any kind: ``within``: whose window moves over no time."""
    kind = draw(st.sampled_from(["Conv", "Conv", "DepthwiseConv", "SeparableConv"]))
    size = [draw(st.integers(1, 3)) for _ in range(rank)]
    options: dict[str, Any] = {"kernel_size": tuple(size), "use_bias": draw(st.booleans())}
    options["activation"] = draw(st.sampled_from(ACTIVATIONS))
    options["padding"] = draw(st.sampled_from(
        ["valid", "same"] if rank == 2 or kind != "Conv" else ["valid", "same", "causal"]
    ))  # fmt: skip
    if draw(st.booleans()):
        options["strides"] = draw(st.integers(1, 3))
    elif draw(st.booleans()):
        options["dilation_rate"] = draw(st.integers(1, 2))
    if kind == "Conv":
        groups = draw(st.sampled_from([n for n in (1, 2, channels) if channels % n == 0]))
        options |= {"groups": groups, "filters": groups * draw(st.integers(1, 3))}
    elif kind == "SeparableConv":
        options |= {"filters": draw(st.integers(1, 4)), "depth_multiplier": draw(st.integers(1, 2))}
    else:
        options["depth_multiplier"] = draw(st.integers(1, 2))
    return getattr(known, f"{kind}{rank}D")(**options)


def pools(rank: int) -> list[Any]:
    """Without a mean that has an uneven number of steps of padding: Keras's PyTorch backend repeats
    the last step there, others leave the padding out."""
    both = [
        (known.MaxPooling1D, known.AveragePooling1D),
        (known.MaxPooling2D, known.AveragePooling2D),
    ]
    most, mean = both[rank - 1]
    return [
        most(2), most(3, strides=1, padding="same"), most(2, strides=2, padding="same"),
        mean(2), mean(3, strides=1, padding="same"),
    ]  # fmt: skip


@st.composite
def around(draw: st.DrawFn, rank: int) -> list[Any]:
    """What may stand behind a convolution."""
    axes = list(range(1, rank + 1))
    return draw(st.lists(st.sampled_from([  # type: ignore[no-any-return]
        known.BatchNormalization(), known.ReLU(), known.LeakyReLU(), known.PReLU(shared_axes=axes),
        known.ELU(), known.Activation("tanh"), known.Dropout(0.5), known.GaussianNoise(1.0),
        known.Dense(3, "relu"), known.ActivityRegularization(0.1),
        *pools(rank),
    ]), max_size=2, unique_by=type))  # fmt: skip


@EXAMPLES
@given(data=st.data(), free=st.booleans(), seed=st.integers(0, 99))
def test_over_the_time(data: Any, free: bool, seed: int) -> None:
    """Conv1D and its kin, pools and a recurrent layer behind them."""
    start = end = keras.Input((None if free else T, 4))
    for _ in range(data.draw(st.integers(1, 2))):
        if data.draw(st.integers(0, 3)) == 0:
            end = known.ZeroPadding1D(data.draw(st.sampled_from([1, (0, 1), (1, 0)])))(end)
            end = fitting(known.Conv1D(3, 3), end)
        else:
            end = fitting(data.draw(convolutions(1, end.shape[-1])), end)
        for layer in data.draw(around(1)):
            end = fitting(layer, end)
    sequences = data.draw(st.booleans())
    end = known.GRU(3, return_sequences=sequences)(end)
    model = keras.Model(start, end)
    if not (free and depends_on_steps(model)):
        assert_equal(model, noise(B, T, 4, seed=seed), 0, 0 if sequences else None, seed)


@EXAMPLES
@given(
    data=st.data(), way=st.sampled_from(["free", "fixed", "second", "third"]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_over_the_time_and_positions(data: Any, way: str, seed: int) -> None:
    """Conv2D and its kin: with the time as the first axis, or as the second one, which a Permute
    puts in front."""
    sizes = {"free": (None, P), "fixed": (T, P), "second": (P, None), "third": (P, T)}[way]
    time = int(way in ("second", "third"))
    start = end = keras.Input((*sizes, 2))
    for _ in range(data.draw(st.integers(1, 2))):
        if data.draw(st.integers(0, 3)) == 0:
            end = known.ZeroPadding2D(((1, 0), (0, 1)))(end)
            end = fitting(known.Conv2D(3, (3, 2), activation="relu"), end)
        else:
            end = fitting(data.draw(convolutions(2, end.shape[-1])), end)
        for layer in data.draw(around(2)):
            end = fitting(layer, end)
    either = None not in sizes and tuple(end.shape[1:3]) == (1, 1)  # a step of a position
    if time:
        end = known.Permute((2, 1, 3))(end)
    if data.draw(st.booleans()):
        end = known.TimeDistributed(known.Flatten())(end)
    else:
        end = known.Reshape((-1, end.shape[2] * end.shape[3]))(end)
    model = keras.Model(start, known.GRU(3, return_sequences=True)(end))
    shape = (B, P, T, 2) if time else (B, T, P, 2)
    if either:
        with pytest.raises(UnsupportedError, match="nothing says which axis is the time"):
            assert_equal(model, noise(*shape, seed=seed), time, 0, seed)
    elif not (None in sizes and depends_on_steps(model)):
        assert_equal(model, noise(*shape, seed=seed), time, 0, seed)


@EXAMPLES
@given(data=st.data(), seed=st.integers(0, 99))
def test_inside_a_step(data: Any, seed: int) -> None:
    """TimeDistributed layers, one by one or in a Sequential."""
    start = keras.Input((None, P, 4))
    end = keras.Input((P, 4))
    layers: list[Any] = []

    def then(layer: Any) -> None:
        nonlocal end
        layers.append(layer)
        end = fitting(layer, end)

    if data.draw(st.booleans()):
        then(known.Permute((2, 1)))
    for _ in range(data.draw(st.integers(1, 2))):
        then(data.draw(convolutions(1, end.shape[-1])))
        for layer in data.draw(around(1)):
            then(layer)
    if data.draw(st.booleans()):
        then(known.UpSampling1D(2))
    if data.draw(st.booleans()) and end.shape[1] > 2:
        then(known.Cropping1D((1, 1)))
    then(known.Flatten())
    if data.draw(st.booleans()):
        then(known.Dense(4))
        then(known.RepeatVector(3))
        then(known.Conv1D(2, 2))
        then(known.Reshape((4,)))
    made = start
    if data.draw(st.booleans()):
        made = known.TimeDistributed(keras.Sequential([keras.Input((P, 4)), *layers]))(made)
    else:
        for layer in layers:
            made = known.TimeDistributed(layer)(made)
    model = keras.Model(start, known.LSTM(3)(made))
    assert_equal(model, noise(B, 5, P, 4, seed=seed), 0, None, seed)


@pytest.mark.parametrize("join", ["Add", "Average", "Multiply", "Subtract"])
@pytest.mark.parametrize("sizes", [((P, 3), (P, 3)), ((P, 3), (1, 3)), ((P, 3), (P, 1))], ids=str)
def test_values_with_positions_are_joined(join: str, sizes: Any) -> None:
    start = keras.Input((None, P, 4))
    values = [
        known.Conv2D(channels, (2, 1 if positions == P else P), padding="valid")(start)
        for positions, channels in sizes
    ]
    end = known.TimeDistributed(known.Flatten())(getattr(known, join)()(values))
    assert_equal(keras.Model(start, end), noise(B, T, P, 4))


@pytest.mark.parametrize("axis", [-1, 2, 3])
def test_values_with_positions_side_by_side(axis: int) -> None:
    start = keras.Input((None, P, 4))
    values = [
        known.Conv2D(5 if axis == 2 else 2 + n, (2, 1 + (n if axis == 2 else 0)))(start)
        for n in range(3)
    ]
    end = known.Concatenate(axis=axis)(values)
    assert_equal(keras.Model(start, known.Conv2D(2, (1, 2))(end)), noise(B, T, P, 4))


def test_a_convolution_behind_steps_that_were_turned_round() -> None:
    """With halves that are exchanged, and its padding on the other side."""
    start = end = keras.Input((None, 4))
    end = known.LSTM(3, go_backwards=True, return_sequences=True)(end)
    end = known.Bidirectional(known.GRU(2, return_sequences=True))(end)
    end = known.Conv1D(4, 3, padding="causal", dilation_rate=2)(end)
    end = known.LSTM(3)(end)
    assert_equal(keras.Model(start, end), noise(B, T, 4), 0, None)


def test_a_batch_normalization_is_part_of_the_convolution_before() -> None:
    model = keras.Sequential([
        keras.Input((None, P, 2)), known.Conv2D(3, (2, 2)), known.BatchNormalization(),
        known.ReLU(), known.TimeDistributed(known.Flatten()), known.GRU(2),
    ])  # fmt: skip
    spec = saved_and_read(with_numbers(model, 3), ".keras")
    assert [type(layer).__name__ for layer in spec.layers] == ["Conv", "Recurrent"]
    conv = spec.layers[0]
    assert isinstance(conv, Conv)
    assert conv.activation == "relu"


def test_one_that_others_read_keeps_its_numbers() -> None:
    start = keras.Input((None, P, 2))
    conv = known.Conv2D(3, (2, 2))(start)
    end = known.Add()([conv, known.BatchNormalization()(conv)])
    assert_equal(keras.Model(start, end), noise(B, T, P, 2))


def test_cutting_what_a_convolution_padded() -> None:
    start = keras.Input((None, 4))
    end = known.Conv1D(3, 5, padding="same", activation="relu")(start)
    end = known.GRU(2, return_sequences=True)(known.Cropping1D((1, 2))(end))
    assert_equal(keras.Model(start, end), noise(B, T, 4))


@pytest.mark.parametrize("sides", [(2, 0), (0, 1), (1, 3), (0, 0)], ids=str)
def test_padding_that_no_convolution_reads(sides: tuple[int, int]) -> None:
    start = keras.Input((None, P, 4))
    padded = known.ZeroPadding2D((sides, sides[::-1]))(start)
    both = [known.AveragePooling2D((3, 3), strides=1)(padded), known.Conv2D(4, 3)(padded)]
    end = known.Add()(both)
    assert_equal(keras.Model(start, end), noise(B, T, P, 4))
    start = keras.Input((None, 4))
    end = known.GRU(2, return_sequences=True)(known.ZeroPadding1D(sides)(start))
    assert_equal(keras.Model(start, end), noise(B, T, 4))
    turned = known.GRU(2, return_sequences=True, go_backwards=True)(start)
    end = known.GRU(2)(known.ZeroPadding1D(sides)(turned))
    assert_equal(keras.Model(start, end), noise(B, T, 4), 0, None)
    start = keras.Input((None, P, 4))
    end = known.TimeDistributed(known.Permute((2, 1)))(start)
    end = known.TimeDistributed(known.ZeroPadding1D(sides))(end)
    assert_equal(keras.Model(start, end), noise(B, T, P, 4))


@pytest.mark.parametrize("layer", ["Conv1D", "DepthwiseConv1D", "MaxPooling1D", "Conv1DTranspose"])
def test_padding_wider_than_a_window(layer: str) -> None:
    start = keras.Input((None, 4))
    make = getattr(known, layer)
    end = make(2) if "Pool" in layer or "Depth" in layer else make(3, 2, strides=2)
    assert_equal(keras.Model(start, end(known.ZeroPadding1D((4, 3))(start))), noise(B, T, 4))


@pytest.mark.parametrize("first", ["Embedding", "Masking"])
def test_a_mask_ends_where_keras_drops_it(first: str) -> None:
    """Behind a convolution all steps are read, those that were masked as well."""
    if first == "Embedding":
        start = keras.Input((T,))
        x: NDArray[Any] = np.random.default_rng(0).integers(0, 3, (B, T))
        end = known.Embedding(5, 4, mask_zero=True)(start)
    else:
        start = keras.Input((T, 4))
        x = noise(B, T, 4)
        x[0, 7:] = 0
        end = known.Masking(0.0)(start)
    end = known.LSTM(3)(known.Conv1D(4, 3, activation="relu")(end))
    model = keras.Model(start, end)
    assert saved_and_read(model, ".keras").mask_value is None
    assert_equal(model, x, 0, None)


def conv2d(x: Any) -> Any:
    return known.Conv2D(3, 3, padding="same")(x)


REFUSED: dict[str, tuple[tuple[int | None, ...], Any, str]] = {
    "no time": ((T, P, 2), conv2d, "nothing says which axis is the time"),
    "a flattened time": (
        (T, 2), lambda x: known.Flatten()(known.Conv1D(3, 3)(x)),
        r"\(Flatten\): \[batch, 12, 3\] .*which is the time",
    ),
    "steps of features": (
        (T, 4), lambda x: known.GRU(2)(known.Reshape((T * 2, 2))(x)), "which is the time",
    ),
    "steps of one output": (
        (None, 4), lambda x: known.GRU(2)(known.RepeatVector(3)(known.GRU(2)(x))),
        r"\(GRU\): its input \[batch, 3, 2\]: .*nor of one output",
    ),
    "a mask that was read": (
        (None, 2),
        lambda x: known.Conv1D(2, 2)(known.GRU(2, return_sequences=True)(known.Masking()(x))),
        r"\(Conv1D\): in a model that masks steps",
    ),
    "a mask of another number": (
        (None, 2), lambda x: known.Conv1D(2, 2)(known.Masking(2.0)(x)),
        r"\(Conv1D\): in a model that masks steps",
    ),
    "channels first": (
        (None, 2), lambda x: known.MaxPooling1D(2, data_format="channels_first")(x),
        r"data_format='channels_first': expected 'channels_last'",
    ),
    "a slope of each step": (
        (T, 2), lambda x: known.PReLU()(known.Conv1D(2, 2)(x)), r"expected shared_axes=\[1\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_by_name(name: str, suffix: str) -> None:
    shape, make, message = REFUSED[name]
    start = keras.Input(shape)
    with pytest.raises(UnsupportedError, match=message):
        saved_and_read(keras.Model(start, make(start)), suffix)


def test_a_mask_that_was_read_before_the_time_ends_is_kept() -> None:
    """What is behind the last output has no steps, and no mask to lose."""
    start = keras.Input((T, 4))
    x = noise(B, T, 4)
    x[0, 7:] = 0
    end = known.Reshape((3, 2))(known.GRU(6)(known.Masking(0.0)(start)))
    model = keras.Model(start, known.Flatten()(known.Conv1D(2, 2)(end)))
    assert saved_and_read(model, ".keras").mask_value == 0
    assert_equal(model, x, 0, None)


@pytest.mark.parametrize("kind", ["GlobalMaxPooling1D", "GlobalAveragePooling1D"])
def test_one_step_of_all_behind_a_convolution(kind: str) -> None:
    start = keras.Input((None, 4))
    end = known.Conv1D(3, 3, activation="relu")(start)
    end = known.Dense(2, "softmax")(getattr(known, kind)()(known.LayerNormalization()(end)))
    assert_equal(keras.Model(start, end), noise(B, T, 4), 0, None)
