"""ConvTranspose over positions inside a step, over time and over both, against onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx_graphs import Builder, run, uniform

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError

pytestmark = pytest.mark.oracle
TIMES = (1, 2, 7)


def attributes(rng: np.random.Generator, rank: int, kernel: list[int], still: list[bool]) -> Any:
    """Those of an operator, by chance; along an axis that is ``still`` with stride 1."""
    strides = [1 if one else int(rng.integers(1, 4)) for one in still]
    dilations = [int(rng.integers(1, 3)) for _ in range(rank)]
    reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    pads = [[int(rng.integers(0, r + 1)) for r in reach] for _ in range(2)]
    more = [int(rng.integers(0, s)) for s in strides]  # onnxruntime takes no more
    return {"strides": strides, "dilations": dilations, "pads": [*pads[0], *pads[1]],
            "output_padding": more}  # fmt: skip


def close(path: Path, x: Any, want: Any, time_at: int) -> None:
    """x and want [batch, channels, ...] with time at this axis; ours [time, batch, features]."""
    spec = formats.read(path)
    rank = x.ndim - 2
    inside = [axis for axis in range(2, 2 + rank) if axis != time_at]
    own = x.transpose(time_at, 0, *inside, 1).reshape(x.shape[time_at], x.shape[0], -1)
    theirs = want.transpose(time_at, 0, *inside, 1).reshape(want.shape[time_at], len(want), -1)
    for y in (reference.run(spec, own)[0], rn.Model(spec)(own)[0]):
        # Sums of at most 100 products of numbers below 1 and 1: 100 units of roundoff of their sum.
        np.testing.assert_allclose(y, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("seed", range(60))
def test_inside_a_step(seed: int, tmp_path: Path) -> None:
    """Of [batch, channels, time, positions] and with both axes the other way round."""
    rng = np.random.default_rng([431, seed])
    groups, each, own = (int(n) for n in rng.integers(1, 4, 3))
    positions, time_at = int(rng.integers(1, 9)), 2 + seed % 2
    kernel = [1, 1]
    kernel[3 - time_at] = int(rng.integers(1, 6))
    still = [axis == time_at for axis in (2, 3)]
    options = attributes(rng, 2, kernel, still)
    shape: list[Any] = ["b", groups * each, positions, positions]
    shape[time_at] = "t"
    for name in ("pads", "output_padding"):
        values = options[name]
        values[time_at - 2 :: 2] = [0] * len(values[time_at - 2 :: 2])
    b = Builder()
    weight = b.constant(uniform(groups * each, own, *kernel))
    bias = [b.constant(uniform(groups * own))] if rng.integers(2) else []
    y = b.op("ConvTranspose", b.input("x", shape), weight, *bias, group=groups, **options)
    y = b.op(str(rng.choice(["Relu", "Tanh", "Identity"])), y)
    b.output(b.op("Transpose", y, perm=[time_at, 0, 5 - time_at, 1]))
    path = b.save(tmp_path)
    for time in TIMES:
        sizes = [2, groups * each, positions, positions]
        sizes[time_at] = time
        x = uniform(*sizes)
        try:
            (want,) = run(path, {"x": x})
        except Exception:  # its padding leaves nothing
            with pytest.raises(UnsupportedError, match="padding leaves"):
                formats.read(path)
            return
        want = want.transpose(1, 3, 0, 2) if time_at == 2 else want.transpose(1, 3, 2, 0)
        close(path, x, want, time_at)


@pytest.mark.parametrize(
    "more",
    [
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_LOWER"},
        {"auto_pad": "SAME_UPPER", "output_padding": [0, 1]},
        {"auto_pad": "SAME_LOWER", "output_padding": [0, 1]},
        {"auto_pad": "VALID"},
        {"output_shape": [1, 14]},
        {"output_shape": [1, 14], "auto_pad": "SAME_UPPER"},
        {"output_shape": [1, 17]},
    ],
)
def test_what_says_the_padding(more: dict[str, Any], tmp_path: Path) -> None:
    """Of a time that the file says how long it is; inside a step, where that does not matter."""
    for time in (7, "t"):
        if time == "t" and "output_shape" in more:
            continue
        b = Builder()
        y = b.input("x", ["b", 3, 1, time] if time == 7 else ["b", 3, time, 7])
        y = b.op("ConvTranspose", y, b.constant(uniform(3, 2, 1, 5)), strides=[1, 2], **more)
        b.output(b.op("Transpose", y, perm=[3, 0, 2, 1] if time == 7 else [2, 0, 3, 1]))
        path = b.save(tmp_path)
        x = uniform(2, 3, 1, 7) if time == 7 else uniform(2, 3, 4, 7)
        (want,) = run(path, {"x": x})
        if time == 7:
            close(path, x, want.transpose(1, 3, 2, 0), 3)
        else:
            close(path, x, want.transpose(1, 3, 0, 2), 2)


@pytest.mark.parametrize("seed", range(40))
def test_over_time_and_over_both(seed: int, tmp_path: Path) -> None:
    """Steps made of steps; padding that leaves no step of few is the model's affair alone."""
    rng = np.random.default_rng([432, seed])
    groups, each, own = (int(n) for n in rng.integers(1, 4, 3))
    rank = 1 + seed % 2
    kernel = [int(n) for n in rng.integers(1, 5, rank)]
    positions = int(rng.integers(3, 7))
    options = attributes(rng, rank, kernel, [False] * rank)
    b = Builder()
    shape: list[Any] = ["b", groups * each, "t", *[positions] * (rank - 1)]
    weight = b.constant(uniform(groups * each, own, *kernel))
    bias = [b.constant(uniform(groups * own))] if rng.integers(2) else []
    y = b.op("ConvTranspose", b.input("x", shape), weight, *bias, group=groups, **options)
    b.output(b.op("Transpose", b.op("Relu", y), perm=[2, 0, *[3] * (rank - 1), 1]))
    path = b.save(tmp_path)
    x = uniform(2, groups * each, 9, *[positions] * (rank - 1))
    try:
        (want,) = run(path, {"x": x})
    except Exception:  # its padding leaves nothing
        return
    close(path, x, want.transpose(1, rank + 1, 0, *[2] * (rank - 1)), 2)


def test_an_axis_of_which_one_position_is_made_is_read_as_channels(tmp_path: Path) -> None:
    """GTCRN's depthwise kernels over steps that stand side by side, of which one is left."""
    for dilation in (1, 2, 5):
        b = Builder()
        steps = 2 * dilation + 1
        x = b.input("x", ["t", 6, steps, 9])
        y = b.op(
            "ConvTranspose", x, b.constant(uniform(6, 1, 3, 3)), b.constant(uniform(6)), group=6,
            dilations=[dilation, 1], pads=[2 * dilation, 1, 2 * dilation, 1],
        )  # fmt: skip
        b.output(b.op("Reshape", y, b.integers(-1, 54)))
        b.output(b.op("Mul", x, b.constant(uniform(6, steps, 9))))  # so no axis of it is time
        path = b.save(tmp_path)
        given = uniform(4, 6, steps, 9)
        want, _ = run(path, {"x": given})
        spec = formats.read(path)
        (features,) = (one.features for one in spec.inputs.values())
        assert features == given[0].size
        ys, _ = reference.run(spec, given.transpose(0, 2, 3, 1).reshape(4, 1, -1))
        np.testing.assert_allclose(next(iter(ys.values()))[:, 0], want, rtol=0, atol=1e-4)


def test_a_normalisation_and_slopes_behind_it(tmp_path: Path) -> None:
    b = Builder()
    y = b.input("x", ["b", 4, "t", 9])
    y = b.op("ConvTranspose", y, b.constant(uniform(4, 3, 1, 5)), strides=[1, 2], pads=[0, 2, 0, 2],
             group=2)  # fmt: skip
    numbers = [b.constant(np.abs(uniform(6)) + 0.5) for _ in range(4)]
    y = b.op("PRelu", b.op("BatchNormalization", y, *numbers), b.constant(uniform(6, 1, 1)))
    b.output(b.op("Transpose", y, perm=[2, 0, 3, 1]))
    path = b.save(tmp_path)
    x = uniform(2, 4, 5, 9)
    (want,) = run(path, {"x": x})
    close(path, x, want.transpose(1, 3, 0, 2), 2)
