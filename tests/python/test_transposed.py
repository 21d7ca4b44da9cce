"""Transposed convolutions against what defines them: each number of the input adds the kernel,
times it, to the output."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from agreement import DTYPES, assert_same_bits
from numpy.typing import NDArray

import rnn_native as rn

Array = NDArray[Any]


def scattered(
    x: Array, weight: Array, bias: Array | None, groups: int, **options: tuple[int, int]
) -> Array:
    """In float64, of x [time, positions, channels]; options are of (time, positions): ``cut`` is
    how many are cut off before, ``made`` how many are left."""
    stride, dilation, cut, made = (options[n] for n in ("stride", "dilation", "cut", "made"))
    each, own = weight.shape[0] // groups, weight.shape[1]
    y = np.zeros((*made, groups * own))
    if bias is not None:
        y += bias
    kernels = weight.shape[2:]
    for t, p, channel in np.ndindex(*x.shape):
        number = float(x[t, p, channel])
        for k in product(*map(range, kernels)):
            at = [
                i * s + n * d - c
                for i, s, n, d, c in zip((t, p), stride, k, dilation, cut, strict=True)
            ]
            if all(0 <= one < n for one, n in zip(at, made, strict=True)):
                first = channel // each * own
                y[at[0], at[1], first : first + own] += number * weight[channel, :, *k].astype("f8")
    return y


def draw(seed: int, strides: tuple[int, int], time: int) -> Any:
    """Arguments of ConvTranspose2d by chance, x and y; None where its padding leaves nothing."""
    rng = np.random.default_rng([441, seed])

    def pick(least: int, most: int) -> int:
        return int(rng.integers(least, most + 1))

    groups, positions = pick(1, 3), pick(1, 5)
    kernels, dilation = (pick(1, 4), pick(1, 4)), (pick(1, 2), pick(1, 2))
    stride = tuple(pick(1, most) for most in strides)
    reach = [(k - 1) * d + 1 for k, d in zip(kernels, dilation, strict=True)]
    padding = tuple((pick(0, r), pick(0, r)) for r in reach)
    more = tuple(pick(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
    made = tuple(
        (n - 1) * s + r - sum(p) + m
        for n, s, r, p, m in zip((time, positions), stride, reach, padding, more, strict=True)
    )
    weight = rng.standard_normal((groups * pick(1, 2), pick(1, 3), *kernels)).astype("f4")
    bias = rng.standard_normal(groups * weight.shape[1]).astype("f4") if pick(0, 1) else None
    options = {"stride": stride, "padding": padding, "output_padding": more, "dilation": dilation,
               "groups": groups}  # fmt: skip
    x = rng.standard_normal((time, positions, len(weight))).astype("f4")
    if made[1] < 1:
        with pytest.raises(rn.ShapeError, match="its padding leaves"):
            rn.ConvTranspose2d(weight, bias, positions=positions, **options)
        return None
    made = (max(0, made[0]) if time else 0, made[1])
    y = scattered(
        x, weight, bias, groups, stride=stride, dilation=dilation, made=made,
        cut=tuple(before for before, _ in padding),
    )  # fmt: skip
    return rn.ConvTranspose2d(weight, bias, positions=positions, **options), x, y


@pytest.mark.parametrize("seed", range(120))
def test_it_adds_the_kernel_for_each_number_of_its_input(seed: int) -> None:
    """At most 4 * 4 * 2 products of numbers of about 1, in float32 and float64."""
    drawn = draw(seed, (3, 3), (1, 2, 5)[seed % 3])
    if drawn is None:
        return
    layers, x, want = drawn
    rows = np.ascontiguousarray(x.reshape(len(x), 1, -1))
    spec = rn.ModelSpec(layers)
    want = want.reshape(len(want), 1, spec.output_size)
    for y, off in (
        (rn.reference.run(spec, rows)[0], 1e-13),
        (rn.Model(spec)(rows)[0], 1e-4),
        (rn.Model(spec, dtype="float64")(rows)[0], 1e-12),
    ):
        assert y.shape == want.shape
        np.testing.assert_allclose(y, want, rtol=0, atol=off)


def test_a_list_of_layers_and_a_graph_take_it_as_one() -> None:
    rng = np.random.default_rng(442)
    weight = rng.standard_normal((4, 2, 5)).astype("f4")
    up = rn.ConvTranspose1d(
        weight, np.ones(4), positions=6, stride=2, padding=2, groups=2, activation="tanh"
    )
    assert [layer.kind for layer in up] == ["conv", "strided", "strided"]
    assert up[-1].output_size == 11 * 4
    gru = rn.GRU(44, 3)
    chain = rn.Model([up, gru])
    assert len(chain.spec.layers) == 4
    x = rng.standard_normal((5, 2, 24)).astype("f4")
    y, _ = chain(x)
    assert_same_bits(rn.Model(rn.ModelSpec((up, gru.spec)))(x)[0], y)
    graph = rn.ModelSpec(
        nodes={"up": (up, "x"), "gru": (gru.spec, "up")}, inputs="x", outputs="gru"
    )
    assert list(graph.nodes) == ["up.0", "up.1", "up", "gru"]
    assert_same_bits(rn.Model(graph)(x)[0], y)
    assert_same_bits(rn.Model(up)(x)[0], rn.Model(list(up))(x)[0])
    with pytest.raises(rn.OptionError, match=r"'up\.0' is the name of its layer 0, and a node"):
        rn.ModelSpec(nodes={"up": (up, "x"), "up.0": (gru.spec, "up")}, inputs="x", outputs="up.0")


@pytest.mark.parametrize("padding", ["causal", "same"])
@pytest.mark.parametrize("kernel", [1, 2, 3, 6])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_paddings_by_name_make_stride_times_as_many(kernel: int, stride: int, padding: str) -> None:
    weight = np.ones((2, 3, kernel))
    up = rn.ConvTranspose1d(weight, positions=7, stride=stride, padding=padding)
    assert up[-1].output_size == 7 * stride * 3
    x = np.zeros((1, 1, 7, 2))
    x[0, 0, 3, 0] = 1
    y, _ = rn.reference.run(rn.ModelSpec(up), x.reshape(1, 1, -1))
    (there,) = np.nonzero(y.reshape(-1, 3)[:, 0])
    before = (kernel - stride) // 2 if padding == "same" and kernel > stride else 0
    first = 3 * stride - before
    assert there.tolist() == [*range(first, min(first + kernel, 7 * stride))]


@pytest.mark.parametrize("dtype", DTYPES)
def test_stored_weights_and_files(dtype: str, tmp_path: Any) -> None:
    rng = np.random.default_rng(443)
    weight = rng.standard_normal((4, 3, 5)).astype("f4")
    up = rn.ConvTranspose1d(weight, positions=5, stride=3, padding=1)
    x = rng.standard_normal((3, 2, 20)).astype(dtype)
    for name in (None, "bfloat16")[: 1 + (dtype == "float32")]:
        model = rn.Model(up, dtype=dtype, weight_dtype=name)
        y, _ = model(x)
        for suffix in ("safetensors", "npz"):
            model.save(tmp_path / f"m.{suffix}")
            again = rn.load(tmp_path / f"m.{suffix}", dtype=dtype, weight_dtype=name)
            assert_same_bits(again(x)[0], y)


def test_what_cannot_be_one_is_refused_by_name() -> None:
    ones = np.ones
    up = rn.ConvTranspose1d
    for call, error, message in (
        (lambda: up(ones((2, 3))), rn.ShapeError,
         r"ConvTranspose1d weight: expected shape \(in, out / groups, kernel\), got \(2, 3\)"),
        (lambda: rn.ConvTranspose2d(ones((2, 3, 1)), positions=2), rn.ShapeError,
         "ConvTranspose2d weight: expected shape"),
        (lambda: up(ones((3, 2, 2)), positions=4, groups=2), rn.ShapeError,
         "some rows for each of groups=2"),
        (lambda: up(ones((2, 0, 2)), positions=4), rn.ShapeError, "some rows for each"),
        (lambda: up(ones((2, 3, 2)), ones(2), positions=4), rn.ShapeError,
         r"ConvTranspose bias: expected shape \(3,\)"),
        (lambda: up(ones((2, 3, 2)), positions=4, stride=0), rn.OptionError,
         "ConvTranspose1d stride: expected 1 to"),
        (lambda: up(ones((2, 3, 2)), positions=4, stride=2, output_padding=2), rn.OptionError,
         "output_padding: expected it below stride or dilation, which are 2 and 1, got 2"),
        (lambda: up(ones((2, 3, 2)), positions=4, padding="same", output_padding=1),
         rn.OptionError, "output_padding: expected none with padding='same'"),
        (lambda: up(ones((2, 3, 2)), positions=4, padding="valid"), rn.OptionError,
         "'causal' or 'same'; got 'valid'"),
        (lambda: up(ones((2, 3, 2)), positions=4, padding=-1), rn.OptionError,
         "ConvTranspose1d padding: expected 0 to"),
        (lambda: up(ones((2, 3, 1)), positions=4, padding=2), rn.ShapeError,
         "of 4 positions its padding leaves 0"),
        (lambda: up(ones((2, 3, 2)), positions=4, stride=2, activation="softmax"),
         rn.UnsupportedError, "activation=softmax: only with stride 1"),
        (lambda: rn.ConvTranspose2d(ones((2, 3, 1, 1)), positions=4, stride=(1, 2, 3)),
         rn.OptionError, "ConvTranspose2d stride: expected one of both"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            call()
