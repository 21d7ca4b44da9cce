"""``chain=``: convolutions, norms and pools of a ``state_dict``, and what PyTorch's own text of a
module says of them. The layers are those that the same options of ours make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from test_formats_chain import assert_same, layers, normal, write

import rnn_native as rn
from rnn_native import cli
from rnn_native.formats.folding import normalized
from rnn_native.spec.layers.conv import Conv

RNG = np.random.default_rng(31)
GRU = strategies.make_recurrent(RNG, "gru", 8, 5)
W1, B1, W2, B2 = normal(8, 6, 3), normal(8), normal(4, 2, 3, 5), normal(4)
WG = normal(8, 2, 3)
PARTS: dict[str, dict[str, Any]] = {
    "conv": {"weight": W1, "bias": B1},
    "grouped": {"weight": WG},
    "picture": {"weight": W2, "bias": B2},
    "bn": {"running_mean": normal(8), "running_var": np.abs(normal(8)), "weight": normal(8),
           "bias": normal(8)},
    "bn4": {"running_mean": normal(4), "running_var": np.abs(normal(4))},
    "norm": {"weight": normal(8), "bias": normal(8)},
    "square": {"weight": normal(2, 4), "bias": normal(2, 4)},
    "up": {"weight": normal(8, 2, 3)},
    "rms": {"weight": normal(8)},
    "slopes": {"weight": normal(4)},
    "gru": dict(GRU.arrays),
    "emb": {"weight": normal(9, 6)},
    "fc": {"weight": normal(3, 8), "bias": normal(3)},
    "fb": {"low_hz_": np.abs(normal(3, 1)) * 100, "band_hz_": normal(3, 1) * 100,
           "window_": np.abs(normal(5)), "n_": -np.abs(normal(1, 5)) - 0.1},
}  # fmt: skip
ARRAYS = {f"{module}.{own}": a for module, arrays in PARTS.items() for own, a in arrays.items()}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("classes") / "net.npz", ARRAYS)


def scale(name: str, epsilon: float = 1e-5) -> rn.Scale:
    own = PARTS[name]
    mean, variance = own["running_mean"], own["running_var"]
    one, zero = np.ones_like(mean), np.zeros_like(mean)
    return rn.Scale.normalizing(
        mean, variance, own.get("weight", one), own.get("bias", zero), epsilon
    )


def test_a_convolution_over_time_has_pytorchs_options(path: Path) -> None:
    assert_same(layers(path, "conv:relu"), [rn.Conv1d(W1, B1, activation="relu")])
    for text in ("Conv1d(stride=2, padding=1)", "Conv1d(6, 8, 3, 2, 1, bias=True)",
                 "Conv1d(6, 8, kernel_size=(3,), stride=(2,), padding=(1,))"):  # fmt: skip
        assert_same(layers(path, f"conv:{text}"), [rn.Conv1d(W1, B1, stride=2, padding=1)])
    assert_same(
        layers(path, "conv", "grouped:Conv1d(groups=4, dilation=2, padding=same):elu"),
        [rn.Conv1d(W1, B1), rn.Conv1d(WG, groups=4, dilation=2, padding="same"),
         rn.Elementwise("elu")],
    )  # fmt: skip


def test_time_is_either_of_the_axes_of_a_picture(path: Path) -> None:
    last = rn.Conv2d(
        W2.swapaxes(2, 3), B2, positions=9, stride=(2, 1), padding=(0, 1), dilation=(1, 3)
    )
    chain = ["Input(2, 9, time)", "picture:Conv2d(stride=(1, 2), padding=(1, 0), dilation=(3, 1))"]
    assert_same(layers(path, *chain), [last])
    first = rn.Conv2d(W2, B2, positions=9, padding=("same", "same"))
    assert_same(layers(path, "Input(2, time, 9)", "picture:Conv2d(padding='same')"), [first])


def test_positions_become_features_channels_before_positions(path: Path) -> None:
    conv = rn.Conv2d(W2, B2, positions=6, padding=(1, 0))
    chain = ["Input(2, time, 6)", "picture:Conv2d(padding=(1, 0))"]
    norm = rn.LayerNorm(8, PARTS["norm"]["weight"], PARTS["norm"]["bias"])
    flat = layers(path, *chain, "Flatten()", "norm:LayerNorm(8)", "gru")
    assert_same(flat, [conv, rn.Transpose(2, 4), norm, GRU])
    last = layers(path, *chain, "Flatten(channels_last=True)", "norm:LayerNorm")
    assert_same(last, [conv, norm])
    assert_same(layers(path, *chain, "AdaptiveAvgPool2d((None, 1))")[1:],
                [rn.PoolWithin("average", 2, 4, 2, 2)])  # fmt: skip
    for next_one in ("gru", "fc", "norm:LayerNorm"):
        message = "takes features, and a step has 2 positions .*'Flatten\\(\\)' puts"
        with pytest.raises(rn.ShapeError, match=message):
            layers(path, *chain, next_one)


def test_layers_of_ours_keep_positions_or_order_features_themselves(path: Path) -> None:
    chain = ["Input(2, time, 6)", "picture:Conv2d(padding=(1, 2))"]
    pool = rn.PoolWithin("max", 6, 4, 2)
    assert_same(layers(path, *chain, pool, "Flatten()")[1:], [pool, rn.Transpose(3, 4)])
    with pytest.raises(rn.ShapeError, match="a step has 3 positions of each channel"):
        layers(path, *chain, pool, "gru")
    wide = rn.Strided(24, (8,), (3,))
    assert_same(layers(path, *chain, wide, "gru")[1:], [wide, GRU])
    within = rn.Conv1d(normal(4, 3, 1), positions=2)
    for before in (*chain, wide), (within,):
        with pytest.raises(rn.UnsupportedError, match=r"Flatten.*rn.Transpose.positions"):
            layers(path, *before, "Flatten()")
    assert_same(layers(path, within, "gru"), [within, GRU])


def test_each_step_may_be_a_picture(path: Path) -> None:
    conv = rn.Conv2d(
        W2, B2, positions=(4, 9), stride=(1, 2), padding=((1, 1), (2, 2)), activation="tanh"
    )
    assert (conv.height_made, conv.positions_made) == (4, 5)
    chain = ["Input(time, 2, 4, 9)", "picture:Conv2d(stride=(1, 2), padding=(1, 2)):tanh"]
    own = scale("bn4")
    got = layers(path, *chain, "bn4", "MaxPool2d((2, 3), (2, 1))", "Flatten()")
    assert_same(got[:3], [conv, rn.Scale(np.tile(own.scale, 20), np.tile(own.shift, 20)),
                          rn.PoolWithin("max", 4, 20, 2)])  # fmt: skip
    assert [layer.kind for layer in got[3:]] == ["strided", "pool_within", "strided", "strided"]
    assert got[-1] == rn.Transpose(2 * 3, 4)
    (mirror,) = layers(path, chain[0], "picture:Conv2d(padding=(1, 2), padding_mode=reflect)")
    assert isinstance(mirror, Conv)
    assert mirror.padding_mode == "reflect"


def test_norms_and_slopes_are_of_channels(path: Path) -> None:
    conv = rn.Conv2d(W2, B2, positions=6, padding=(1, 0))
    chain = ["Input(2, time, 6)", "picture:Conv2d(padding=(1, 0)):elu"]
    own = scale("bn4", 0.25)
    assert_same(
        layers(path, *chain, "bn4:BatchNorm2d(4, eps=0.25)", "slopes"),
        [conv, rn.Elementwise("elu"), rn.Scale(np.tile(own.scale, 2), np.tile(own.shift, 2)),
         rn.PReLU(np.tile(PARTS["slopes"]["weight"], 2))],
    )  # fmt: skip
    with pytest.raises(rn.ShapeError, match="module 'bn': is of 8 channels, and 4 come"):
        layers(path, *chain, "bn")
    square, bias = (PARTS["square"][name].reshape(8) for name in ("weight", "bias"))
    for text in ("square:LayerNorm((2, 4), 1e-3)", "square:LayerNorm(eps=0.001)"):
        assert_same(layers(path, "conv", text)[1:], [rn.LayerNorm(8, square, bias, epsilon=1e-3)])
    assert_same(layers(path, "conv", "rms:RMSNorm")[1:],
                [rn.RMSNorm(8, PARTS["rms"]["weight"], float(np.finfo("f4").eps))])  # fmt: skip
    assert_same(layers(path, "conv", "LayerNorm(8)", "RMSNorm(8, eps=1e-6)")[1:],
                [rn.LayerNorm(8), rn.RMSNorm(8, epsilon=1e-6)])  # fmt: skip


def test_a_batch_norm_goes_into_the_convolution_before_it(path: Path) -> None:
    """In float64, and only where nothing is between them."""
    conv = rn.Conv1d(W1, B1)
    (folded,) = layers(path, "conv", "bn")
    assert_same([folded], [normalized(conv, scale("bn"))])
    assert isinstance(folded, Conv)
    x = normal(7, 2, 6)
    two, _ = rn.reference.run(rn.ModelSpec((conv, scale("bn"))), x)
    np.testing.assert_allclose(rn.reference.run(rn.ModelSpec((folded,)), x)[0], two, atol=1e-5)
    assert_same(layers(path, "conv:tanh", "bn")[1:], [scale("bn")])
    want = [rn.Conv1d(W1, B1), rn.MaxPool(2), scale("bn")]
    assert_same(layers(path, "conv", "MaxPool1d(2)", "bn"), want)


def test_pools_are_over_time_and_positions(path: Path) -> None:
    start = ["Input(3, 8, time)"]
    pools = {
        "MaxPool2d(2)": [rn.PoolWithin("max", 8, 3, 2), rn.MaxPool(2)],
        "MaxPool2d((2, 1), (2, 1))": [rn.PoolWithin("max", 8, 3, 2)],
        "MaxPool2d((2, 2), (2, 1), (0, 1))": [rn.PoolWithin("max", 8, 3, 2), rn.MaxPool(2, 1, 1)],
        "AvgPool2d(2, padding=1, count_include_pad=False)": [
            rn.PoolWithin("average", 8, 3, 2, 2, 1, 1, False), rn.AvgPool(2, 2, 1, False)],
        "MaxPool2d(2, ceil_mode=False)": [rn.PoolWithin("max", 8, 3, 2), rn.MaxPool(2)],
        "AdaptiveMaxPool2d((4, None))": [rn.PoolWithin("max", 8, 3, 2, 2)],
        "AdaptiveAvgPool2d(1)": [rn.PoolWithin("average", 8, 3, 8), rn.Reduce("mean")],
        "AdaptiveAvgPool2d((None, 2))": None,
        "MaxPool2d(2, ceil_mode=True)": None, "MaxPool2d(2, dilation=2)": None,
    }  # fmt: skip
    for text, want in pools.items():
        if want is None:
            with pytest.raises(
                rn.UnsupportedError, match=r"chain: '.*': (ceil|windows|the time|expected)"
            ):
                layers(path, *start, text)
            continue
        assert_same(layers(path, *start, text), want)
    assert_same(layers(path, "conv", "AvgPool1d(3, 1, 1)", "AdaptiveMaxPool1d(1)", "fc")[1:3],
                [rn.AvgPool(3, 1, 1), rn.Reduce("max")])  # fmt: skip


def test_inside_a_step_a_convolution_is_over_positions(path: Path) -> None:
    conv = rn.Conv1d(W1, B1, positions=9, stride=2, padding=1, activation="relu")
    chain = ["Input(time, 6, 9)", "conv:Conv1d(stride=2, padding=1, padding_mode=zeros):relu"]
    assert_same(layers(path, *chain, "Flatten(start_dim=1, end_dim=-1)"),
                [conv, rn.Transpose(5, 8)])  # fmt: skip
    mirror = rn.Conv1d(W1, B1, positions=9, padding=1, padding_mode="reflect")
    text = "conv:Conv1d(padding=1, padding_mode=reflect)"
    assert_same(layers(path, "Input(time, 6, 9)", text), [mirror])
    over_time = [rn.Pad(6, 1, 1, "reflect"), rn.Conv1d(W1, B1)]
    assert_same(layers(path, text), over_time)


def test_padding_over_time_is_a_layer(path: Path) -> None:
    """By a module, by a ``padding_mode``, or where it is wider than the kernel; inside a step it is
    a convolution of ones."""
    conv, kernel = rn.Conv1d(W1, B1), W1.shape[2]
    for text, before in (
        ("ReflectionPad1d((2, 1))", rn.Pad(6, 2, 1, "reflect")),
        ("ReplicationPad1d(3)", rn.Pad(6, 3, 3, "replicate")),
        ("CircularPad1d((0, 2))", rn.Pad(6, 0, 2, "circular")),
        ("ConstantPad1d((1, 0), value=0)", rn.Pad(6, 1, 0)),
        ("ZeroPad1d(2)", rn.Pad(6, 2, 2)),
    ):
        assert_same(layers(path, "Input(6, time)", text, "conv"), [before, conv])
    assert_same(layers(path, "Input(6, time)", "ZeroPad1d(0)", "conv"), [conv])
    assert_same(layers(path, f"conv:Conv1d(padding={kernel})"), [rn.Pad(6, kernel, kernel), conv])
    same = rn.Pad(6, (kernel - 1) // 2, kernel // 2, "circular")
    assert_same(layers(path, "conv:Conv1d(padding=same, padding_mode=circular)"), [same, conv])
    picture = ["Input(2, time, 6)", "ReplicationPad2d((1, 2, 3, 0))"]
    ones = rn.Conv1d(
        np.ones((2, 1, 1), np.float32),
        groups=2,
        positions=6,
        padding=(1, 2),
        padding_mode="replicate",
    )
    assert_same(layers(path, *picture)[:2], [rn.Pad(12, 3, 0, "replicate"), ones])
    for text, error, message in (
        ("ReflectionPad1d((1, 2, 3))", rn.OptionError, "padding: expected a number, or 2 of them"),
        ("ReflectionPad1d(-1)", rn.UnsupportedError, "below 0, which cuts"),
        ("ConstantPad1d(1, 0.5)", rn.UnsupportedError, "expected value=0, got 0.5"),
        ("conv:Conv1d(padding=1, padding_mode=mirror)", rn.OptionError,
         "padding_mode: expected one of zeros, reflect, replicate, circular"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            layers(path, "Input(6, time)", text)
    with pytest.raises(rn.OptionError, match="cannot be first; 'Input"):
        layers(path, "ZeroPad1d(2)", "conv")
    with pytest.raises(rn.OptionError, match="expected one of zeros, reflect, replicate"):
        layers(path, "Input(2, time, 6)", "CircularPad2d((1, 0, 0, 0))")


def test_modules_of_one_kind_take_their_class_too(path: Path) -> None:
    assert_same(
        layers(path, "emb:Embedding(9, 6, padding_idx=0)"), [rn.Embedding(ARRAYS["emb.weight"])]
    )
    assert_same(layers(path, "gru:GRU(8, 5, batch_first=True)"), [GRU])
    fc = rn.Linear(PARTS["fc"]["weight"], PARTS["fc"]["bias"], "tanh")
    text = "fc:Linear(in_features=8, out_features=3, bias=True)"
    assert_same(
        layers(path, "gru:tanh", rn.Repeat(5, 2), rn.Slice(10, 0, 8), text, "Tanh()")[4:], [fc]
    )
    assert_same(layers(path, "Dropout(p=0.5)", "conv", "Identity()", "LeakyReLU(0.5)")[1:],
                [rn.Elementwise("leaky_relu", 0.5)])  # fmt: skip


def test_norms_over_time_are_of_channels(path: Path) -> None:
    norm = PARTS["norm"]["weight"], PARTS["norm"]["bias"]
    for text, want in (
        ("norm:InstanceNorm1d(8, eps=0.5)", rn.InstanceNorm(8, *norm, epsilon=0.5)),
        ("norm:GroupNorm(4, 8)", rn.InstanceNorm(8, *norm, groups=4)),
        ("InstanceNorm1d(8, affine=False)", rn.InstanceNorm(8)),
        ("InstanceNorm1d()", rn.InstanceNorm(8)),
        ("bn:InstanceNorm1d(8, affine=True, track_running_stats=True)", None),
    ):
        got = layers(path, "conv:relu", text)
        assert_same(got[1:], [scale("bn") if want is None else want])
    chain = ["Input(2, time, 6)", "picture:Conv2d(padding=(1, 0)):elu", "InstanceNorm2d(4)"]
    assert_same(layers(path, *chain)[2:], [rn.InstanceNorm(8, positions=2)])
    with pytest.raises(rn.UnsupportedError, match="the time is none of its axes"):
        layers(path, "Input(time, 6, 9)", "conv", "norm:GroupNorm(2, 8)")
    of_steps = rn.LayerNorm(8, *norm, groups=2)
    assert_same(layers(path, "Input(time, 8)", "norm:GroupNorm(2, 8)"), [of_steps])
    chain = ["Input(time, 6, 3)", "conv", "Flatten()", "norm:GroupNorm(2, 8)", "fc"]
    assert_same(layers(path, *chain)[1:2], [of_steps])


def test_a_transposed_convolution_is_its_layers(path: Path) -> None:
    own = PARTS["up"]["weight"]
    up = rn.ConvTranspose1d(own, positions=7, stride=2, padding=1, output_padding=1, groups=2)
    chain = ["Input(time, 6, 9)", "conv", "up:ConvTranspose1d(8, 4, 3, 2, 1, 1, 2, bias=False)"]
    assert_same(layers(path, *chain)[1:], list(up))
    assert_same(layers(path, *chain, "Flatten()")[-1:], [rn.Transpose(14, 4)])
    same = rn.ConvTranspose1d(own, padding=1)
    for item in ("up:ConvTranspose1d(padding=1)", same):
        assert_same(layers(path, "conv", item)[1:], list(same))
    with pytest.raises(rn.ShapeError, match="out_channels=2 is said, but its arrays have 4"):
        layers(path, "conv", "up:ConvTranspose1d(8, 2, groups=2)")
    with pytest.raises(rn.ShapeError, match="is of 8 channels, and 6 come"):
        layers(path, "Input(6, time)", "up:ConvTranspose1d")


def test_filters_of_frequencies_are_a_convolution(path: Path) -> None:
    """Band passes: their gain in the middle of the band is that of a windowed sinc."""
    rate, half, width = 1000.0, 60, 80.0
    n = (2 * np.pi * np.arange(-half, 0.0)[None] / rate).astype("f4")
    own = {"low_hz_": np.float32([[100], [200]]), "band_hz_": np.float32([[width], [-width]]),
           "window_": np.hamming(2 * half + 1)[:half].astype("f4"), "n_": n}  # fmt: skip
    file = write(path.with_name("sinc.npz"), {f"fb.{name}": array for name, array in own.items()})
    said = f"stride=4, sample_rate={rate}, min_low_hz=0, min_band_hz=0"
    (conv,) = layers(file, f"fb:ParamSincFB(4, 121, {said})")
    assert isinstance(conv, Conv)
    assert (conv.kernel_time, conv.stride_time, conv.out_channels) == (2 * half + 1, 4, 4)
    t = np.arange(-half, half + 1) / rate
    for row, low in enumerate((100, 200)):
        for offset, wave in ((0, np.cos), (2, np.sin)):
            filter_ = conv.weight[row + offset]
            inside = np.abs(filter_ @ np.exp(2j * np.pi * (low + width / 2) * t))
            outside = np.abs(filter_ @ np.exp(2j * np.pi * (low + 3 * width) * t))
            assert inside > 50 * outside
            symmetric = filter_ if wave is np.cos else -filter_
            np.testing.assert_allclose(symmetric[::-1], filter_, atol=1e-6)
    assert layers(file, f"fb:ParamSincFB({said.replace('stride=4', 'stride=None')})")[0].line[
        "stride_time"] == half  # fmt: skip


@pytest.mark.parametrize(
    ("chain", "error", "message"),
    [
        (["conv:Conv1d(7)"], rn.ShapeError, "in_channels=7 is said, but its arrays have 6"),
        (["conv:Conv1d(kernel_size=5)"], rn.ShapeError, r"kernel_size=\(5,\) .* have \(3,\)"),
        (["conv:Conv1d(bias=False)"], rn.ShapeError, "bias=False, but it has such"),
        (["grouped:Conv1d(bias=True)"], rn.ShapeError, "bias=True, but it has no such"),
        (["conv", "conv"], rn.ShapeError, r"\(8, 6, 3\) .*groups=1 takes 6 channels, and 8 come"),
        (["conv", "grouped"], rn.ShapeError, "takes 2 channels, and 8 come; groups=4 would"),
        (["conv:Conv2d"], rn.ShapeError, r"expected a weight of 4 axes.*got \(8, 6, 3\)"),
        (["picture"], rn.ShapeError, r"expected 2 axes .* are 1, \(time\): 'Input\(1, time, 80"),
        (["Input(2, 3, time)", "conv"], rn.ShapeError, r"expected 1 axes .* are 2, \(3, time\)"),
        (["Input(time, 6)", "conv"], rn.ShapeError, r"expected 1 axes .* there are 0, \(\)"),
        (["Input(2, 2, time)", "picture"], rn.ShapeError, "a kernel over 3 positions, but"),
        (["Input(2, 9)"], rn.OptionError, "one of them 'time', such as"),
        (["Input(2, 0, time)"], rn.OptionError, "expected sizes from 1 to .*, got 0"),
        (["Input(1024, 1024, 1024, time)"], rn.OptionError, "expected at most .* features"),
        (["conv", "Input(8, time)"], rn.OptionError, "can only be first"),
        (["x:Input(8, time)"], rn.OptionError, "'x:Input.* and the like alone"),
        (["Input(8, time)"], rn.OptionError, "expected at least one module or layer"),
        (["conv:Conv1d(strides=2)"], rn.OptionError, "no argument 'strides'; there is 'stride'"),
        (["conv:Conv1d(6, in_channels=6)"], rn.OptionError, "in_channels is said twice"),
        (["conv:Conv1d(stride=0)"], rn.OptionError, "stride: expected a number from 1, or 1 of"),
        (["conv:Conv1d(stride=(1, 2))"], rn.OptionError, r"stride: .* got \(1, 2\)"),
        (["conv:Conv1d(groups=a)"], rn.OptionError, "groups: expected a number from 1, got 'a'"),
        (["conv:Conv1d(padding=-1)"], rn.OptionError, "'conv': padding: expected a number from 0"),
        (["conv:Conv3d()"], rn.OptionError, "no class 'Conv3d'; there is 'Conv"),
        (["conv:Conv1d(x())"], rn.OptionError, "with numbers and words in it; got 'Conv1d"),
        (["conv:Conv1d(**{1: 2})"], rn.OptionError, "with numbers and words in it"),
        (["conv:relu:Conv1d"], rn.OptionError, "Conv1d stands directly behind the name"),
        (["__import__('os')"], rn.OptionError, "expected a class of PyTorch's such as"),
        (["Conv1d(1, 2, 3)"], rn.FormatError, "arrays of Conv1d are weight, and this has no name"),
        (["conv:ReLU"], rn.FormatError, "arrays of ReLU are other ones, and this has weight, bias"),
        (["conv:LSTM"], rn.FormatError, "arrays of LSTM"),
        (["gru:LSTM"], rn.OptionError, "LSTM is said, but its arrays are those of GRU"),
        (["gru:GRU(8, 6)"], rn.ShapeError, "hidden_size=6 is said, but its arrays have 5"),
        (["gru:GRU(num_layers=2)"], rn.ShapeError, "num_layers=2 is said, but its arrays have 1"),
        (["bn:BatchNorm1d(eps=1e-3):eps=0.1"], rn.OptionError, "eps is said behind the class"),
        (["bn:BatchNorm1d(9)"], rn.ShapeError, "num_features=9 is said, but its arrays have 8"),
        (["conv", "norm:LayerNorm(4)"], rn.ShapeError, r"normalized_shape=\(4,\) is said"),
        (["conv", "rms:LayerNorm(bias=True)"], rn.ShapeError, "bias=True, but it has no such"),
        (["conv", "Softmax(dim=1)"], rn.UnsupportedError, "expected dim=-1"),
        (["conv", "Softplus(beta=2)"], rn.UnsupportedError, "no function here"),
        (["conv:softmax"], rn.UnsupportedError, "softmax goes only directly behind a Linear"),
        (["conv", "Flatten(1)"], rn.UnsupportedError, "start_dim=1 takes the time too"),
        (["emb:Embedding(max_norm=1.0)"], rn.UnsupportedError, "max_norm changes the table"),
        (["fb"], rn.UnsupportedError, "ParamSincFB's, as it seems"),
        (["fb:ParamSincFB(8)"], rn.ShapeError, "n_filters=8 is said, but its arrays have 6"),
        (["norm"], rn.UnsupportedError, r"'name:LayerNorm\(eps=1e-05\)' says which"),
        (["x" * 1001], rn.OptionError, "expected at most 1000 characters"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_with_both_numbers(
    path: Path, chain: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        layers(path, *chain)


def test_the_command_line_keeps_commas_in_parentheses(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    texts = ["Input(2, 9, time)", "picture:Conv2d(stride=(1, 2), padding=(1, 0)):relu",
             "MaxPool2d((2, 1), stride=(2, 1))", "AdaptiveAvgPool2d((1, None))"]  # fmt: skip
    assert cli.main(["convert", str(path), str(out), "--chain", ",".join(texts)]) == 0
    assert_same(rn.load(out).spec.layers, layers(path, *texts))
