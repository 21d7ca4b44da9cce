"""What a network of PyTorch's calculates, whatever its ``forward`` does: by its own exporter.

PyTorch writes the graph for an example of what the network takes, as ONNX, into a folder that is
gone afterwards; ``formats.onnx`` reads it. Which axis is the time, and which inputs are states, is
found by trying, and what was read has to give what the network gives: of the example, of other
numbers, and of other sizes, if it takes them, for a branch that the exporter took, or a length that
it wrote down, is the example's.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from .errors import OptionError, RnnError, UnsupportedError
from .formats.onnx import read
from .formats.onnx.graph import import_onnx
from .spec import ModelSpec
from .tensors import torch_if_loaded
from .torch_compare import Read, check
from .torch_trees import Call, leaves

_OPSET: Final = 17
_FREE: Final[dict[int, tuple[tuple[int, ...], ...]]] = {
    2: ((0, 1),), 3: ((0, 1), (0, 2)), 4: ((0, 2), (0, 3), (0, 1)),
}  # fmt: skip
"""By the rank of an input the axes that may be batch and time, the likeliest first."""
_STATE: Final[dict[int, tuple[int, ...]]] = {2: (0,), 3: (1,)}
"""Of one that is a state, [batch, size] or [layers, batch, size], the batch."""
_NODE = re.compile(r"node '/(?P<path>[^']*)/[^'/]*' \((?P<op>\w+)\)")
_OPERATOR = re.compile(r"aten::\w+")
_STATIC: Final = ((0,),)
"""Of one without time, the batch."""


def spec_of(module: Any, example: Any) -> ModelSpec:
    """The graph of a network in ``eval()`` mode; see :func:`rnn_native.from_torch`."""
    torch = torch_if_loaded()
    if torch is None or not isinstance(module, torch.nn.Module):
        raise OptionError(f"module: expected a torch.nn.Module; got {type(module).__name__}")
    call = Call(module, example if isinstance(example, dict) else _as_tuple(example))
    ranks = {*_FREE, 1} if len(call.tensors) > 1 else {*_FREE}
    for index, (name, value) in enumerate(zip(call.names, call.tensors, strict=True)):
        if not isinstance(value, torch.Tensor) or value.ndim not in ranks:
            came = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            which = f"[{index}]" if call.is_flat else f" {name}"
            raise OptionError(
                f"example{which}: expected a tensor of indices [batch, time], or of features "
                f"with a batch and a time: rank 3 or 4; got {came}"
            )
    if not call.tensors:
        raise OptionError("example: expected what the module takes, at least one tensor; got none")
    import_onnx()
    was_training = module.training
    module.eval()
    try:
        return _first_that_reads(torch, call)
    finally:
        module.train(was_training)


def _as_tuple(example: Any) -> tuple[Any, ...]:
    return tuple(example) if isinstance(example, (tuple, list)) else (example,)


def _first_that_reads(torch: Any, call: Call) -> ModelSpec:
    errors: list[RnnError] = []
    without_time: ModelSpec | None = None
    for free in _ways(torch, call.tensors):
        try:
            spec = _exported(torch, call, free)
            check(torch, call, Read(spec, free))
        except RnnError as error:
            errors.append(error)
        else:
            if not all(spec.value(name).last for name in spec.outputs.values()):
                return spec
            without_time = without_time or spec
    if without_time is not None:
        return without_time
    raise UnsupportedError(
        f"module: {type(call.module).__qualname__} is not read: {_placed(call.module, errors[0])}. "
        "rn.accelerate runs its recurrent modules here and leaves the rest to PyTorch"
    ) from errors[0]


def _ways(torch: Any, tensors: Sequence[Any]) -> Iterator[list[tuple[int, ...]]]:
    """The axes of batch and time of each input; behind the first one, those of floats may be
    states."""
    free = [_free(value, len(tensors) > 1) for value in tensors]
    for way in range(max(map(len, free))):
        yield [own[min(way, len(own) - 1)] for own in free]
    first, *others = tensors
    states = [_state_axes(first, value) for value in others]
    if not any(states):
        return
    for own in free[0]:
        yield [own, *(state or axes[0] for state, axes in zip(states, free[1:], strict=True))]


def _free(value: Any, is_one_of_several: bool) -> tuple[tuple[int, ...], ...]:
    """The axes of an input that may be batch and time, or the batch alone."""
    static = value.ndim == 1 or (value.ndim == 2 and value.is_floating_point())
    return _STATIC if static and is_one_of_several else _FREE[value.ndim]


def _state_axes(first: Any, value: Any) -> tuple[int, ...]:
    axes = _STATE.get(value.ndim, ())
    fits = bool(axes) and value.is_floating_point() and value.shape[axes[0]] == first.shape[0]
    return axes if fits else ()


def _exported(torch: Any, call: Call, free: Sequence[tuple[int, ...]]) -> ModelSpec:
    axes = {
        name: dict(zip(own, ("batch", "time"), strict=False))
        for name, own in zip(call.names, free, strict=True)
    }
    with torch.no_grad():
        given = call(call.tensors)
    outputs = [name for name, value in leaves(given, "output") if value is not None]
    if not outputs or any(not isinstance(value, torch.Tensor) for _, value in leaves(given, "")
                          if value is not None):  # fmt: skip
        raise UnsupportedError(
            "expected tensors as its outputs, in tuples and dicts; got "
            f"{', '.join(sorted({type(value).__name__ for _, value in leaves(given, '')}))}"
        )
    plain = isinstance(given, torch.Tensor) or (
        type(given) is tuple and all(isinstance(value, torch.Tensor) for value in given)
    )
    module = call.module if call.is_flat and plain else call.flat(torch)
    names = {"output_names": outputs} if len(outputs) > 1 else {}
    with tempfile.TemporaryDirectory() as folder, _silence():
        path = Path(folder) / "network.onnx"
        try:
            torch.onnx.export(
                module, tuple(call.tensors), path, input_names=call.names, dynamic_axes=axes,
                opset_version=_OPSET, dynamo=False, **names,
            )  # fmt: skip
        except Exception as error:
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            where = _scope(torch, module, call.tensors, reason)
            raise UnsupportedError(
                f"PyTorch's exporter does not write it: {reason}{where}"
            ) from error
        try:
            return read(path)
        except RnnError as error:
            text = str(error).replace(f"{path}: ", "")
            raise type(error)(text) from error


def _scope(torch: Any, module: Any, tensors: Sequence[Any], reason: str) -> str:
    """Which module has the operator that the exporter does not know; nothing where it does not
    name one."""
    named = _OPERATOR.search(reason)
    if named is None:
        return ""
    try:
        graph = torch.jit.trace(module, tuple(tensors), check_trace=False, strict=False)
        nodes = [node for node in graph.inlined_graph.nodes() if node.kind() == named[0]]
    except Exception:  # what cannot be traced has no scopes
        return ""
    paths = {node.scopeName().rpartition("/")[2].removeprefix("__module").strip(".")
             for node in nodes}  # fmt: skip
    told = [_called(path.removeprefix("network").strip(".")) for path in sorted(paths)]
    return f" (in {' and '.join(told[:3])})" if told else ""


def _called(path: str) -> str:
    return f"the module {path!r}" if path else "its own forward"


def _placed(module: Any, error: RnnError) -> str:
    """What it says, and of which module the node is that it names."""
    text = str(error)
    match = _NODE.search(text)
    if match is None:
        return text
    own = ""
    for part in match["path"].split("/"):  # each a name inside the one before, or with its names
        for path in (part, f"{own}.{part}".strip(".")):
            with contextlib.suppress(AttributeError):
                module.get_submodule(path)
                own = path
                break
    if not own:
        return text
    kind = type(module.get_submodule(own)).__qualname__
    return f"{text} (in the module {own!r}, {kind})"


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
