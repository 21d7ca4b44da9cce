"""Convolutions of PyTorch against themselves, over time, positions and both; weights as PyTorch has
them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from torch import nn

import rnn_native as rn

pytestmark = pytest.mark.oracle

MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate"}


def check(layer: Any, x: Any, want: Any) -> None:
    """Of float64: a sum of so many numbers of about 1, in any order."""
    model = rn.Model([layer], dtype="float64")
    want = want.detach().numpy()
    for y in (model(x)[0], rn.reference.run(model.spec, x)[0]):
        assert y.shape == want.shape
        most = 4 * layer.weight.shape[1] * 2.0**-53 * np.abs(layer.weight).sum(axis=1).max()
        np.testing.assert_allclose(y, want, rtol=0, atol=most * np.abs(x).max(initial=1))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("inputs", "outputs", "groups"), [(3, 19, 1), (6, 4, 2), (5, 5, 5), (3, 6, 3)]
)
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), [
    (1, 1, 0, 1), (3, 1, 1, 1), (3, 2, 0, 2), (4, 3, 3, 1), (5, 1, "same", 2), (4, 1, "same", 1),
    (2, 5, 1, 1),
])  # fmt: skip
def test_conv1d(
    inputs: int, outputs: int, groups: int, kernel: int, stride: int, padding: Any, dilation: int,
    bias: bool,
) -> None:  # fmt: skip
    """Over time, [time, batch, channels] of ours, and over positions inside a step."""
    torch.manual_seed(31)
    module = nn.Conv1d(
        inputs, outputs, kernel, stride, padding, dilation, groups, bias, dtype=torch.float64
    )
    weight, own = module.weight.detach().numpy(), module.bias.detach().numpy() if bias else None
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    over_time = rn.Conv1d(weight, own, **options)
    x = np.random.default_rng(32).standard_normal((17, 2, inputs))
    check(over_time, x, module(torch.tensor(x).permute(1, 2, 0)).permute(2, 0, 1))
    within = rn.Conv1d(weight, own, positions=17, **options)
    x = np.random.default_rng(33).standard_normal((4, 2, 17, inputs))
    want = module(torch.tensor(x).reshape(8, 17, inputs).permute(0, 2, 1)).permute(0, 2, 1)
    check(within, x.reshape(4, 2, -1), want.reshape(4, 2, -1))


@pytest.mark.parametrize("seed", range(120))
def test_conv2d_and_padding(seed: int) -> None:
    """Kernels over steps and positions with every option by chance, as conv2d of a padded image."""
    rng = np.random.default_rng([34, seed])

    def pick(least: int, most: int) -> int:
        return int(rng.integers(least, most + 1))

    groups = pick(1, 3)
    inputs, outputs = groups * pick(1, 3), groups * pick(1, 9)
    kernels, strides, dilations = ((pick(1, 3), pick(1, 4)), (pick(1, 3), pick(1, 2)),
                                   (pick(1, 2), pick(1, 2)))  # fmt: skip
    mode = str(rng.choice(list(MODES)))
    reach = [(k - 1) * d for k, d in zip(kernels, dilations, strict=True)]
    positions = reach[1] + pick(1, 9)
    most = min(4, positions - 1)
    before, after, left, right = pick(0, reach[0]), pick(0, reach[0]), pick(0, most), pick(0, most)
    weight = rng.standard_normal((outputs, inputs // groups, *kernels))
    bias = rng.standard_normal(outputs)
    layer = rn.Conv2d(
        weight, bias, positions=positions, stride=strides, dilation=dilations, groups=groups,
        padding=((before, after), (left, right)),
    )  # fmt: skip
    layer = type(layer).make(layer.arrays, {**layer.options, "padding_mode": mode})
    x = rng.standard_normal((11, 2, positions, inputs))
    image = torch.tensor(x).permute(1, 3, 0, 2)
    image = nn.functional.pad(image, (left, right, 0, 0), mode=MODES[mode])
    image = nn.functional.pad(image, (0, 0, before, after))
    made = nn.functional.conv2d(
        image, torch.tensor(weight), torch.tensor(bias), strides, 0, dilations, groups
    )
    check(layer, x.reshape(11, 2, -1), made.permute(2, 0, 3, 1).flatten(2))


def test_a_causal_convolution_is_one_of_what_has_come() -> None:
    """The recipe of PyTorch's users: padding on the left alone; in a stream, step by step."""
    torch.manual_seed(35)
    module = nn.Conv1d(4, 6, 3, dilation=2)
    weight, bias = (p.detach().numpy() for p in (module.weight, module.bias))
    model = rn.Model([rn.Conv1d(weight, bias, padding="causal", dilation=2, activation="relu")])
    x = np.random.default_rng(36).standard_normal((20, 3, 4)).astype("f4")
    padded = nn.functional.pad(torch.tensor(x).permute(1, 2, 0), (4, 0))
    want = torch.relu(module(padded)).permute(2, 0, 1).detach().numpy()
    stream = model.stream(batch=3)
    y = np.stack([stream.step(one).copy() for one in x])
    np.testing.assert_allclose(y, want, rtol=0, atol=2e-6)  # float32, of sums of 13 of about 1


def test_views_are_those_of_tensors() -> None:
    rng = np.random.default_rng(37)
    x = rng.standard_normal((3, 2, 30))
    for layer in (
        rn.Strided(30, (2, 3, 4), (9, 0, 2), 5),
        rn.Transpose(5, 6),
        rn.Slice(30, 1, 29, 4),
    ):
        rows = torch.tensor(x).reshape(6, 30)
        views = [
            torch.as_strided(r.clone(), layer.sizes, layer.strides, layer.offset) for r in rows
        ]
        want = torch.stack([view.flatten() for view in views]).reshape(3, 2, -1).numpy()
        np.testing.assert_array_equal(rn.Model([layer], dtype="float64")(x)[0], want)


@pytest.mark.parametrize("seed", range(60))
def test_conv_transpose1d_inside_a_step(seed: int) -> None:
    rng = np.random.default_rng([38, seed])
    groups, each, own, kernel, stride, dilation, count = (int(n) for n in rng.integers(1, 5, 7))
    reach = (kernel - 1) * dilation
    padding = int(rng.integers(0, reach // 2 + 1))
    more = int(rng.integers(0, max(stride, dilation)))
    weight = rng.standard_normal((groups * each, own, kernel))
    bias = rng.standard_normal(groups * own)
    x = rng.standard_normal((3, 2, count, groups * each))
    made = nn.functional.conv_transpose1d(
        torch.tensor(x).reshape(6, count, -1).mT, torch.tensor(weight), torch.tensor(bias),
        stride, padding, more, groups, dilation,
    )  # fmt: skip
    layers = rn.ConvTranspose1d(
        weight, bias, positions=count, stride=stride, padding=padding, output_padding=more,
        dilation=dilation, groups=groups,
    )  # fmt: skip
    want = made.mT.reshape(3, 2, -1).numpy()
    model = rn.Model(layers, dtype="float64")
    for y in (model(x.reshape(3, 2, -1))[0], rn.reference.run(model.spec, x.reshape(3, 2, -1))[0]):
        assert y.shape == want.shape
        # a sum of at most 5 * 4 products of about 1, and a bias
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_conv_transpose2d_over_time_and_positions(seed: int) -> None:
    rng = np.random.default_rng([39, seed])

    def pick(least: int, most: int) -> tuple[int, int]:
        first, second = (int(n) for n in rng.integers(least, most + 1, 2))
        return first, second

    groups, (each, own), positions = int(rng.integers(1, 4)), pick(1, 3), int(rng.integers(1, 6))
    kernel, stride, dilation = pick(1, 4), pick(1, 3), pick(1, 2)
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple(int(rng.integers(0, r // 2 + 1)) for r in reach)
    more = tuple(int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True))
    weight = rng.standard_normal((groups * each, own, *kernel))
    bias = rng.standard_normal(groups * own)
    x = rng.standard_normal((6, 2, positions, groups * each))
    made = nn.functional.conv_transpose2d(
        torch.tensor(x).permute(1, 3, 0, 2), torch.tensor(weight), torch.tensor(bias),
        stride, padding, more, groups, dilation,
    )  # fmt: skip
    layers = rn.ConvTranspose2d(
        weight, bias, positions=positions, stride=stride, padding=padding, output_padding=more,
        dilation=dilation, groups=groups,
    )  # fmt: skip
    want = made.permute(2, 0, 3, 1).flatten(2).numpy()
    model, x = rn.Model(layers, dtype="float64"), x.reshape(6, 2, -1)
    for y in (model(x)[0], rn.reference.run(model.spec, x)[0]):
        assert y.shape == want.shape
        # a sum of at most 4 * 4 * 3 products of about 1, and a bias
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_upsampling_of_the_nearest(factor: int) -> None:
    x = np.random.default_rng(40).standard_normal((7, 2, 3))
    want = nn.Upsample(scale_factor=factor)(torch.tensor(x).permute(1, 2, 0)).permute(2, 0, 1)
    layers = [rn.Strided(3, (3,), (1,)), rn.Upsample(factor)]
    np.testing.assert_array_equal(rn.Model(layers, dtype="float64")(x)[0], want.numpy())


@pytest.mark.parametrize("seed", range(60))
def test_pictures_inside_a_step(seed: int) -> None:
    """Conv2d over height and width of each step's picture, and Conv3d over time as well."""
    rng = np.random.default_rng([41, seed])

    def pick(least: int, most: int) -> tuple[int, ...]:
        return tuple(int(n) for n in rng.integers(least, most + 1, 3))

    groups, each, own = pick(1, 3)
    kernel, stride, dilation = pick(1, 3), pick(1, 2), pick(1, 2)
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple(int(rng.integers(0, r + 1)) for r in reach)
    _, height, width = (r + int(rng.integers(1, 7)) for r in reach)
    bias = rng.standard_normal(groups * own)
    x = rng.standard_normal((5, 2, height, width, groups * each))
    if seed % 2:
        weight = rng.standard_normal((groups * own, each, *kernel))
        layer = rn.Conv3d(
            weight, bias, positions=(height, width), stride=stride, padding=padding,
            dilation=dilation, groups=groups,
        )  # fmt: skip
        made = nn.functional.conv3d(
            torch.tensor(x).permute(1, 4, 0, 2, 3), torch.tensor(weight), torch.tensor(bias),
            stride, padding, dilation, groups,
        )  # fmt: skip
        want = made.permute(2, 0, 3, 4, 1).flatten(2)
    else:
        mode = ("zeros", "reflect", "replicate")[seed // 2 % 3]
        sides = [min(n, s - 1) for n, s in zip(padding[1:], (height, width), strict=True)]
        weight = rng.standard_normal((groups * own, each, *kernel[1:]))
        layer = rn.Conv2d(
            weight, bias, positions=(height, width), stride=stride[1:], padding=tuple(sides),
            dilation=dilation[1:], groups=groups, padding_mode=mode,
        )  # fmt: skip
        image = torch.tensor(x).reshape(10, height, width, -1).permute(0, 3, 1, 2)
        image = nn.functional.pad(image, (sides[1], sides[1], sides[0], sides[0]), mode=MODES[mode])
        made = nn.functional.conv2d(
            image, torch.tensor(weight), torch.tensor(bias), stride[1:], 0, dilation[1:], groups
        )
        want = made.permute(0, 2, 3, 1).reshape(5, 2, -1)
    check(layer, x.reshape(5, 2, -1), want)
    float32 = rn.Model([layer])(x.reshape(5, 2, -1).astype("f4"))[0]
    # a sum of at most 27 * 3 products of about 1
    np.testing.assert_allclose(float32, want.numpy(), rtol=0, atol=1e-4)
