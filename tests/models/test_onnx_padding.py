"""Pad over time, of every mode: in front of convolutions, of what does not pad itself, and as an
output, against onnxruntime; files of Pad layers, and what PyTorch writes of a ``padding_mode``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx_graphs import Builder, make_recurrent, run, uniform

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec.layers.pad import PAD_MODES

pytestmark = pytest.mark.oracle

MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
STEPS = 9


def kinds(path: Path) -> list[str]:
    return [node.layer.kind for node in formats.read(path).nodes.values()]


def check(path: Path, x: Any, order: tuple[int, ...] = (2, 0, 1)) -> None:
    """A file's one output, [batch, channels, time] or as ``order`` says, beside onnxruntime's."""
    (want,) = run(path, {"x": x})
    y, _ = rn.load(path)(np.ascontiguousarray(x.transpose(order)))
    np.testing.assert_allclose(y, want.transpose(order), rtol=0, atol=1e-5)


def padded(b: Builder, y: str, mode: str, *pads: int) -> str:
    return b.op("Pad", y, b.integers(*pads), mode=MODES[mode])


@pytest.mark.parametrize("mode", PAD_MODES)
@pytest.mark.parametrize("pads", [(2, 3), (2, 0), (0, 1), (7, 8)])
@pytest.mark.parametrize("behind", ["Conv", "MaxPool", "Relu", "Identity", "ConvTranspose", ""])
def test_steps_are_padded(mode: str, pads: tuple[int, int], behind: str, tmp_path: Path) -> None:
    b = Builder(opset=19)
    y = padded(b, b.input("x", ["b", 3, "t"]), mode, 0, 0, pads[0], 0, 0, pads[1])
    if behind == "Conv":
        y = b.op("Conv", y, b.constant(uniform(2, 3, 3)), strides=[2])
    elif behind == "ConvTranspose":
        y = b.op("ConvTranspose", y, b.constant(uniform(3, 2, 3)), strides=[2])
    elif behind:
        y = b.op(behind, y, **({"kernel_shape": [3]} if behind == "MaxPool" else {}))
    b.output(y)
    path = b.save(tmp_path)
    fits = behind == "Conv" and mode == "zeros" and max(pads) < 3
    assert ("pad" in kinds(path)) is not fits
    check(path, uniform(2, 3, STEPS))


@pytest.mark.parametrize("mode", PAD_MODES)
@pytest.mark.parametrize("batch_first", [False, True])
def test_steps_are_padded_before_a_recurrent_node(
    mode: str, batch_first: bool, tmp_path: Path
) -> None:
    b = Builder(opset=19)
    x = b.input("x", ["b", "t", 4] if batch_first else ["t", "b", 4])
    pads = (0, 2, 0, 0, 1, 0) if batch_first else (2, 0, 0, 1, 0, 0)
    y = padded(b, x, mode, *pads)
    y = b.op("Transpose", y, perm=[1, 0, 2]) if batch_first else y
    b.output(b.concatenated(b.recurrent(y, make_recurrent("gru", 4, 5))[0], 1))
    path = b.save(tmp_path)
    x = uniform(3, STEPS, 4) if batch_first else uniform(STEPS, 3, 4)
    (want,) = run(path, {"x": x})
    y, _ = rn.load(path)(x.swapaxes(0, 1) if batch_first else x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", range(24))
def test_steps_and_positions_are_padded_together(seed: int, tmp_path: Path) -> None:
    """Both axes, the time and positions, and over time zeros of the convolution around."""
    rng = np.random.default_rng(seed)
    mode, time_at = PAD_MODES[seed % 3], seed // 3 % 2
    sizes: list[Any] = [6, 6]
    sizes[time_at] = "t"
    before, after = rng.integers(0, 3, (2, 2))
    b = Builder(opset=19)
    x = b.input("x", ["b", 2, *sizes])
    y = padded(b, x, mode, 0, 0, *before, 0, 0, *after)
    zeros = [int(n) for n in rng.integers(0, 2, 4)]
    zeros[1 - time_at] = zeros[3 - time_at] = 0  # around positions that mirror there are none
    y = b.op(
        "Conv", y, b.constant(uniform(3, 2, 2, 3)), pads=zeros,
        dilations=[int(n) for n in rng.integers(1, 3, 2)],
    )  # fmt: skip
    b.output(b.op("Relu", y))
    path = b.save(tmp_path)
    sizes[time_at] = STEPS
    x = uniform(2, 2, *sizes)
    (want,) = run(path, {"x": x})
    over_time = np.moveaxis(x, 2 + time_at, 0)  # [time, batch, channels, positions]
    model = rn.load(path)
    y, _ = model(np.ascontiguousarray(over_time.swapaxes(2, 3)).reshape(STEPS, 2, -1))
    wanted = np.moveaxis(want, 2 + time_at, 0)
    np.testing.assert_allclose(y, wanted.reshape(*y.shape[:2], -1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_a_residual_around_padding_and_convolution(mode: str, tmp_path: Path) -> None:
    """Of as many steps as came, by two convolutions behind one padding, too."""
    b = Builder(opset=19)
    x = b.input("x", ["b", 3, "t"])
    y = padded(b, x, mode, 0, 0, 2, 0, 0, 1)
    for kernel in (2, 3):
        y = b.op("Conv", y, b.constant(uniform(3, 3, kernel)))
    b.output(b.op("Add", x, y))
    path = b.save(tmp_path)
    assert kinds(path) == ["pad", "conv", "conv", "combine"]
    check(path, uniform(2, 3, STEPS))


@pytest.mark.parametrize("count", [64, 1000])
def test_many_windows_take_no_longer_each(count: int, tmp_path: Path) -> None:
    """Those that a model may have are read; more are refused at once."""
    b = Builder(opset=19)
    y = b.input("x", ["b", 3, "t"])
    for at in range(count // 2):
        y = padded(b, y, "reflect", 0, 0, 1, 0, 0, at % 3)
        y = b.op("MaxPool", y, kernel_shape=[2 + at % 2])
    b.output(y)
    path = b.save(tmp_path)
    if count > 64:
        with pytest.raises(rn.UnsupportedError, match="at most 64 layers behind each other"):
            formats.read(path)
    else:
        assert kinds(path) == ["pad", "pool"] * 32


def test_steps_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    b = Builder(opset=19)
    x = b.input("x", ["b", 3, "t"])
    y = b.op("Conv", padded(b, x, "reflect", 0, 0, 1, 0, 0, 2), b.constant(uniform(3, 3, 3)))
    b.output(b.op("Add", x, y))
    with pytest.raises(rn.UnsupportedError):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize("mode", PAD_MODES)
@pytest.mark.parametrize("sides", [(2, 1), (0, 3), (3, 0)])
def test_a_file_gives_its_numbers(mode: str, sides: tuple[int, int], tmp_path: Path) -> None:
    """And is read again, unless what goes around was written as steps of both ends."""
    model = rn.Model([rn.Pad(3, *sides, mode), rn.GRU(3, 4), rn.Pad(4, *sides, mode)])
    path = tmp_path / "m.onnx"
    model.save(path)
    x = uniform(STEPS, 2, 3)
    (want, *_) = run(path, {"x": x})
    np.testing.assert_allclose(model(x)[0], want, rtol=0, atol=1e-5)
    if mode != "circular":
        again = rn.load(path)
        assert [layer.kind for layer in again.spec.layers] == ["pad", "recurrent", "pad"]
        np.testing.assert_array_equal(again(x)[0], model(x)[0])


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("mode", PAD_MODES)
def test_pytorchs_padding_mode(mode: str, dynamo: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if mode == "circular" and not dynamo:
        pytest.skip("the exporter writes slices of both ends")
    if dynamo:
        pytest.importorskip("onnxscript")

    class Net(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.same = torch.nn.Conv1d(3, 3, 3, padding=1, padding_mode=mode)
            self.fewer = torch.nn.Conv1d(3, 5, 4, stride=2, padding=2, padding_mode=mode)

        def forward(self, x: Any) -> Any:
            return self.fewer(torch.relu(self.same(x)) + x)

    torch.manual_seed(5)
    net, x = Net().eval(), torch.randn(2, 3, STEPS)
    path = tmp_path / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            shapes = ({0: "b", 2: "t"},)
            torch.onnx.export(net, (x,), path, dynamo=True, dynamic_shapes=shapes, verbose=False)
        else:
            axes = {"x": {0: "b", 2: "t"}, "y": {0: "b", 2: "made"}}
            torch.onnx.export(
                net, (x,), path, dynamo=False, dynamic_axes=axes, input_names=["x"],
                output_names=["y"], opset_version=17,
            )  # fmt: skip
    y, _ = rn.load(path)(x.permute(2, 0, 1).numpy())
    want = net(x).detach().permute(2, 0, 1).numpy()
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


def test_from_torch_pads_before_a_recurrent_layer() -> None:
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.pad = torch.nn.ReflectionPad1d((2, 1))
            self.conv = torch.nn.Conv1d(3, 4, 3, padding=1, padding_mode="replicate")
            self.gru = torch.nn.GRU(4, 5, batch_first=True)

        def forward(self, x: Any) -> Any:
            y = torch.nn.functional.pad(self.conv(self.pad(x)), (1, 0), mode="replicate")
            return self.gru(torch.nn.functional.pad(y, (0, 2)).transpose(1, 2))[0]

    torch.manual_seed(6)
    net, x = Net().eval(), torch.randn(2, 3, STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = rn.from_torch(net, x)
    with torch.no_grad():
        want = net(x)
    y, _ = model(x.permute(2, 0, 1))
    np.testing.assert_allclose(np.asarray(y).swapaxes(0, 1), want.numpy(), rtol=0, atol=1e-5)
