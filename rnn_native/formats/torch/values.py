"""What a pickle of ``torch.save`` may name: a closed table, with stand-ins for PyTorch's objects.

None of them calls anything of anybody's. What a model is not made of (devices, sets, scalars of
NumPy) becomes ``OPAQUE``: it is known, does no harm, and nobody looks at its value. What the table
has not is ``Foreign``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ...errors import FormatError
from .foreign import Foreign, Unread
from .numpy_arrays import encoded, from_buffer, numpy_type, reconstruct

QUANTIZED: Final = ("qint8", "quint8", "qint32")
_OTHERWISE: Final = (
    "quantized, but not as qint8, quint8 or qint32 with a scale, or one of each channel, and "
    "integer zeros; save the state_dict from before quantizing"
)
_MAX_RANK: Final = 16
_MAX_INTEGER: Final = 2**63 - 1


class _Opaque:
    """Something known whose value does not matter."""

    __slots__ = ()


OPAQUE: Final = _Opaque()


class Pairs:
    """A dict as it stands in the pickle: keys and values in turn, nothing hashed.

    ``rows`` are pairs that came first, by reference: so Python 2 wrote an ``OrderedDict``.
    """

    __slots__ = ("flat", "rows")

    def __init__(self, rows: list[Any] | None = None) -> None:
        self.flat: list[Any] = []
        self.rows = rows

    def items(self) -> Iterator[tuple[Any, Any]]:
        for row in self.rows or ():
            if type(row) not in (list, tuple) or len(row) != 2:
                raise FormatError(f"OrderedDict: expected pairs, got {describe(row)}")
            yield row[0], row[1]
        flat = iter(self.flat)
        yield from zip(flat, flat, strict=True)


@dataclass(frozen=True, slots=True)
class DType:
    """An element type by PyTorch's name, and its size in bytes."""

    name: str
    itemsize: int


@dataclass(frozen=True, slots=True)
class QScheme:
    """A way of quantizing by PyTorch's name."""

    name: str


@dataclass(frozen=True, slots=True)
class StorageType:
    """The class of a storage; one that is not typed is of ``uint8``."""

    dtype: DType


@dataclass(frozen=True, slots=True)
class Storage:
    """``numel`` elements from byte ``begin`` of the bytes that the container has under ``key``."""

    key: str
    dtype: DType
    begin: int
    numel: int

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Quantizer:
    """What integers stand for, ``(q - zero) * scale``: of all, or of each index of an axis."""

    scale: float | Tensor
    zero: int | Tensor
    axis: int | None = None


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage, in elements; checked to lie inside it."""

    storage: Storage
    dtype: DType
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    plain: bool  # neither conjugated nor negated in passing
    quantizer: Quantizer | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """What REDUCE may call: ours, in the place of what the pickle names."""

    name: str
    call: Callable[[tuple[Any, ...]], Any]


def describe(value: Any) -> str:
    """For messages: never the repr of a container, which can be endless."""
    if value is None or type(value) in (str, int, float, bool):
        return f"{value!r:.100}"
    if type(value) is Foreign:
        return f"an object of {value}"
    return {Pairs: "a dict", _Opaque: "something else"}.get(type(value), type(value).__name__)


def naturals(where: str, value: Any) -> tuple[int, ...]:
    if type(value) is not tuple or len(value) > _MAX_RANK or not all(map(is_natural, value)):
        raise FormatError(f"{where}: expected at most {_MAX_RANK} integers from 0")
    return value


def is_natural(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_INTEGER


def _tensor(name: str, args: tuple[Any, ...], dtype: DType | None, metadata: Any) -> Tensor:
    storage, offset, shape, stride = args
    if type(storage) is not Storage:
        raise FormatError(f"{name}: expected a storage, got {describe(storage)}")
    shape, stride = naturals(f"{name}: size", shape), naturals(f"{name}: stride", stride)
    if len(shape) != len(stride):
        raise FormatError(f"{name}: {len(shape)} sizes, but {len(stride)} strides")
    if not is_natural(offset):
        raise FormatError(f"{name}: offset: expected an integer from 0, got {describe(offset)}")
    if dtype is None:
        dtype, numel = storage.dtype, storage.numel
    else:
        numel = storage.numel * storage.dtype.itemsize // dtype.itemsize
    end = offset
    if 0 not in shape:
        end += 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if end > numel:
        raise FormatError(
            f"{name}: a tensor of shape {shape}, stride {stride} and offset {offset} "
            f"reaches past its storage of {numel} elements"
        )
    plain = metadata is None or (type(metadata) is Pairs and not metadata.flat)
    return Tensor(storage, dtype, offset, shape, stride, plain)


def _count(name: str, args: tuple[Any, ...], least: int, most: int) -> None:
    if not least <= len(args) <= most:
        raise FormatError(f"{name}: {len(args)} arguments")


def _rebuild_tensor(args: tuple[Any, ...]) -> Tensor:  # storage, offset, size, stride
    _count("_rebuild_tensor", args, 4, 4)
    return _tensor("_rebuild_tensor", args, None, None)


def _rebuild_tensor_v2(args: tuple[Any, ...]) -> Tensor:  # ..., requires_grad, hooks, metadata
    _count("_rebuild_tensor_v2", args, 6, 7)
    return _tensor("_rebuild_tensor_v2", args[:4], None, args[6] if len(args) > 6 else None)


def _rebuild_tensor_v3(args: tuple[Any, ...]) -> Tensor:  # ..., requires_grad, hooks, dtype, ...
    _count("_rebuild_tensor_v3", args, 7, 8)
    if type(args[6]) is not DType:
        raise FormatError(f"_rebuild_tensor_v3: expected a dtype, got {describe(args[6])}")
    return _tensor("_rebuild_tensor_v3", args[:4], args[6], args[7] if len(args) > 7 else None)


def _rebuild_qtensor(args: tuple[Any, ...]) -> Tensor | Unread:
    _count("_rebuild_qtensor", args, 6, 7)  # storage, offset, size, stride, quantizer, ...
    said, storage = args[4], args[0]
    if type(storage) is Storage and storage.dtype.name not in QUANTIZED:
        return Unread(_OTHERWISE)  # several numbers in a byte
    tensor = _tensor("_rebuild_qtensor", args[:4], None, None)
    if type(said) is tuple and len(said) == 3 and said[0] == _PER_TENSOR:
        if type(said[1]) is float and type(said[2]) is int and abs(said[2]) < 2**31:
            return replace(tensor, quantizer=Quantizer(*said[1:]))
    elif type(said) is tuple and len(said) == 4 and said[0] == _PER_CHANNEL:
        scales, zeros, axis = said[1:]
        numbers = type(scales) is Tensor and type(zeros) is Tensor
        if numbers and is_natural(axis) and axis < len(tensor.shape):
            return replace(tensor, quantizer=Quantizer(scales, zeros, axis))
    return Unread(_OTHERWISE)


def _rebuild_parameter(args: tuple[Any, ...]) -> Tensor | Foreign | Unread:  # data, ...
    _count("_rebuild_parameter", args, 3, 4)
    if type(args[0]) not in (Tensor, Foreign, Unread):
        raise FormatError(f"_rebuild_parameter: expected a tensor, got {describe(args[0])}")
    value: Tensor | Foreign | Unread = args[0]
    return value


def _rebuild_from_type(args: tuple[Any, ...]) -> Any:  # function, type, arguments, state
    _count("_rebuild_from_type_v2", args, 4, 4)
    function, kind, arguments, _ = args
    for name in (kind, function):
        if type(name) is Foreign:  # a class derived from Tensor, which may read it otherwise
            return name.made_of(args)
    if function not in _REBUILDERS or kind is not OPAQUE or type(arguments) is not tuple:
        raise FormatError("_rebuild_from_type_v2: expected a function for tensors, a type, a tuple")
    return function.call(arguments)


def _ordered_dict(args: tuple[Any, ...]) -> Pairs:
    _count("OrderedDict", args, 0, 1)
    if args and type(args[0]) is not list:
        raise FormatError(f"OrderedDict: expected a list of pairs, got {describe(args[0])}")
    return Pairs(*args)


def _default_dict(args: tuple[Any, ...]) -> Pairs:
    _count("defaultdict", args, 0, 1)  # the factory, which nobody calls
    return Pairs()


def _size(args: tuple[Any, ...]) -> tuple[int, ...]:
    _count("torch.Size", args, 1, 1)
    return naturals("torch.Size", args[0])


def _opaque(args: tuple[Any, ...]) -> Any:
    return OPAQUE


_REBUILDERS: Final = tuple(
    Function(f"torch._utils.{call.__name__}", call)
    for call in (_rebuild_tensor, _rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter)
)
_SIZES: Final[Mapping[int, str]] = {
    1: "uint8 int8 bool qint8 quint8 quint4x2 quint2x4 float8_e4m3fn float8_e5m2 float8_e4m3fnuz "
    "float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2",
    2: "int16 uint16 float16 bfloat16",
    4: "int32 uint32 float32 qint32 complex32",
    8: "int64 uint64 float64 complex64",
    16: "complex128",
}
_DTYPES: Final = {
    name: DType(name, size) for size, names in _SIZES.items() for name in names.split()
}
_STORAGES: Final[Mapping[str, str]] = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128", "ComplexFloatStorage": "complex64",
    "QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "uint8", "_UntypedStorage": "uint8",
}  # fmt: skip


_PER_TENSOR: Final = QScheme("per_tensor_affine")
_PER_CHANNEL: Final = QScheme("per_channel_affine")
_CORES: Final = ("core", "_core")  # NumPy before 2, and since


def _table() -> Iterator[tuple[str, Any]]:
    for name, dtype in _DTYPES.items():
        yield f"torch.{name}", dtype
    for name, of in _STORAGES.items():
        for module in ("torch", "torch.cuda", "torch.storage"):
            yield f"{module}.{name}", StorageType(_DTYPES[of])
    for function in _REBUILDERS:
        yield function.name, function
    for name, call in (
        ("torch._utils._rebuild_parameter_with_state", _rebuild_parameter),
        ("torch._tensor._rebuild_from_type_v2", _rebuild_from_type),
        ("torch._utils._rebuild_qtensor", _rebuild_qtensor),
        ("torch.Size", _size),
        ("collections.OrderedDict", _ordered_dict),
        ("collections.defaultdict", _default_dict),
        ("_codecs.encode", encoded),
        ("numpy.dtype", numpy_type),
        *((f"numpy.{core}.multiarray._reconstruct", reconstruct) for core in _CORES),
        *((f"numpy.{core}.numeric._frombuffer", from_buffer) for core in _CORES),
    ):
        yield name, Function(name, call)
    for scheme in (_PER_TENSOR, _PER_CHANNEL):
        yield f"torch.{scheme.name}", scheme
    for name in ("torch.Tensor", "torch.nn.parameter.Parameter", "numpy.ndarray"):
        yield name, OPAQUE  # types that are named, not called
    called = ["torch.device", "torch.serialization._get_layout", "collections.Counter"]
    called += [f"numpy.{core}.multiarray.scalar" for core in _CORES]
    for module in ("builtins", "__builtin__"):  # of Python 3 and 2
        names = ("set", "frozenset", "bytes", "bytearray", "complex", "range", "xrange")
        called += [f"{module}.{name}" for name in names]
        for name in ("dict", "list", "tuple", "int", "long", "float", "str", "unicode", "bool"):
            yield f"{module}.{name}", OPAQUE
    for name in called:
        yield name, Function(name, _opaque)


KNOWN: Final[Mapping[str, Any]] = dict(_table())
"""Everything that a pickle may name, as ``module.name``."""
