"""Keras's convolutions out of files: their options and arrays, against sums in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_equations as ke
import keras_files as kf
import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import FormatError, UnsupportedError
from rnn_native.spec import ModelSpec

Array = NDArray[np.float64]
RNG = np.random.default_rng(5)
X = RNG.normal(0, 1, (2, 9, 4))  # [batch, time, channels]
PICTURES = RNG.normal(0, 1, (2, 9, 5, 4))  # [batch, time, positions, channels]


def arrays(*shapes: Any, names: Any = ("kernel", "bias")) -> dict[str, NDArray[Any]]:
    return {
        name: RNG.normal(0, 0.5, shape).astype("f4")
        for name, shape in zip(names, shapes, strict=True)
    }


def conv(
    x: Array, weights: Any, strides: Any = 1, padding: str = "valid", dilations: Any = 1,
    groups: int = 1,
) -> Array:  # fmt: skip
    """A convolution as Keras describes it, [batch, ..., channels]: a loop over all places."""
    kernel, *bias = (array.astype(float) for array in weights.values())
    rank = kernel.ndim - 2
    strides, dilations = (np.broadcast_to(one, rank) for one in (strides, dilations))
    reach = [(n - 1) * d for n, d in zip(kernel.shape, dilations, strict=False)]
    pads = []
    for axis, (r, s) in enumerate(zip(reach, strides, strict=True)):
        size = x.shape[axis + 1]
        total = max(0, (-(-size // s) - 1) * s + r + 1 - size) if padding == "same" else 0
        pads.append((r, 0) if padding == "causal" else (total // 2, total - total // 2))
    x = np.pad(x, [(0, 0), *pads, (0, 0)])
    made = [(n - r - 1) // s + 1 for n, r, s in zip(x.shape[1:], reach, strides, strict=False)]
    out, per_group = kernel.shape[-1], kernel.shape[-2]
    y = np.zeros((len(x), *made, out))
    for place in np.ndindex(*made):
        for tap in np.ndindex(*kernel.shape[:rank]):
            at = [p * s + t * d for p, s, t, d in zip(place, strides, tap, dilations, strict=True)]
            read = x[(slice(None), *at)]
            for one in range(out):
                first = one // (out // groups) * per_group
                y[(slice(None), *place, one)] += (
                    read[:, first : first + per_group] @ kernel[(*tap, slice(None), one)]
                )
    return y + bias[0] if bias else y


def read(folder: Path, layers: Any, weights: Any, **options: Any) -> ModelSpec:
    config = kf.sequential(*layers)
    return formats.read(kf.write_h5(folder / "model.h5", config, weights), **options)


def run(spec: ModelSpec, x: Array) -> Array:
    """Batch first; the axes inside a step as features, in and out."""
    steps = np.swapaxes(x, 0, 1).reshape(x.shape[1], len(x), -1)
    y, _ = rn.reference.run(spec, steps)
    return np.swapaxes(y, 0, 1) if y.ndim == 3 else y


def of_steps(shape: Any = (None, None, 4)) -> Any:
    return {"batch_input_shape": list(shape)}


def assert_same(got: Array, want: Array, steps: int = 2) -> None:
    """Both are sums in float64, of at most a few dozen terms near 1."""
    want = want.reshape(*want.shape[:steps], -1)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-13 * max(1, np.abs(want).max()))


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize("strides", [1, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_conv1d_over_the_time(padding: str, strides: int, groups: int, tmp_path: Path) -> None:
    weights = arrays((3, 4 // groups, 6), (6,))
    options = {"padding": padding, "strides": [strides], "groups": groups}
    layer = kf.layer("Conv1D", "c", filters=6, kernel_size=[3], **options, **of_steps((None, 9, 4)))
    got = run(read(tmp_path, [layer], {"c": weights}), X)
    assert_same(got, conv(X, weights, strides, padding, groups=groups))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_conv2d_over_time_and_positions(padding: str, strides: Any, tmp_path: Path) -> None:
    weights = arrays((3, 2, 4, 6), (6,))
    layers = [
        kf.layer(
            "Conv2D", "c", filters=6, kernel_size=[3, 2], padding=padding, strides=list(strides),
            **of_steps((None, 9, 5, 4)),
        ),
        kf.layer("TimeDistributed", "f", layer=kf.layer("Flatten", "g")),
        kf.recurrent("GRU", "r", 2),
    ]  # fmt: skip
    y = conv(PICTURES, weights, strides, padding)
    gru = kf.lstm(y.shape[2] * 6, 2, 1, 3)
    want = ke.gru(y.reshape(2, y.shape[1], -1), list(gru.values()), reset_after=False)
    got = run(read(tmp_path, layers, {"c": weights, "r": gru}), PICTURES)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def test_the_channels_each_by_itself_under_the_names_of_keras_2(tmp_path: Path) -> None:
    weights = arrays((3, 2, 4, 2), (8,), names=("depthwise_kernel", "bias"))
    layer = kf.layer("DepthwiseConv2D", "c", kernel_size=[3, 2], depth_multiplier=2,
                     **of_steps((None, None, 5, 4)))  # fmt: skip
    got = run(read(tmp_path, [layer], {"c": weights}), PICTURES)
    kernel = {"kernel": weights["depthwise_kernel"].reshape(3, 2, 1, 8), "bias": weights["bias"]}
    assert_same(got, conv(PICTURES, kernel, groups=4))


def test_a_separable_one_is_two(tmp_path: Path) -> None:
    names = ("depthwise_kernel", "pointwise_kernel", "bias")
    weights = arrays((3, 4, 2), (1, 8, 5), (5,), names=names)
    layer = kf.layer("SeparableConv1D", "c", filters=5, kernel_size=[3], dilation_rate=[2],
                     activation="tanh", **of_steps())  # fmt: skip
    y = conv(X, {"kernel": weights[names[0]].reshape(3, 1, 8)}, dilations=2, groups=4)
    y = conv(y, {"kernel": weights[names[1]], "bias": weights["bias"]})
    assert_same(run(read(tmp_path, [layer], {"c": weights}), X), np.tanh(y))


FUNCTION = {"class_name": "function", "module": "builtins", "config": "relu"}
LEAKY = {"class_name": "LeakyReLU", "config": {"name": "x", "alpha": 0.25}}
ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "a name": ("relu", lambda y: np.maximum(y, 0)),
    "a function": (FUNCTION, lambda y: np.maximum(y, 0)),
    "a layer": (LEAKY, lambda y: np.where(y < 0, 0.25 * y, y)),
    "of all channels": ("softmax", ke.softmax),
}


@pytest.mark.parametrize("form", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["Conv1D", "Dense"])
def test_activations_by_name_function_or_layer(kind: str, form: str, tmp_path: Path) -> None:
    activation, function = ACTIVATIONS[form]
    weights = arrays((1, 4, 3), (3,)) if kind == "Conv1D" else arrays((4, 3), (3,))
    own = {"filters": 3, "kernel_size": 1} if kind == "Conv1D" else {"units": 3}
    layer = kf.layer(kind, "c", activation=activation, **own, **of_steps())
    want = function(
        conv(X, {"kernel": weights["kernel"].reshape(1, 4, 3), "bias": weights["bias"]})
    )
    np.testing.assert_allclose(
        run(read(tmp_path, [layer], {"c": weights}), X), want, rtol=0, atol=1e-12
    )


def test_a_softmax_of_a_step_in_another_form_is_not_that_of_the_layer(tmp_path: Path) -> None:
    layers = [
        kf.layer("Dense", "d", units=6, **of_steps()),
        kf.layer("Reshape", "v", target_shape=[-1, 3, 2]),
        kf.layer("Softmax", "s"),
    ]
    spec = read(tmp_path, layers, {"d": kf.dense(4, 6)})
    assert [repr(layer) for layer in spec.layers[1:]] == ["Softmax(groups=3, log=False)"]


def test_dropout_that_always_acts_is_told(tmp_path: Path) -> None:
    """As a functional model writes it down."""
    drop = kf.layer("Dropout", "d", "x", rate=0.5)
    drop["inbound_nodes"] = [[["x", 0, 0, {"training": True}]]]
    layers = [kf.start("x"), drop, kf.recurrent("LSTM", "a", 2, "d")]
    path = kf.write_h5(tmp_path / "m.h5", kf.functional(layers, ["x"], ["a"]), {"a": kf.lstm(3, 2)})
    with pytest.warns(UserWarning, match=r"'d' \(Dropout\): called with training=True"):
        spec = formats.read(path)
    assert len(spec.layers) == 1


def test_layers_in_a_list_as_keras_wrote_them_before_2_2_3(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": [kf.recurrent("LSTM", "a", 2)]}
    path = kf.write_h5(tmp_path / "m.h5", config, {"a": kf.lstm(4, 2)}, "2.0.5")
    assert formats.read(path).input_size == 4


def test_a_part_begins_with_the_axes_of_the_input(tmp_path: Path) -> None:
    layers = [
        kf.layer("Conv2D", "c", filters=6, kernel_size=[3, 2], **of_steps((None, None, 5, 4))),
        kf.layer("Lambda", "l"),
    ]
    weights = arrays((3, 2, 4, 6), (6,))
    for options in ({"node": "c"}, {"between": ("c", "c")}):
        spec = read(tmp_path, layers, {"c": weights}, **options)
        assert_same(run(spec, PICTURES), conv(PICTURES, weights))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": [2]}, r"kernel: expected shape \(2, in, out\), got \(3, 4, 6\)"),
        ({"filters": 5}, r"filters=5, but its kernel is \(3, 4, 6\)"),
        ({"strides": [0]}, "strides: expected an integer from 1 on, got"),
        ({"strides": [1, 1]}, "strides: expected an integer from 1 on, got"),
        ({"batch_input_shape": [None, "x", 4]}, "its shape: expected integers"),
    ],
)
def test_files_that_contradict_themselves(options: Any, message: str, tmp_path: Path) -> None:
    own = {"filters": 6, "kernel_size": [3]} | of_steps() | options
    with pytest.raises(FormatError, match=message):
        read(tmp_path, [kf.layer("Conv1D", "c", **own)], {"c": arrays((3, 4, 6), (6,))})


def test_steps_that_no_memory_holds_are_refused(tmp_path: Path) -> None:
    """A number of each channel would become one of each position, and a file can claim any."""
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    layer = kf.layer("BatchNormalization", "n", axis=-1, **of_steps((None, None, 10**8, 4)))
    numbers = {name: np.ones(4, "f4") for name in names}
    with pytest.raises(UnsupportedError, match="steps of 400000000 features; at most"):
        read(tmp_path, [layer], {"n": numbers})
