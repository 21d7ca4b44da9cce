"""PyTorch's files without PyTorch: what ``torch.save`` wrote comes out bit for bit, by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import make_recurrent, recurrents
from torch_files import (
    CONTAINERS,
    ORDERED,
    Call,
    Name,
    Raw,
    Storage,
    legacy_file,
    state_dict,
    tensor,
    whole,
    zip_file,
)  # fmt: skip

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.formats import metadata as md
from rnn_native.formats.torch import unpack
from rnn_native.spec import Recurrent

GRU = make_recurrent(np.random.default_rng(0), "gru", 3, 4, direction="bidirectional")
LSTM = make_recurrent(np.random.default_rng(1), "lstm", 3, 4, num_layers=2, proj_size=2)
Container = Callable[..., bytes]


@pytest.fixture(params=list(CONTAINERS))
def container(request: pytest.FixtureRequest) -> Container:
    return CONTAINERS[request.param]


def load(tmp_path: Path, data: bytes, **options: Any) -> Recurrent:
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    (layer,) = formats.read(path, **options).layers
    assert isinstance(layer, Recurrent)
    return layer


def tensors(data: bytes) -> dict[str, NDArray[Any]]:
    return dict(unpack(data)[1])


def assert_same(layer: Recurrent, other: Recurrent) -> None:
    assert md.describe(layer) == md.describe(other)
    for name, array in layer.arrays.items():
        assert array.tobytes() == other.arrays[name].tobytes()


@given(layer=recurrents())
def test_a_state_dict_comes_back_bit_for_bit(layer: Recurrent) -> None:
    for make in CONTAINERS.values():
        named = tensors(make(state_dict(layer.arrays)))
        assert list(named) == list(layer.arrays)
        for name, array in layer.arrays.items():
            assert named[name].dtype == array.dtype
            assert named[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_weights_of_every_float_are_read(dtype: str, container: Container) -> None:
    array = np.random.default_rng(0).standard_normal((3, 4)).astype(dtype)
    read = tensors(container({"x": whole("0", array)}))["x"]
    assert read.dtype == ("float64" if dtype == "float64" else "float32")
    np.testing.assert_array_equal(read, array)


def test_bfloat16_is_the_upper_half_of_a_float32(container: Container) -> None:
    array = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    upper = (array.view(np.uint32) >> 16).astype(np.uint16)
    storage = Storage("0", upper.tobytes(), "BFloat16Storage", upper.size)
    read = tensors(container({"x": tensor(storage, [50], [1])}))["x"]
    np.testing.assert_array_equal(read.view(np.uint32), upper.astype(np.uint32) << 16)


def test_a_zip_of_a_big_endian_machine_is_read() -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3)
    pickled = {"x": tensor(Storage("0", array.tobytes(), numel=6), [2, 3], [3, 1])}
    read = tensors(zip_file(pickled, {"byteorder": b"big"}))["x"]
    np.testing.assert_array_equal(read, array)
    with pytest.raises(FormatError, match="byteorder: expected little or big, got b'both'"):
        tensors(zip_file(pickled, {"byteorder": b"both"}))
    with pytest.raises(UnsupportedError, match="from a big-endian machine"):
        tensors(legacy_file(pickled, {"little_endian": False}))


@given(
    shape=st.lists(st.integers(1, 4), max_size=3),
    data=st.data(),
    offset=st.integers(0, 5),
    legacy=st.booleans(),
)
def test_a_view_is_what_its_strides_say(
    shape: list[int], data: st.DataObject, offset: int, legacy: bool
) -> None:
    stride = [data.draw(st.integers(0, 6)) for _ in shape]
    values = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    x = tensor(Storage.of("0", values), shape, stride, offset)
    read = tensors((legacy_file if legacy else zip_file)({"x": x}))["x"]
    assert read.shape == tuple(shape)
    for index in np.ndindex(*shape):
        assert read[index] == values[offset + int(np.dot(index, stride))]


def test_a_storage_may_be_shared_and_differently_typed(container: Container) -> None:
    values = np.arange(12, dtype=np.float32)
    shared = Storage.of("7", values)
    raw = Storage("7", values.tobytes(), "UntypedStorage", 48, "torch.storage")
    v3 = Name("torch._utils", "_rebuild_tensor_v3")
    args = (raw, 6, (2, 3), (3, 1), False, Call(ORDERED), Name("torch", "float32"))
    named = tensors(container({
        "x": tensor(shared, [3, 4], [1, 3]), "y": tensor(shared, [4], [1], 8),
        "z": Call(v3, args), "raw": raw,
    }))  # fmt: skip
    assert list(named) == ["x", "y", "z"]
    np.testing.assert_array_equal(named["x"], values.reshape(4, 3).T)
    np.testing.assert_array_equal(named["y"], values[8:])
    np.testing.assert_array_equal(named["z"], values[6:].reshape(2, 3))


def test_views_of_a_storage_in_the_old_format() -> None:
    values = np.arange(12, dtype=np.float32)
    view = Storage.of("7", values)
    view.view = ("8", 4, 6)
    read = tensors(legacy_file({"x": tensor(view, [2], [3], 1)}))["x"]
    np.testing.assert_array_equal(read, [5, 8])
    view.view = ("8", 7, 6)
    with pytest.raises(FormatError, match="storage '7': view: 6 elements from 7 of 12"):
        tensors(legacy_file({"x": tensor(view, [2], [3], 1)}))


def test_parameters_and_tensors_with_attributes_are_tensors(container: Container) -> None:
    x = whole("0", np.arange(3, dtype=np.float32))
    name, more = "torch._utils", (True, Call(ORDERED))
    subclass = Name("torch._tensor", "_rebuild_from_type_v2")
    parts = (x.function, Name("torch.nn.parameter", "Parameter"), x.args, {"note": "x"})
    old = Call(Name(name, "_rebuild_tensor"), x.args[:4])
    read = tensors(container({
        "parameter": Call(Name(name, "_rebuild_parameter"), (x, *more)),
        "stated": Call(Name(name, "_rebuild_parameter_with_state"), (x, *more, {"a": 1})),
        "typed": Call(subclass, parts),
        "old": old,
    }))  # fmt: skip
    assert len(read) == 4
    for array in read.values():
        np.testing.assert_array_equal(array, [0, 1, 2])


BESIDE = {
    "epoch": 3, "loss": 0.25, "name": "best", "nothing": None, "done": True, "seed": 2**200,
    "history": [1, 2.0, {"a": (), "b": []}], "betas": (0.9, 0.999), -1: "x", 0.5: "y",
    "set": Call(Name("__builtin__", "set"), ([1, 2],)),
    "device": Call(Name("torch", "device"), ("cuda", 0)), "dtype": Name("torch", "float16"),
    "size": Call(Name("torch", "Size"), ((1, 2),)),
    "bytes": Call(Name("_codecs", "encode"), ("ab", "latin1")),
    "best": Call(Name("numpy.core.multiarray", "scalar"), (
        Call(Name("numpy", "dtype"), ("f8", False, True)), "\0" * 8)),
    "times": Call(Name("collections", "Counter"), ({"a": 1},)),
    "lists": Call(Name("collections", "defaultdict"), (Name("builtins", "list"),)),
    "python2": Raw(b"U\x03abcT\x04\0\0\0defg\x86"),
    "frozen": Raw(b"(K\x01\x91"), "filled": Raw(b"\x8f(K\x01\x90"), "raw": Raw(b"C\x02ab"),
    "long": Raw(b"\x8b\x02\0\0\0\x01\x01"), "copies": Raw(b"N2\x86"), "dropped": Raw(b"NN0"),
    "marked": Raw(b"N(NN1"),
}  # fmt: skip


def test_what_else_is_in_a_checkpoint_does_no_harm(container: Container) -> None:
    nested = {"model": state_dict(GRU.arrays), **BESIDE}
    assert list(tensors(container(nested))) == [f"model.{name}" for name in GRU.arrays]


@pytest.mark.parametrize("legacy", [False, True])
def test_nested_checkpoints_are_flattened_by_dots(legacy: bool, tmp_path: Path) -> None:
    gru, lstm = state_dict(GRU.arrays), state_dict(LSTM.arrays)
    lstm = {name: whole(f"l{key}", LSTM.arrays[name]) for key, name in enumerate(lstm)}
    checkpoint = {"model_state": {"lstm": lstm, "encoder": [{"gru": gru}]}, "state": {0: {"a": 1}}}
    data = (legacy_file if legacy else zip_file)(checkpoint)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(load(tmp_path, data, prefix="model_state.lstm."), LSTM)
        assert_same(load(tmp_path, data, prefix="model_state.lstm"), LSTM)
        assert_same(load(tmp_path, data, prefix="model_state.encoder.0.gru."), GRU)
        assert_same(load(tmp_path, data, prefix="model_state.encoder"), GRU)  # it has no other
    listed = r"prefix= 'model_state\.lstm\.', 'model_state\.encoder\.0\.gru\.'"
    with pytest.raises(OptionError, match=listed):
        load(tmp_path, data)
    with pytest.raises(OptionError, match=listed):
        load(tmp_path, data, prefix="model_state")
    with pytest.raises(OptionError, match="prefix='model': no recurrent module there"):
        load(tmp_path, data, prefix="model")
    with pytest.raises(OptionError, match="prefix='': no recurrent module there"):
        load(tmp_path, data, prefix="")


def test_the_one_module_of_a_checkpoint_is_taken(container: Container, tmp_path: Path) -> None:
    head = whole("h", np.ones((2, 8), np.float32))
    checkpoint = ({"gru": state_dict(GRU.arrays), "fc.weight": head}, {"epoch": 1})
    with pytest.warns(UserWarning, match=r"only .*'0\.gru\.' is read; left out: 0\.fc\.weight"):
        assert_same(load(tmp_path, container(checkpoint)), GRU)


def test_what_shapes_do_not_show_can_be_said(container: Container, tmp_path: Path) -> None:
    rnn = make_recurrent(np.random.default_rng(0), "rnn", 3, 4, nonlinearity="relu")
    assert_same(load(tmp_path, container(state_dict(rnn.arrays)), nonlinearity="relu"), rnn)
    gru = make_recurrent(np.random.default_rng(0), "gru", 3, 4, reset_after=False)
    data = container(state_dict(gru.arrays))
    assert_same(load(tmp_path, data, reset_after=False, cell="gru"), gru)
    with pytest.raises(OptionError, match="cell='lstm', but the tensors are those of a 'gru'"):
        load(tmp_path, data, cell="lstm")
    assert rn.load(tmp_path / "model.pt", batch_first=True).batch_first


def test_ordered_dicts_of_python_2(container: Container) -> None:
    x = whole("0", np.arange(3, dtype=np.float32))
    rows = Call(ORDERED, ([["x", x], ["y", x]],))
    named = tensors(container([rows, {"z": x}]))
    assert list(named) == ["0.x", "0.y", "1.z"]


def test_attributes_of_a_dict_are_left_out(container: Container) -> None:
    built = Raw(b"ccollections\nOrderedDict\n)R}X\x09\0\0\0_metadata}sb")
    assert tensors(container([built])) == {}


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "bool"])
def test_tensors_of_other_types_matter_only_when_they_are_needed(
    kind: str, container: Container
) -> None:
    _, named = unpack(
        container({"count": whole("0", np.ones(3, kind)), "x": whole("1", np.ones(1))})
    )
    assert len(named) == 2
    assert named["x"] == 1
    with pytest.raises(UnsupportedError, match=rf"tensor 'count': .* got dtype {kind}"):
        named["count"]


def test_tensors_that_cannot_be_weights_are_refused_when_they_are_needed() -> None:
    storage = Storage.of("0", np.ones(3, np.float32))
    negated = tensor(storage, [3], [1], 0, {"neg": True})
    plain = tensor(storage, [3], [1], 0, {})
    _, named = unpack(zip_file({"a": negated, "b": tensor(storage, [0], [1]), "c": plain}))
    with pytest.raises(UnsupportedError, match="tensor 'a': is a view that conjugates or negates"):
        named["a"]
    with pytest.raises(FormatError, match=r"tensor 'b': has no elements: shape \(0,\)"):
        named["b"]
    assert named["c"].tolist() == [1, 1, 1]


def test_the_protocols_from_2_to_5(container: Container) -> None:
    """5 frames, memoizes and names differently; what it builds is the same."""
    name = b"\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94"
    frame = b"\x95" + len(name).to_bytes(8, "little") + name
    x = whole("0", np.arange(3, dtype=np.float32))
    assert list(tensors(container([Raw(b"\x80\x05" + frame), Raw(b"h\x03"), x]))) == ["2"]
    for version in (0, 1, 6, 255):
        with pytest.raises(UnsupportedError, match=f"expected protocol 2 to 5, got {version}"):
            tensors(container(Raw(b"\x80" + bytes([version]) + b"N")))
