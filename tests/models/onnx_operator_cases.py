"""Nodes of random attributes and inputs, for each operator that NumPy calculates in the backend.

``CASES`` has a strategy for each: what it draws is a node that ONNX's definition allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass
class Case:
    """A node: its inputs, None where one is left out; ``scale`` bounds what its sums are made of,
    so that roundings are at most some 1e-7 of it."""

    op: str
    inputs: Sequence[Array | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 17
    outputs: int = 1
    scale: float = 1.0


class Draw:
    """Numbers and arrays of one example."""

    def __init__(self, draw: Callable[..., Any]) -> None:
        self.one_of = lambda *values: draw(st.sampled_from(values))
        self.int = lambda low, high: draw(st.integers(low, high))
        self.rng = np.random.default_rng(self.int(0, 2**32 - 1))

    def shape(self, least: int = 1, most: int = 4, size: int = 4) -> tuple[int, ...]:
        return tuple(self.int(1, size) for _ in range(self.int(least, most)))

    def floats(self, *shape: int, low: float = -2, high: float = 2) -> Array:
        return self.rng.uniform(low, high, shape).astype(np.float32)

    def ints(self, *shape: int, low: int = -9, high: int = 9, dtype: Any = np.int64) -> Array:
        return self.rng.integers(low, high, shape, endpoint=True).astype(dtype)

    def bools(self, *shape: int) -> Array:
        return self.rng.integers(0, 2, shape).astype(np.bool_)

    def pair(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes that broadcast."""
        shape = self.shape()
        other = tuple(1 if self.int(0, 2) == 0 else size for size in shape)
        return shape, other[self.int(0, len(shape)) :]

    def axis(self, rank: int) -> int:
        return int(self.int(-rank, rank - 1))


def vector(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def windows(d: Draw, sizes: Sequence[int], kernel: Sequence[int], same: bool = True) -> Any:
    """strides, dilations and pads or auto_pad, with which every window has numbers of the data."""
    rank = len(sizes)
    found: dict[str, Any] = {"strides": [d.int(1, 3) for _ in kernel]}
    auto = d.one_of("NOTSET", "NOTSET", "VALID", *(("SAME_UPPER", "SAME_LOWER") if same else ()))
    if auto.startswith("SAME"):  # onnxruntime has no padding below 0, which longer strides come to
        found["strides"] = [min(s, k) for s, k in zip(found["strides"], kernel, strict=True)]
    if auto != "NOTSET":
        return found | {"auto_pad": auto}
    found["dilations"] = [d.int(1, 2) for _ in kernel]
    found["pads"] = [d.int(0, kernel[i % rank] - 1) for i in range(2 * rank)]
    return found


def room(sizes: Sequence[int], kernel: Sequence[int], places: Mapping[str, Any]) -> None:
    """The padded data have a window."""
    rank = len(sizes)
    pads = places.get("pads", [0] * (2 * rank))
    for i, (size, k) in enumerate(zip(sizes, kernel, strict=True)):
        reach = (k - 1) * places.get("dilations", [1] * rank)[i] + 1
        assume(size + pads[i] + pads[rank + i] >= reach)


def conv(d: Draw, op: str = "Conv") -> Case:
    rank, groups = d.int(1, 2), d.one_of(1, 1, 2, 3)
    channels, out = groups * d.int(1, 3), groups * d.int(1, 3)
    sizes = [d.int(3, 9) for _ in range(rank)]
    kernel = [d.int(1, 3) for _ in range(rank)]
    places = windows(d, sizes, kernel)
    room(sizes, kernel, places)
    batch = d.int(1, 3)
    attributes = {"group": groups, **places}
    if op == "ConvInteger":
        x = d.ints(batch, channels, *sizes, low=0, high=255, dtype=np.uint8)
        w = d.ints(out, channels // groups, *kernel, low=0, high=255, dtype=np.uint8)
        zeros = [d.ints(low=0, high=255, dtype=np.uint8) for _ in range(d.int(0, 2))]
        return Case(op, [x, w, *zeros], attributes)
    w = d.floats(out, channels // groups, *kernel)
    bias = [d.floats(out)] if d.int(0, 1) else []
    x = d.floats(batch, channels, *sizes)
    return Case(op, [x, w, *bias], attributes, scale=4.0 * w[0].size)


def conv_transpose(d: Draw) -> Case:
    rank, groups = d.int(1, 2), d.one_of(1, 1, 2)
    channels, out = groups * d.int(1, 3), d.int(1, 3)
    sizes = [d.int(2, 5) for _ in range(rank)]
    kernel = [d.int(1, 4) for _ in range(rank)]
    places = windows(d, sizes, kernel, same=False)
    places.pop("auto_pad", None)
    strides, dilations = places["strides"], places.get("dilations", [1] * rank)
    more = [d.int(0, s - 1) for s in strides]
    pads = places.get("pads", [0] * (2 * rank))
    made = [
        s * (n - 1) + (k - 1) * t + 1 + m - pads[i] - pads[rank + i]
        for i, (s, n, k, t, m) in enumerate(
            zip(strides, sizes, kernel, dilations, more, strict=True)
        )
    ]
    assume(min(made) > 0)
    w = d.floats(channels, out, *kernel)
    bias = [d.floats(out * groups)] if d.int(0, 1) else []
    attributes = {"group": groups, "output_padding": more, **places}
    return Case(
        "ConvTranspose", [d.floats(2, channels, *sizes), w, *bias], attributes, scale=4.0 * w.size
    )


def pool(d: Draw, op: str) -> Case:
    rank = d.int(1, 2)
    sizes = [d.int(3, 9) for _ in range(rank)]
    kernel = [d.int(1, 3) for _ in range(rank)]
    places = windows(d, sizes, kernel)
    attributes = {"kernel_shape": kernel, **places}
    opset = d.one_of(19, 22)
    room(sizes, kernel, places)
    if "auto_pad" not in places:
        attributes["ceil_mode"] = d.int(0, 1)
    if op == "AveragePool":
        attributes["count_include_pad"] = d.int(0, 1)
        # ONNX says nothing of windows without numbers.
        assume(all(size > k for size, k in zip(sizes, kernel, strict=True)))
    return Case(op, [d.floats(2, d.int(1, 3), *sizes)], attributes, opset, scale=9.0)


def global_pool(d: Draw, op: str) -> Case:
    return Case(op, [d.floats(*d.shape(3, 4, 5))])


def reduce(d: Draw, op: str) -> Case:
    shape = d.shape()
    low = 0.1 if op == "ReduceLogSum" else -2.0
    x = d.floats(*shape, low=low)
    if op in ("ReduceMax", "ReduceMin", "ReduceSum") and d.int(0, 2) == 0:
        x = d.ints(*shape, dtype=d.one_of(np.int32, np.int64))
    axes = sorted({d.axis(len(shape)) % len(shape) for _ in range(d.int(0, len(shape)))})
    attributes: dict[str, Any] = {"keepdims": d.int(0, 1)}
    opset = d.one_of(11, 13, 18)
    if opset < (13 if op == "ReduceSum" else 18):
        if axes:
            attributes["axes"] = axes
        return Case(op, [x], attributes, opset, scale=512.0)
    if d.int(0, 1):
        attributes["noop_with_empty_axes"] = d.int(0, 1)
    assume(axes or not attributes.get("noop_with_empty_axes") or op in NO_OP_AGREES)
    return Case(op, [x, vector(*axes)] if axes else [x], attributes, opset, scale=512.0)


NO_OP_AGREES = ("ReduceMax", "ReduceMin", "ReduceSum", "ReduceMean", "ReduceProd")
"""Where onnxruntime gives the input; of others ONNX has changed its mind over versions."""


def arg(d: Draw, op: str) -> Case:
    shape = d.shape()
    x = d.ints(*shape, low=0, high=2, dtype=np.float32)  # with equal ones
    attributes = {
        "axis": d.axis(len(shape)), "keepdims": d.int(0, 1), "select_last_index": d.int(0, 1),
    }  # fmt: skip
    return Case(op, [x], attributes, 13)


def binary(d: Draw, op: str) -> Case:
    one, two = d.pair()
    shapes = (one, two) if d.int(0, 1) else (two, one)
    kind = d.one_of("float", "int")
    if op in ("And", "Or", "Xor"):
        return Case(op, [d.bools(*shape) for shape in shapes])
    if op == "Pow":
        x = d.floats(*shapes[0], low=0.1)
        return Case(op, [x, d.floats(*shapes[1])], scale=16.0)
    if op == "Mod":
        fmod = int(kind == "float")
        parts = [d.floats(*s, low=0.5) if fmod else d.ints(*s) for s in shapes]
        parts[1] = np.where(parts[1] == 0, 1, parts[1])
        parts[0] *= 1 if d.int(0, 1) else -1
        return Case(op, parts, {"fmod": fmod})
    if kind == "int":
        parts = [d.ints(*shape) for shape in shapes]
        if op == "Div":
            parts[1] = np.where(parts[1] == 0, 1, parts[1])
        return Case(op, parts)
    parts = [d.ints(*shape).astype(np.float32) for shape in shapes]  # with equal ones
    if op == "Div":
        parts[1] = np.where(parts[1] == 0, 1, parts[1]).astype(np.float32)
    return Case(op, parts, scale=9.0)


def several(d: Draw, op: str) -> Case:
    one, two = d.pair()
    return Case(op, [d.floats(*one), *(d.floats(*two) for _ in range(d.int(0, 3)))], scale=8.0)


def unary(
    d: Draw, op: str, low: float = -2, high: float = 2, opset: int = 17, **ranges: Any
) -> Case:
    attributes = {
        name: round(float(d.floats(low=least, high=most)), 3)
        for name, (least, most) in ranges.items()
        if d.int(0, 1)
    }
    return Case(op, [d.floats(*d.shape(), low=low, high=high)], attributes, opset, scale=8.0)


def rounded(d: Draw, op: str) -> Case:
    return Case(op, [d.ints(*d.shape(), low=-12, high=12).astype(np.float32) / 4])


def gelu(d: Draw) -> Case:
    return Case("Gelu", [d.floats(*d.shape())], {"approximate": d.one_of("none", "tanh")}, 20)


def clip(d: Draw) -> Case:
    x = d.floats(*d.shape())
    if d.int(0, 1):
        return Case("Clip", [x], {"min": -1.0, "max": 0.5} if d.int(0, 1) else {}, 8)
    bounds = [np.array(-0.5, np.float32) if d.int(0, 1) else None]
    return Case("Clip", [x, *bounds, np.array(0.75, np.float32)])


def softmax(d: Draw, op: str) -> Case:
    shape = d.shape()
    return Case(op, [d.floats(*shape)], {"axis": d.axis(len(shape))}, d.one_of(11, 13))


def prelu(d: Draw) -> Case:
    one, two = d.pair()
    return Case("PRelu", [d.floats(*one), d.floats(*two)], scale=4.0)


def cumsum(d: Draw) -> Case:
    shape = d.shape()
    attributes = {"exclusive": d.int(0, 1), "reverse": d.int(0, 1)}
    axis = np.array(d.axis(len(shape)), np.int64)
    return Case("CumSum", [d.floats(*shape), axis], attributes, scale=8.0)


def where(d: Draw) -> Case:
    one, two = d.pair()
    return Case("Where", [d.bools(*two), d.floats(*one), d.floats(*two)])


def pad(d: Draw) -> Case:
    shape = d.shape(1, 3, 5)
    mode = d.one_of("constant", "constant", "reflect", "edge")
    high = [min(2, size - 1) if mode == "reflect" else 2 for size in shape]
    low = -1 if mode == "constant" and min(shape) > 2 else 0
    pads = [d.int(low, h) for h in (*high, *high)]
    x = d.floats(*shape)
    if d.int(0, 2) == 0:
        value = {"value": 0.5} if mode == "constant" else {}
        return Case("Pad", [x], {"mode": mode, "pads": pads, **value}, 10)
    fill = np.array(0.25, np.float32) if mode == "constant" and d.int(0, 1) else None
    if d.int(0, 1):
        return Case("Pad", [x, vector(*pads), fill], {"mode": mode}, 13)
    axis = d.int(0, len(shape) - 1)
    pads = [pads[axis], pads[len(shape) + axis]]
    return Case("Pad", [x, vector(*pads), fill, vector(axis)], {"mode": mode}, 18)


def resize(d: Draw) -> Case:
    shape = (1, 2, d.int(2, 5), d.int(2, 5))
    attributes = {
        "mode": d.one_of("nearest", "linear"),
        "coordinate_transformation_mode": d.one_of("half_pixel", "asymmetric", "align_corners"),
    }
    if attributes["mode"] == "nearest":
        attributes["nearest_mode"] = d.one_of(
            "floor", "ceil", "round_prefer_floor", "round_prefer_ceil"
        )
    sizes = vector(1, 2, *(size * d.int(1, 3) for size in shape[2:]))
    return Case("Resize", [d.floats(*shape), None, None, sizes], attributes, 13, scale=4.0)


def norm(d: Draw, op: str) -> Case:
    shape = d.shape(3, 4)
    channels = [d.floats(shape[1], low=0.5) for _ in range(4)]
    x = d.floats(*shape)
    if op == "BatchNormalization":
        return Case(op, [x, *channels], {"epsilon": 1e-3}, d.one_of(8, 9, 15), scale=16.0)
    if op == "InstanceNormalization":
        return Case(op, [x, *channels[:2]], {"epsilon": 1e-2}, scale=64.0)
    axis = d.axis(len(shape))
    tail = shape[axis:] if axis >= 0 else shape[len(shape) + axis :]
    bias = [d.floats(*tail)] if d.int(0, 1) else []
    return Case(op, [x, d.floats(*tail), *bias], {"axis": axis, "epsilon": 1e-2}, scale=64.0)


def lp_norm(d: Draw) -> Case:
    shape = d.shape()
    return Case(
        "LpNormalization", [d.floats(*shape)], {"axis": d.axis(len(shape)), "p": d.int(1, 2)}
    )


def gather_elements(d: Draw) -> Case:
    shape = d.shape()
    axis = d.axis(len(shape))
    size = shape[axis]
    wanted = tuple(d.int(1, 4) if i == axis % len(shape) else s for i, s in enumerate(shape))
    indices = d.ints(*wanted, low=-size, high=size - 1)
    return Case("GatherElements", [d.floats(*shape), indices], {"axis": axis})


def gather_nd(d: Draw) -> Case:
    shape = d.shape(2, 4)
    batch = d.int(0, 1)
    count = d.int(1, len(shape) - batch)
    lead = (*shape[:batch], *d.shape(1, 2))
    indices = np.stack(
        [d.ints(*lead, low=-shape[batch + i], high=shape[batch + i] - 1) for i in range(count)], -1
    )
    return Case("GatherND", [d.floats(*shape), indices], {"batch_dims": batch})


def scatter_nd(d: Draw) -> Case:
    shape = d.shape(1, 3)
    count = d.int(1, len(shape))
    rows = d.rng.permutation(int(np.prod(shape[:count])))[: d.int(1, 4)]  # no place twice
    indices = np.stack(np.unravel_index(rows, shape[:count]), -1).astype(np.int64)
    updates = d.floats(*indices.shape[:-1], *shape[count:])
    how = d.one_of("none", "add", "mul", "max", "min")
    return Case("ScatterND", [d.floats(*shape), indices, updates], {"reduction": how}, 18)


def scatter_elements(d: Draw) -> Case:
    shape = d.shape()
    axis = d.axis(len(shape))
    order = np.argsort(d.rng.random(shape), axis).astype(np.int64)  # no place twice
    how = d.one_of("none", "add", "mul", "max", "min")
    return Case(
        "ScatterElements",
        [d.floats(*shape), order, d.floats(*shape)],
        {"axis": axis, "reduction": how},
        18,
    )


def top_k(d: Draw) -> Case:
    shape = d.shape(size=6)
    axis = d.axis(len(shape))
    k = vector(d.int(1, shape[axis]))
    x = d.ints(*shape, low=0, high=3).astype(np.float32)  # with equal ones
    return Case("TopK", [x, k], {"axis": axis, "largest": d.int(0, 1)}, outputs=2)


def one_hot(d: Draw) -> Case:
    shape = d.shape(1, 3)
    depth = d.int(1, 5)
    indices = d.ints(*shape, low=-depth, high=depth - 1)
    pair = np.array([d.int(-2, 0), d.int(1, 3)], np.float32)
    axis = d.axis(len(shape) + 1)
    return Case("OneHot", [indices, np.array(depth, np.int64), pair], {"axis": axis})


def reverse_sequence(d: Draw) -> Case:
    shape = (d.int(1, 5), d.int(1, 5), *d.shape(1, 2))
    time = d.int(0, 1)
    lengths = d.ints(shape[1 - time], low=1, high=shape[time])
    attributes = {"time_axis": time, "batch_axis": 1 - time}
    return Case("ReverseSequence", [d.floats(*shape), lengths], attributes)


def numbers(d: Draw) -> Case:
    whole = bool(d.int(0, 1))
    step = d.one_of(-2, -1, 1, 3)
    ends = [np.array(n, np.int64 if whole else np.float32) for n in (d.int(-5, 5), d.int(-5, 5))]
    return Case("Range", [*ends, np.array(step, ends[0].dtype)])


def quantize(d: Draw, op: str) -> Case:
    shape = d.shape(1, 3)
    axis = d.axis(len(shape))
    each = bool(d.int(0, 1))
    scale = d.floats(*([shape[axis]] if each else []), low=0.01, high=0.1)
    dtype = d.one_of(np.int8, np.uint8)
    ends = np.iinfo(dtype)
    zero = d.ints(*scale.shape, low=ends.min, high=ends.max, dtype=dtype)
    if op == "QuantizeLinear":
        x = d.floats(*shape, low=-9, high=9)
        return Case(op, [x, scale, zero], {"axis": axis})
    x = d.ints(*shape, low=ends.min, high=ends.max, dtype=dtype)
    return Case(op, [x, scale, zero], {"axis": axis}, scale=32.0)


def dynamic(d: Draw) -> Case:
    return Case("DynamicQuantizeLinear", [d.floats(*d.shape(), low=-3)], outputs=3)


def matmul_integer(d: Draw) -> Case:
    m, k, n = d.int(1, 4), d.int(1, 6), d.int(1, 4)
    # Without VNNI onnxruntime adds two products in int16, which larger numbers saturate.
    a = d.ints(m, k, low=0, high=127, dtype=np.uint8)
    b = d.ints(k, n, low=-128, high=127, dtype=np.int8)
    zeros = [d.ints(low=0, high=255, dtype=np.uint8), d.ints(low=-128, high=127, dtype=np.int8)]
    return Case("MatMulInteger", [a, b, *zeros[: d.int(0, 2)]])


def _ends(d: Draw, count: int = 1) -> list[Any]:
    """A scale, one or one of each channel, and a zero point, as of a quantiser."""
    size = d.one_of((), (count,)) if count > 1 else ()
    scale = np.asarray(d.floats(*size, low=0.01, high=0.1), np.float32)
    low, high = (0, 0) if size else (-9, 9)  # of channels onnxruntime takes zeros alone
    return [scale, d.ints(*size, low=low, high=high, dtype=np.int8)]


def qlinear_matmul(d: Draw) -> Case:
    m, k, n = d.int(1, 4), d.int(1, 20), d.int(1, 5)
    a = d.ints(m, k, low=-128, high=127, dtype=np.int8)
    b = d.ints(k, n, low=-64, high=63, dtype=np.int8)  # as many as every CPU multiplies exactly
    return Case("QLinearMatMul", [a, *_ends(d), b, *_ends(d, n), *_ends(d)])


def qlinear_conv(d: Draw) -> Case:
    case = conv(d, "Conv")
    x, w, *bias = case.inputs
    x = d.ints(*x.shape, low=0, high=255, dtype=np.uint8)
    own = [d.floats(low=0.01, high=0.1), d.ints(low=100, high=140, dtype=np.uint8)]
    ends = [d.floats(low=0.01, high=0.1), d.ints(low=100, high=140, dtype=np.uint8)]
    bias = [d.ints(len(w), low=-500, high=500, dtype=np.int32)] * len(bias)
    w = d.ints(*w.shape, low=-64, high=63, dtype=np.int8)
    weights = [w, d.floats(low=0.01, high=0.1), d.ints(low=0, high=0, dtype=np.int8)]
    return Case("QLinearConv", [x, *own, *weights, *ends, *bias], case.attributes)


def cast(d: Draw) -> Case:
    types = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 11: "f8"}
    x = d.ints(*d.shape(), low=0, high=100).astype(types[d.one_of(*types)])
    return Case("Cast", [x], {"to": d.one_of(*types)})


def blocks(d: Draw, op: str) -> Case:
    b = d.int(2, 3)
    shape = (1, 2 * b * b, 2, 3) if op == "DepthToSpace" else (1, 2, 2 * b, 3 * b)
    mode = {"mode": d.one_of("DCR", "CRD")} if op == "DepthToSpace" else {}
    return Case(op, [d.floats(*shape)], {"blocksize": b, **mode}, 13)


def einsum(d: Draw) -> Case:
    i, j, k = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    inputs = [d.floats(2, i, j), d.floats(2, j, k)]
    return Case("Einsum", inputs, {"equation": "bij,bjk->bik"}, scale=16.0)


def plain(d: Draw, op: str) -> Case:
    """Operators of one tensor without attributes that matter."""
    shape = d.shape(2, 4) if op == "Trilu" else d.shape()
    x = d.bools(*shape) if op == "Not" else d.ints(*shape, low=-1, high=1).astype(np.float32)
    if op in ("IsNaN", "IsInf"):
        x = np.array([np.nan, np.inf, -np.inf, 1], np.float32)[d.ints(*shape, low=0, high=3)]
    attributes = {"axis": d.axis(len(shape))} if op == "Flatten" else {}
    return Case(op, [x], attributes)


UNARY: Mapping[str, dict[str, Any]] = {
    "Abs": {}, "Acos": {"low": -0.9, "high": 0.9}, "Acosh": {"low": 1.1},
    "Asin": {"low": -0.9, "high": 0.9}, "Asinh": {}, "Atan": {},
    "Atanh": {"low": -0.9, "high": 0.9}, "Celu": {"alpha": (0.5, 2)}, "Cos": {}, "Cosh": {},
    "Elu": {"alpha": (0.5, 2)}, "Erf": {}, "Exp": {},
    "HardSigmoid": {"alpha": (0.1, 0.5), "beta": (0.2, 0.6)}, "HardSwish": {},
    "LeakyRelu": {"alpha": (0, 1)}, "Log": {"low": 0.1}, "Mish": {"opset": 18}, "Neg": {},
    "Reciprocal": {"low": 0.5}, "Relu": {}, "Selu": {"alpha": (1, 2), "gamma": (1, 2)},
    "Sigmoid": {}, "Sign": {}, "Sin": {}, "Sinh": {}, "Softplus": {}, "Softsign": {},
    "Sqrt": {"low": 0.0}, "Tan": {"low": -1, "high": 1}, "Tanh": {},
    "ThresholdedRelu": {"alpha": (-1, 1)},
}  # fmt: skip

CASES: Mapping[str, Callable[[Draw], Case]] = {
    **{op: partial(unary, op=op, **options) for op, options in UNARY.items()},
    **{op: partial(binary, op=op) for op in (
        "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mod",
        "Mul", "Or", "Pow", "Sub", "Xor",
    )},
    **{op: partial(reduce, op=op) for op in (
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
    )},
    **{op: partial(plain, op=op) for op in (
        "Flatten", "IsInf", "IsNaN", "NonZero", "Not", "Shape", "Size", "Trilu",
    )},
    **{op: partial(several, op=op) for op in ("Max", "Mean", "Min", "Sum")},
    **{op: partial(rounded, op=op) for op in ("Ceil", "Floor", "Round")},
    **{op: partial(conv, op=op) for op in ("Conv", "ConvInteger")},
    **{op: partial(pool, op=op) for op in ("AveragePool", "MaxPool")},
    **{op: partial(global_pool, op=op) for op in ("GlobalAveragePool", "GlobalMaxPool")},
    **{op: partial(arg, op=op) for op in ("ArgMax", "ArgMin")},
    **{op: partial(softmax, op=op) for op in ("LogSoftmax", "Softmax")},
    **{op: partial(quantize, op=op) for op in ("DequantizeLinear", "QuantizeLinear")},
    **{op: partial(blocks, op=op) for op in ("DepthToSpace", "SpaceToDepth")},
    **{op: partial(norm, op=op) for op in (
        "BatchNormalization", "InstanceNormalization", "LayerNormalization",
    )},
    "Cast": cast, "Clip": clip, "ConvTranspose": conv_transpose, "CumSum": cumsum,
    "DynamicQuantizeLinear": dynamic, "Einsum": einsum, "GatherElements": gather_elements,
    "GatherND": gather_nd, "Gelu": gelu, "LpNormalization": lp_norm,
    "MatMulInteger": matmul_integer, "OneHot": one_hot, "PRelu": prelu, "Pad": pad,
    "QLinearConv": qlinear_conv, "QLinearMatMul": qlinear_matmul,
    "Range": numbers, "Resize": resize, "ReverseSequence": reverse_sequence,
    "ScatterElements": scatter_elements, "ScatterND": scatter_nd, "TopK": top_k, "Where": where,
}  # fmt: skip
