"""Hostile pickles: nothing they name is called, whatever is malformed is refused by what it is.

What they may have beside their weights, and what stands for it: ``test_formats_torch_foreign``.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_files import (
    CONTAINERS,
    ORDERED,
    Call,
    Name,
    Raw,
    Storage,
    legacy_file,
    tensor,
    whole,
    zip_file,
)

from rnn_native.errors import FormatError, UnsupportedError
from rnn_native.formats.torch import unpack

Container = Callable[..., bytes]
ONES = np.ones(6, np.float32)


@pytest.fixture(params=list(CONTAINERS))
def container(request: pytest.FixtureRequest) -> Container:
    return CONTAINERS[request.param]


class Reduced:
    """Pickled, it asks for what it is told to."""

    def __init__(self, function: Any, *args: Any) -> None:
        self._reduced = function, args

    def __reduce__(self) -> Any:
        return self._reduced


@pytest.mark.parametrize("protocol", range(6))
def test_real_pickles_that_call_are_refused_by_name(protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    data = pickle.dumps({"a": Reduced(Path.touch, target)}, protocol)
    for file, named in ((data, "not of torch.save"), (zip_file(None, {"data.pkl": data}), "asks")):
        with pytest.raises((FormatError, UnsupportedError)) as caught:
            unpack(file)
        assert protocol < 2 or named in str(caught.value)
    assert not target.exists()
    pickle.loads(data)  # it would have worked
    assert target.exists()


@pytest.mark.parametrize(
    "name",
    [
        "os.system", "posix.system", "subprocess.Popen", "builtins.eval", "__builtin__.exec",
        "builtins.getattr", "builtins.__import__", "torch.load", "torch.hub.load",
        "torch.storage._load_from_bytes", "torch.jit.load", "torch.nn.modules.rnn.LSTM",
        "__main__.Net", "collections.namedtuple", "numpy.load", "_codecs.lookup",
        "torch._utils.__builtins__", "rnn_native.load", "torch.FloatTensor",
    ],
)  # fmt: skip
def test_functions_of_others_are_refused_by_name(name: str, container: Container) -> None:
    module, _, attribute = name.rpartition(".")
    with pytest.raises(UnsupportedError, match=f"the pickle asks for '{name}'"):
        unpack(container(Call(Name(module, attribute), ("true",))))


def test_a_whole_module_is_refused_with_what_to_do(container: Container) -> None:
    built = Raw(b"ctorch.nn.modules.rnn\nLSTM\n)\x81}X\x04\0\0\0modeX\x04\0\0\0LSTMsb")
    with pytest.raises(
        UnsupportedError, match=r"save its weights: torch\.save\(model\.state_dict\(\)"
    ):
        unpack(container(built))


REBUILD, V3 = Name("torch._utils", "_rebuild_tensor_v2"), Name("torch._utils", "_rebuild_tensor_v3")
ORDERED_OPCODES = b"ccollections\nOrderedDict\n"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Call(Call(ORDERED)), "calls a dict with tuple"),
        (Call(Name("torch", "float32")), "calls DType"),
        (Call(Name("torch", "FloatStorage"), (3,)), "calls StorageType"),
        (Call(Name("torch", "Tensor")), "calls something else"),
        (Raw(ORDERED_OPCODES + b"NR"), "calls Function with None"),
        (Raw(b"NNR"), "calls None with None"),
        (Raw(b"K\x05}b"), "sets the state of 5"),
        (Raw(b"]}b"), "sets the state of list"),
        (Raw(ORDERED_OPCODES + b"}b"), "sets the state of Function"),
        (Call(ORDERED, (3,)), "OrderedDict: expected a list of pairs, got 3"),
        (Call(ORDERED, (1, 2)), "OrderedDict: 2 arguments"),
        ([Call(ORDERED, ([(1, 2, 3)],))], "OrderedDict: expected pairs, got tuple"),
        (Call(REBUILD, ()), "_rebuild_tensor_v2: 0 arguments"),
        (Call(REBUILD, (1, 0, (1,), (1,), False, None)), "expected a storage, got 1"),
        (Call(Name("torch._utils", "_rebuild_parameter"), (1, 2, 3)), "expected a tensor, got 1"),
        (Call(Name("torch", "Size"), ([1],)), "torch.Size: expected at most 16 integers"),
        (Call(Name("torch._tensor", "_rebuild_from_type_v2"), (ORDERED, 1, (), 1)), "for tensors"),
        (Raw(b"}Ns"), "expected a dict at byte .*, got nothing"),
        (Raw(b"0"), "nothing on the stack"),
        (Raw(b"K\x00q\x010h\x02"), "no entry 2 in the memo"),
        (Raw(b"h\x00"), "no entry 0 in the memo"),
        (Raw(b"Nr\xff\xff\xff\xff"), "entry 4294967295 of the memo is out of order"),
        (Raw(b"t"), "no mark"),
        (Raw(b"}(Nu"), "a key without a value"),
        (Raw(b"](Nu"), "no mark|expected a dict|a key without"),
        (Raw(b"NNa"), "expected a list at byte .*, got None"),
        (Raw(b"NNNs"), "expected a dict at byte .*, got None"),
        (Raw(b"](N\x90"), "expected a set at byte .*, got list"),
        (Raw(b"\x8b\xff\xff\xff\x7f"), "an integer of 2147483647 bytes"),
        (Raw(b"X\xff\xff\xff\xff"), "truncated"),
        (Raw(b"\x8d" + b"\xff" * 8), "truncated"),
        (Raw(b"\x8e" + b"\xff" * 8), "truncated"),
        (Raw(b"\x95" + b"\xff" * 8), "truncated"),
        (Raw(b"X\x02\0\0\0\xff\xff"), "text that is not UTF-8"),
        (Raw(b"X\x03\0\0\0\xed\xa0\x80"), "text that is not UTF-8"),
        (Raw(b"c" + b"a" * 501 + b"\nb\n"), "a name at byte .* does not end"),
        (Raw(b"NN\x93"), "expected names, got None, None"),
        (Raw(b"I5\n"), "opcode INT at byte .*: neither torch.save nor NumPy writes such"),
        (Raw(b"P0\n"), "opcode PERSID"),
        (Raw(b"\x82\x01"), "opcode EXT1"),
        (Raw(b"\x97"), "opcode NEXT_BUFFER"),
        (Raw(b"\xff"), "opcode 0xff"),
        (Raw(b"NQ"), "persistent id: expected that of a storage, got None"),
        (Raw(b"NNNNN(NNNNNtQ"), "persistent id: expected that of a storage, got None"),
        ({"x": whole("0", ONES), "y": Call(V3, (1,) * 7)}, "expected a dtype, got 1"),
    ],
)
def test_malformed_pickles_are_refused(value: Any, message: str, container: Container) -> None:
    """And those with what pickles may have, and none of PyTorch's or NumPy's has."""
    known = message.startswith("opcode ") and "0x" not in message
    with pytest.raises(UnsupportedError if known else FormatError, match=message):
        unpack(container(value))


@pytest.mark.parametrize(
    ("shape", "stride", "offset", "message"),
    [
        ([7], [1], 0, "reaches past its storage of 6 elements"),
        ([6], [1], 1, "reaches past"),
        ([2, 2], [4, 2], 0, "reaches past"),
        ([2], [2**62], 0, "reaches past"),
        ([2**62, 2**62], [2**62, 1], 0, "reaches past"),
        ([1], [1], 2**63 - 1, "reaches past"),
        ([0], [1], 7, "reaches past"),
        ([1], [1], 2**63, "offset: expected an integer from 0, got 9223372036854775808"),
        ([1], [1], -1, "offset: expected an integer from 0, got -1"),
        ([1], [1], None, "offset: expected an integer from 0, got None"),
        ([1], [1], True, "offset: expected an integer from 0, got True"),
        ([2], [-1], 1, "stride: expected at most 16 integers from 0"),
        ([-1], [1], 0, "size: expected at most"),
        ([2**63], [0], 0, "size: expected at most"),
        ([1.0], [1], 0, "size: expected at most"),
        ([1] * 17, [1] * 17, 0, "size: expected at most"),
        ([1, 1], [1], 0, "2 sizes, but 1 strides"),
    ],
)
def test_a_tensor_stays_inside_its_storage(
    shape: list[Any], stride: list[Any], offset: Any, message: str, container: Container
) -> None:
    with pytest.raises(FormatError, match=message):
        unpack(container({"x": tensor(Storage.of("0", ONES), shape, stride, offset)}))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=3), st.integers(0, 9))
def test_a_tensor_is_read_where_numpy_would_allow_it(
    axes: list[tuple[int, int]], offset: int
) -> None:
    shape, stride = [size for size, _ in axes], [step for _, step in axes]
    try:
        bytes_of = [4 * step for step in stride]
        want = np.ndarray(shape, np.float32, ONES.tobytes(), 4 * offset, bytes_of)
    except (ValueError, TypeError):
        want = None
    data = zip_file({"x": tensor(Storage.of("0", ONES), shape, stride, offset)})
    if want is None:
        with pytest.raises(FormatError, match="reaches past"):
            unpack(data)
    elif want.size:
        np.testing.assert_array_equal(unpack(data)[1]["x"], want)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numel": 7}, "storage '0'"),
        ({"numel": 5}, "storage '0'|4 bytes follow the last storage"),
        ({"numel": 2**61}, "storage '0'"),
        ({"numel": -1}, "storage '0': -1 elements"),
        ({"numel": 2**64}, "storage '0': 18446744073709551616 elements"),
        ({"numel": 6.0}, "storage '0': 6.0 elements"),
        ({"kind": "DoubleStorage"}, "storage '0'"),
        ({"kind": "Storage"}, r"that of a storage, got an object of 'torch\.Storage'"),
        ({"kind": "float32"}, "expected that of a storage"),
        ({"data": b""}, "storage '0'"),
    ],
)
def test_a_storage_has_the_bytes_that_the_file_has(
    changes: dict[str, Any], message: str, container: Container
) -> None:
    storage = Storage.of("0", ONES)
    x = tensor(storage, [1], [1])
    for name, value in changes.items():
        setattr(storage, name, value)
    try:
        data = container({"x": x})
    except Exception:  # of struct: the old container could not even say so
        return
    with pytest.raises(FormatError, match=message):
        unpack(data)


def test_references_to_a_storage_agree(container: Container) -> None:
    one, other = Storage.of("0", ONES), Storage("0", b"", "FloatStorage", 5)
    with pytest.raises(FormatError, match="storage '0': once 24 bytes, once 20"):
        unpack(container([tensor(one, [1], [1]), tensor(other, [1], [1])]))


def test_keys_of_the_old_format_are_those_of_the_storages() -> None:
    x = {"x": whole("0", ONES)}
    for keys, message in (
        ([], "storage '0': not in the file"),
        (["0", "0"], "storage '0': twice"),
        (["1"], "storage '1': nothing refers to it"),
        ([0], "expected a list of the storages' keys"),
        ("0", "expected a list of the storages' keys"),
    ):
        with pytest.raises(FormatError, match=message):
            unpack(legacy_file(x, keys=keys))
    with pytest.raises(FormatError, match="1 bytes follow the last storage"):
        unpack(legacy_file(x) + b"\0")
