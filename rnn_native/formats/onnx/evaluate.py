"""What operators calculate, in NumPy: for constants that a file puts together, and for the backend.

The operators of https://onnx.ai/onnx/operators/ that a chain of layers is written with, but for
RNN, GRU and LSTM. ``fold`` is for what a file makes of its constants, ``evaluate`` for any arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...activations import CONSTANTS
from ...activations import FUNCTIONS as ACTIVATIONS
from ...errors import RnnError
from .activations import ELEMENTWISE
from .constants import axes_of, axis_of, constant, integers, slices_of, split_sizes
from .functions import FUNCTIONS as OPERATORS
from .graph import Anything, Node
from .tensors import element_name
from .values import Constant, Value

Arrays = Sequence[Any]

_DTYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"FLOAT": "f4", "DOUBLE": "f8", "FLOAT16": "f2", "INT32": "i4", "INT64": "i8", "BOOL": "?"}
)


def fold(node: Node, arrays: Sequence[Anything | None]) -> list[Anything] | None:
    """The results of an operator on constants, or None for an operator that is not folded.

    What it takes of memory and of work is taken from the file's budget.
    """
    if node.op not in FUNCTIONS:
        return None
    node.contents.budget.work(str(node), sum(a.size for a in arrays if a is not None))
    results = evaluate(node, arrays)
    for result in results:
        if not any(array is not None and _is_view(result, array) for array in arrays):
            node.contents.budget.take(str(node), result.nbytes)
    return results


def evaluate(node: Node, arrays: Sequence[Anything | None]) -> list[Anything]:
    """The results of one of ``FUNCTIONS``; raises ``FormatError`` where the arrays do not fit it,
    ``UnsupportedError`` for what of it is not done."""
    function, least, most = FUNCTIONS[node.op]
    if not least <= len(arrays) <= most or any(array is None for array in arrays[:least]):
        raise node.malformed(f"expected {least} to {most} inputs, got {len(arrays)}")
    try:
        with np.errstate(all="ignore"):
            result = function(node, arrays)
    except RnnError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise node.malformed(f"on {_show(arrays)}: {error}") from error
    return result if isinstance(result, list) else [np.asarray(result)]


def _show(arrays: Sequence[Anything | None]) -> str:
    return ", ".join(f"{a.dtype} {a.shape}" for a in arrays if a is not None)


def _is_view(result: Anything, array: Anything) -> bool:
    return result.size <= array.size and np.may_share_memory(result, array)


def _limit(node: Node, elements: int, *arrays: Anything) -> None:
    """Refuses a result of so many elements before it is made, if the file may not ask for it."""
    node.contents.budget.check(str(node), elements * max(array.itemsize for array in arrays))


def _work(node: Node, products: int, array: Anything) -> None:
    """Refuses so many multiplications before they are begun, if the file may not ask for them."""
    fast = array.dtype in (np.float32, np.float64)  # BLAS has these
    node.contents.budget.work(str(node), products if fast else 16 * products)


def _values(arrays: Sequence[Anything | None]) -> list[Value | None]:
    return [None if array is None else Constant(array) for array in arrays]


# Moving numbers about


def _identity(node: Node, arrays: Arrays) -> Any:
    node.options()
    return np.asarray(arrays[0])


def _dropout(node: Node, arrays: Arrays) -> list[Anything]:
    node.options(ratio=("float", 0.5), seed=("int", 0))
    if len(arrays) > 2 and arrays[2] is not None and arrays[2].any():
        raise node.unsupported("training_mode is not false")
    return [arrays[0], np.ones(arrays[0].shape, arrays[0].dtype if node.opset < 10 else np.bool_)]


def _cast(node: Node, arrays: Arrays) -> Any:
    options = node.options(to=("int", 0), saturate=("int", 1), round_mode=("string", "up"))
    name = element_name(options["to"])
    if name not in _DTYPES:
        raise node.unsupported(f"attribute to={name} is not supported")
    dtype = np.dtype(_DTYPES[name])
    _limit(node, arrays[0].size, np.empty(0, dtype))
    return arrays[0].astype(dtype)


def _transpose(node: Node, arrays: Arrays) -> Any:
    return arrays[0].transpose(node.options(perm=("ints", None))["perm"])


def _squeeze(node: Node, arrays: Arrays) -> Any:
    axes = axes_of(node, _values(arrays), arrays[0].ndim)
    return arrays[0].squeeze() if axes is None else arrays[0].squeeze(tuple(axes))


def _unsqueeze(node: Node, arrays: Arrays) -> Any:
    count = len(axes_of(node, _values(arrays), 64) or [])
    axes = axes_of(node, _values(arrays), arrays[0].ndim + count)
    return np.expand_dims(arrays[0], tuple(axes or ()))


def _reshape(node: Node, arrays: Arrays) -> Any:
    allow_zero = node.options(allowzero=("int", 0))["allowzero"]
    shape = integers(node, _values(arrays)[1], "shape")
    if not allow_zero:
        shape = [arrays[0].shape[i] if size == 0 else size for i, size in enumerate(shape)]
    return arrays[0].reshape(shape)


def _slice(node: Node, arrays: Arrays) -> Any:
    array = arrays[0]
    for axis, start, stop, step in slices_of(node, _values(arrays), array.ndim):
        cut = _cut(array.shape[axis], start, stop, step)
        array = array[(slice(None),) * axis + (cut,)]
    return array


def _cut(size: int, start: int, stop: int, step: int) -> slice:
    """Python's slice of ONNX's numbers, which are clamped where Python would find nothing."""
    start, stop = (value + size if value < 0 else value for value in (start, stop))
    if step > 0:
        return slice(min(max(start, 0), size), min(max(stop, 0), size), step)
    if size == 0:
        return slice(0, 0)
    stop = min(max(stop, -1), size - 1)
    return slice(min(max(start, 0), size - 1), None if stop < 0 else stop, step)


def _split(node: Node, arrays: Arrays) -> list[Anything]:
    axis, sizes = split_sizes(node, _values(arrays), arrays[0].ndim, arrays[0].shape)
    parts: list[Anything] = np.split(arrays[0], np.cumsum(sizes)[:-1], axis)
    return parts


def _concat(node: Node, arrays: Arrays) -> Any:
    axis = node.options(axis=("int", None))["axis"]
    if axis is None or any(array is None for array in arrays):
        raise node.malformed("expected an attribute axis, and no input left out")
    _limit(node, sum(array.size for array in arrays), *arrays)
    return np.concatenate(arrays, axis)


def _gather(node: Node, arrays: Arrays) -> Any:
    axis = axis_of(node, node.options(axis=("int", 0))["axis"], arrays[0].ndim)
    _limit(node, arrays[0].size // max(1, arrays[0].shape[axis]) * arrays[1].size, arrays[0])
    return np.take(arrays[0], arrays[1], axis)


def _expand(node: Node, arrays: Arrays) -> Any:
    node.options()
    target = integers(node, Constant(arrays[1]), "shape")
    shape = np.broadcast_shapes(arrays[0].shape, tuple(target))
    _limit(node, prod(shape), arrays[0])
    return np.broadcast_to(arrays[0], shape)


def _tile(node: Node, arrays: Arrays) -> Any:
    node.options()
    repeats = integers(node, Constant(arrays[1]), "repeats")
    if len(repeats) != arrays[0].ndim or min(repeats, default=0) < 0:
        raise node.malformed(f"repeats={repeats} of a tensor of rank {arrays[0].ndim}")
    _limit(node, arrays[0].size * prod(repeats), arrays[0])
    return np.tile(arrays[0], repeats)


def _constant(node: Node, arrays: Arrays) -> Any:
    return constant(node)


def _constant_of_shape(node: Node, arrays: Arrays) -> Any:
    fill = np.asarray(node.options(value=("tensor", np.zeros(1, np.float32)))["value"])
    sizes = integers(node, Constant(arrays[0]), "shape")
    _limit(node, prod(sizes), fill)
    return np.broadcast_to(fill.reshape(()), sizes)


def _shape(node: Node, arrays: Arrays) -> Any:
    options = node.options(start=("int", 0), end=("int", None))
    return np.asarray(arrays[0].shape[options["start"] : options["end"]], np.int64)


# Calculating


def _divided(a: Anything, b: Anything) -> Anything:
    """a / b, of integers towards 0."""
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise ValueError("divides an integer by 0")
    return np.asarray(np.sign(a) * np.sign(b) * (abs(a) // abs(b)))


def _elementwise(function: Callable[[Any, Any], Any]) -> Callable[[Node, Arrays], Any]:
    def calculate(node: Node, arrays: Arrays) -> Any:
        node.options()
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        _limit(node, len(arrays) * prod(shape), *arrays)
        return reduce(function, arrays)

    return calculate


def _negative(node: Node, arrays: Arrays) -> Any:
    node.options()
    return -arrays[0]


def _matmul(node: Node, arrays: Arrays) -> Any:
    node.options()
    left, right = arrays
    columns = right.shape[-1] if right.ndim > 1 else 1
    products = left.size * columns * prod(right.shape[:-2])
    _limit(node, products // max(1, left.shape[-1]), left)
    _work(node, products, left)
    return left @ right


def _gemm(node: Node, arrays: Arrays) -> Any:
    options = node.options(
        alpha=("float", 1.0), beta=("float", 1.0), transA=("int", 0), transB=("int", 0)
    )
    left = arrays[0].T if options["transA"] else arrays[0]
    right = arrays[1].T if options["transB"] else arrays[1]
    if left.ndim != 2 or right.ndim != 2 or left.dtype.kind != "f":
        raise node.unsupported(f"expected matrices of floats, got {_show(arrays)}")
    _limit(node, left.shape[0] * right.shape[1], left)
    _work(node, left.size * right.shape[1], left)
    product = options["alpha"] * (left @ right)
    if len(arrays) > 2 and arrays[2] is not None:
        product = product + options["beta"] * arrays[2]
    return product.astype(left.dtype)


def _activation(name: str) -> Callable[[Node, Arrays], Any]:
    def calculate(node: Node, arrays: Arrays) -> Any:
        defaults = CONSTANTS[name].items()
        constants = node.options(**{key: ("float", value) for key, value in defaults})
        if arrays[0].dtype.kind != "f":
            raise node.unsupported(f"expected floats, got {arrays[0].dtype}")
        return ACTIVATIONS[name](arrays[0], **constants).astype(arrays[0].dtype)

    return calculate


def _of_numbers(node: Node, arrays: Arrays) -> Any:
    """A function of each number of the first input, whose constants are attributes."""
    if arrays[0].dtype.kind != "f":
        raise node.unsupported(f"expected floats, got {arrays[0].dtype}")
    f = OPERATORS[node.op][0](node, _values(arrays))
    return f.function(arrays[0]).astype(arrays[0].dtype)


def _clip(node: Node, arrays: Arrays) -> Any:
    if node.opset < 11:
        options = node.options(min=("float", -np.inf), max=("float", np.inf))
        low, high = options["min"], options["max"]
    else:
        node.options()
        low, high = ([*arrays[1:], None, None])[:2]
    if any(isinstance(bound, np.ndarray) and bound.size != 1 for bound in (low, high)):
        raise node.malformed("expected bounds of one number each")
    y = arrays[0] if low is None else np.maximum(arrays[0], np.asarray(low, arrays[0].dtype))
    return y if high is None else np.minimum(y, np.asarray(high, arrays[0].dtype))


def _power(node: Node, arrays: Arrays) -> Any:
    node.options()
    _limit(node, prod(np.broadcast_shapes(arrays[0].shape, arrays[1].shape)), arrays[0])
    return np.power(arrays[0], arrays[1]).astype(arrays[0].dtype)


def _softmax(name: str) -> Callable[[Node, Arrays], Any]:
    def calculate(node: Node, arrays: Arrays) -> Any:
        x = arrays[0]
        axis = node.options(axis=("int", -1 if node.opset >= 13 else 1))["axis"]
        axis = axis_of(node, axis, x.ndim)
        if node.opset >= 13:
            last = np.moveaxis(x, axis, -1)
            return np.moveaxis(ACTIVATIONS[name](last), -1, axis).astype(x.dtype)
        rows = x.reshape(prod(x.shape[:axis]), -1)  # everything from the axis on is one
        return ACTIVATIONS[name](rows).reshape(x.shape).astype(x.dtype)

    return calculate


def _dequantize(node: Node, arrays: Arrays) -> Any:
    """y = (x - zero_point) * scale, each for the whole, along an axis, or in blocks of it."""
    options = node.options(axis=("int", 1), block_size=("int", 0), output_dtype=("int", 0))
    x, scale, zero = [*arrays, None][:3]
    dtype = scale.dtype
    if options["output_dtype"]:
        name = element_name(options["output_dtype"])
        if name not in _DTYPES:
            raise node.unsupported(f"attribute output_dtype={name} is not supported")
        dtype = np.dtype(_DTYPES[name])
    _limit(node, x.size, scale)

    def spread(values: Any) -> Any:
        if values.ndim == 0 or (values.shape == (1,) and not options["block_size"]):
            return values.reshape(())
        axis = axis_of(node, options["axis"], x.ndim)
        if values.ndim == 1 and not options["block_size"]:
            return values.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        size = options["block_size"]
        if size < 1 or values.shape[axis] * size < x.shape[axis]:
            raise node.malformed(f"blocks of {size}: scale {values.shape} of {x.shape}")
        positions = np.arange(x.shape[axis]) // size
        return np.take(values, positions, axis)

    whole = x.dtype.kind in "iu" or x.dtype.name in ("int4", "uint4")
    wide = np.int64 if whole else np.float32
    difference = x.astype(wide)
    if zero is not None:
        difference = difference - spread(zero.astype(wide))
    return (difference.astype(scale.dtype) * spread(scale)).astype(dtype).reshape(x.shape)


_Entry = tuple[Callable[[Node, Arrays], Any], int, int]

FUNCTIONS: Final[Mapping[str, _Entry]] = MappingProxyType(
    {
        **{op: (_activation(name), 1, 1) for op, name in ELEMENTWISE.items()},
        "Add": (_elementwise(np.add), 2, 2),
        "Cast": (_cast, 1, 1),
        "Clip": (_clip, 1, 3),
        "Concat": (_concat, 1, 1000),
        "Constant": (_constant, 0, 0),
        "ConstantOfShape": (_constant_of_shape, 1, 1),
        "DequantizeLinear": (_dequantize, 2, 3),
        "Div": (_elementwise(_divided), 2, 2),
        "Dropout": (_dropout, 1, 3),
        "Expand": (_expand, 2, 2),
        "Gather": (_gather, 2, 2),
        "Gelu": (_of_numbers, 1, 1),
        "Gemm": (_gemm, 2, 3),
        "Identity": (_identity, 1, 1),
        "LogSoftmax": (_softmax("log_softmax"), 1, 1),
        "MatMul": (_matmul, 2, 2),
        "Max": (_elementwise(np.maximum), 1, 1000),
        "Min": (_elementwise(np.minimum), 1, 1000),
        "Mul": (_elementwise(np.multiply), 2, 2),
        "Neg": (_negative, 1, 1),
        "Pow": (_power, 2, 2),
        "Reshape": (_reshape, 2, 2),
        "Selu": (_of_numbers, 1, 1),
        "Shape": (_shape, 1, 1),
        "Slice": (_slice, 1, 5),
        "Softmax": (_softmax("softmax"), 1, 1),
        "Split": (_split, 1, 2),
        "Squeeze": (_squeeze, 1, 2),
        "Sub": (_elementwise(np.subtract), 2, 2),
        "Tile": (_tile, 2, 2),
        "Transpose": (_transpose, 1, 1),
        "Unsqueeze": (_unsqueeze, 1, 2),
    }
)
"""Each operator with how many inputs it requires, and how many it may have."""
