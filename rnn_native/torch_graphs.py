"""What a network of PyTorch's calculates, whatever its ``forward`` does: by its own exporter.

PyTorch writes the graph for an example of what the network takes, as ONNX, into a folder that is
gone afterwards; ``formats.onnx`` reads it. Which axis is the time is found by trying, and what was
read has to give what the network gives: of the example, of other numbers, and of other sizes, if it
takes them, for a branch that the exporter took, or a length that it wrote down, is the example's.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import reference
from .errors import OptionError, RnnError, UnsupportedError
from .formats.onnx import read
from .formats.onnx.graph import import_onnx
from .spec import ModelSpec
from .tensors import torch_if_loaded

_OPSET: Final = 17
_FREE: Final[dict[int, tuple[tuple[int, ...], ...]]] = {
    2: ((0, 1),), 3: ((0, 1), (0, 2)), 4: ((0, 2), (0, 3), (0, 1)),
}  # fmt: skip
"""By the rank of an input the axes that may be batch and time, the likeliest first."""
_OFF: Final = 1e-4
"""What a network in float32 may be off by, of the largest value: the reference is exact."""


def spec_of(module: Any, example: Any) -> ModelSpec:
    """The graph of a network in ``eval()`` mode; see :func:`rnn_native.from_torch`."""
    torch = torch_if_loaded()
    if torch is None or not isinstance(module, torch.nn.Module):
        raise OptionError(f"module: expected a torch.nn.Module; got {type(module).__name__}")
    inputs = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    for index, value in enumerate(inputs):
        if not isinstance(value, torch.Tensor) or value.ndim not in _FREE:
            came = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            raise OptionError(
                f"example[{index}]: expected a tensor of indices [batch, time], or of features "
                f"with a batch and a time: rank 3 or 4; got {came}"
            )
    if not inputs:
        raise OptionError("example: expected what the module takes, at least one tensor; got none")
    import_onnx()
    was_training = module.training
    module.eval()
    try:
        return _first_that_reads(torch, module, inputs)
    finally:
        module.train(was_training)


def _first_that_reads(torch: Any, module: Any, inputs: tuple[Any, ...]) -> ModelSpec:
    errors: list[RnnError] = []
    without_time: ModelSpec | None = None
    for way in range(max(len(_FREE[value.ndim]) for value in inputs)):
        free = [_FREE[value.ndim][min(way, len(_FREE[value.ndim]) - 1)] for value in inputs]
        try:
            spec = _exported(torch, module, inputs, free)
            _check(torch, module, inputs, free, spec)
        except RnnError as error:
            errors.append(error)
        else:
            if not all(spec.value(name).last for name in spec.outputs.values()):
                return spec
            without_time = without_time or spec
    if without_time is not None:
        return without_time
    raise UnsupportedError(
        f"module: {type(module).__qualname__} is not read: {errors[0]}. rn.accelerate runs its "
        "recurrent modules here and leaves the rest to PyTorch"
    ) from errors[0]


def _exported(
    torch: Any, module: Any, inputs: tuple[Any, ...], free: Sequence[tuple[int, ...]]
) -> ModelSpec:
    names = _names(len(inputs))
    axes = {
        name: dict(zip(own, ("batch", "time"), strict=True))
        for name, own in zip(names, free, strict=True)
    }
    with tempfile.TemporaryDirectory() as folder, _silence():
        path = Path(folder) / "network.onnx"
        try:
            torch.onnx.export(
                module, inputs, path, input_names=names, dynamic_axes=axes,
                opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
        except Exception as error:
            reason = str(error).strip().split("\n")[0]
            raise UnsupportedError(f"PyTorch's exporter does not write it: {reason}") from error
        try:
            return read(path)
        except RnnError as error:
            text = str(error).replace(f"{path}: ", "")
            raise type(error)(text) from error


def _check(
    torch: Any,
    module: Any,
    inputs: tuple[Any, ...],
    free: Sequence[tuple[int, ...]],
    spec: ModelSpec,
) -> None:
    """Refuses unless the first output is the network's, whatever it is given."""
    with torch.no_grad():
        given = module(*inputs)
    _compare(given, inputs, free, spec, "what it gives")
    for sign, longer in ((1, 0), (-1, 0), (1, 1)):
        rng = np.random.default_rng(0)
        other = [
            _other(torch, rng, value, axes, sign, longer)
            for value, axes in zip(inputs, free, strict=True)
        ]
        try:
            with torch.no_grad():
                given = module(*other)
        except Exception:  # of a network that takes no other sizes, or no other numbers
            continue
        what = "other sizes" if longer else "other numbers"
        _compare(given, other, free, spec, f"what it gives of {what} than the example's")


def _other(
    torch: Any,
    rng: np.random.Generator,
    value: Any,
    free: tuple[int, ...],
    sign: int,
    longer: int,
) -> Any:
    """Of the same kind as an input of the example: numbers spread as widely around the same mean,
    times ``sign``, or some of the same indices; with more rows and steps if it is to be
    ``longer``."""
    array = value.detach().cpu().numpy()
    batch, time = free
    sizes = [n + longer * {batch: 1, time: 3}.get(axis, 0) for axis, n in enumerate(array.shape)]
    if not array.size or array.dtype.kind != "f":
        made = rng.choice(array.reshape(-1), sizes) if array.size else array
    else:
        made = sign * rng.normal(array.mean(), array.std() or 1.0, sizes)
    return torch.from_numpy(np.asarray(made, array.dtype)).to(value.device)


def _compare(
    given: Any,
    inputs: Sequence[Any],
    free: Sequence[tuple[int, ...]],
    spec: ModelSpec,
    what: str,
) -> None:
    """Refuses unless the model has the first output of the network, in whatever order of axes."""
    while isinstance(given, (tuple, list, dict)):
        given = next(iter(given.values() if isinstance(given, dict) else given))
    want = given.detach().cpu().numpy().astype(np.float64)
    own = [
        ours(value.detach().cpu().numpy(), axes) for value, axes in zip(inputs, free, strict=True)
    ]
    known = dict(zip(_names(len(inputs)), own, strict=True))
    x = next(iter(known.values())) if len(spec.inputs) == 1 else known
    with np.errstate(all="ignore"):
        y = reference.run(spec, x)[0]
    got = y if isinstance(y, np.ndarray) else next(iter(y.values()))
    off = _OFF * max(1.0, float(np.abs(want).max(initial=0, where=np.isfinite(want))))
    for order in permutations(range(want.ndim)):
        moved = want.transpose(order)
        if moved.size == got.size and np.allclose(
            moved.reshape(got.shape), got, rtol=0, atol=off, equal_nan=True
        ):
            return
    raise UnsupportedError(f"what was read of it does not give {what}")


def _names(count: int) -> list[str]:
    return [f"input_{index}" for index in range(count)] if count > 1 else ["input"]


def ours(value: NDArray[Any], free: tuple[int, ...]) -> NDArray[Any]:
    """[time, batch, features] of an input with those axes of batch and time: the positions of a
    step before its channels."""
    batch, time = free
    rest = sorted(set(range(value.ndim)) - set(free), key=lambda axis: (axis == 1, axis))
    moved = value.transpose(time, batch, *rest)
    return moved if value.ndim == 2 else moved.reshape(*moved.shape[:2], -1)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without what the exporter says of itself."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
