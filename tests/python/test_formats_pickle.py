"""Pickles of NumPy's arrays, read without executing them: bit for bit, by name."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
import torch_files
from agreement import assert_same_bits
from torch_files import Call, Name, Raw

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import pickled
from rnn_native.formats.torch import unpack
from rnn_native.spec import Linear

RNG = np.random.default_rng(13)
GRU = strategies.make_recurrent(RNG, "gru", 3, 4, direction="bidirectional")
ARRAYS = {f"gru.{name}": array for name, array in GRU.arrays.items()}
HEAD = {"head.weight": RNG.normal(size=(2, 8)), "head.bias": RNG.normal(size=2)}

protocols = pytest.mark.parametrize("protocol", [2, 3, 4, 5])


@protocols
def test_arrays_come_back_bit_for_bit(protocol: int) -> None:
    arrays = {
        "f8": RNG.normal(size=(3, 4)), "f4": RNG.normal(size=5).astype("f4"),
        "f2": RNG.normal(size=(2, 3)).astype("f2"), "big": RNG.normal(size=(3, 2)).astype(">f4"),
        "fortran": np.asfortranarray(RNG.normal(size=(4, 3))), "view": RNG.normal(size=6)[::2],
        "scalar": np.array(2.5), "nan": np.array([np.nan, -0.0, np.inf]),
    }  # fmt: skip
    found = pickled.unpack(pickle.dumps(arrays, protocol))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert not found[name].flags.writeable


@protocols
def test_containers_are_flattened_and_what_is_beside_arrays_does_no_harm(protocol: int) -> None:
    x = RNG.normal(size=3)
    value = {
        "model": {"w": x, 3: [x, (x,)]}, "epoch": 7, "lr": 1e-3, "name": "n", "none": None,
        "ints": np.arange(3), "text": np.array(["a"]), "objects": np.array([{}], object),
        "scalar": np.float32(2), "bytes": b"abc", "set": {1}, "record": np.zeros(2, "i4,f4"),
        "empty": np.zeros((0, 3)),
    }  # fmt: skip
    found = pickled.unpack(pickle.dumps(value, protocol))
    names = ["model.w", "model.3.0", "model.3.1.0", "ints", "text", "objects", "record", "empty"]
    assert list(found) == names
    for name in names[:3]:
        assert_same_bits(found[name], x)
    for name in ("ints", "text", "objects", "record"):
        with pytest.raises(
            rn.UnsupportedError, match=f"array '{name}': expected f8, f4, f2; got dtype"
        ):
            found[name]
    with pytest.raises(rn.FormatError, match="has no elements"):
        found["empty"]


@protocols
def test_a_state_dict_is_loaded_and_put_together(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "net.pkl"
    path.write_bytes(pickle.dumps(ARRAYS | HEAD, protocol))
    with pytest.warns(UserWarning, match="only the recurrent module 'gru.' is read"):
        (layer,) = rn.load(path).spec.layers
    assert_same_bits(layer.arrays["weight_hh_l0_reverse"], GRU.arrays["weight_hh_l0_reverse"])
    x = RNG.standard_normal((5, 2, 3), dtype="f4")
    want = rn.Model([GRU, Linear(HEAD["head.weight"], HEAD["head.bias"], "tanh")])
    assert_same_bits(rn.load(path, chain=["gru", "head:tanh"])(x)[0], want(x)[0])


def test_python_2_wrote_bytes_as_text() -> None:
    """The opcode BINSTRING, which knows no other kind of text."""
    array = RNG.normal(size=4)
    dtype = Call(Name("numpy", "dtype"), ("f8", 0, 1))
    state = (3, "<", None, None, None, -1, -1, 0)
    text = Raw(b"T" + struct.pack("<I", array.nbytes) + array.tobytes())
    empty = Call(
        Name("numpy.core.multiarray", "_reconstruct"), (Name("numpy", "ndarray"), (0,), "b")
    )
    of_dtype = torch_files.Pickle(state).data[2:-1] + b"b"
    opcodes = [torch_files.Pickle(part).data[2:-1] for part in ("w", empty, 1, (4,), dtype)]
    whole = b"\x80\x02}" + b"".join(opcodes[:2]) + b"(" + b"".join(opcodes[2:]) + of_dtype
    whole += b"\x89" + text.opcodes + b"tbs."
    np.testing.assert_array_equal(pickle.loads(whole, encoding="latin1")["w"], array)
    assert_same_bits(pickled.unpack(whole)["w"], array)


def test_what_torch_saved_under_this_name_is_read_as_such(tmp_path: Path) -> None:
    for index, make in enumerate(torch_files.CONTAINERS.values()):
        path = tmp_path / f"{index}.pkl"
        path.write_bytes(make(torch_files.state_dict(ARRAYS)))
        (layer,) = formats.read(path).layers
        assert_same_bits(layer.arrays["weight_ih_l0"], GRU.arrays["weight_ih_l0"])
    rn.Model(GRU, batch_first=True).save(path, "torch")
    assert rn.load(path).batch_first
    assert formats.strings(path)["rnn_native.layers"] == "1"


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("exit 3",)


@protocols
def test_nothing_else_is_known_and_nothing_is_called(tmp_path: Path, protocol: int) -> None:
    for value in ({"a": Evil()}, {"a": Path("x")}, {"a": np.random.default_rng()}):
        with pytest.raises(rn.UnsupportedError, match=r"asks for '.*refused, and nothing was"):
            pickled.unpack(pickle.dumps(value, protocol))
    with pytest.raises(rn.FormatError, match=r"protocol 2 or newer.*numpy\.savez"):
        pickled.unpack(pickle.dumps(ARRAYS, 0))
    with pytest.raises(rn.FormatError, match="pickle: truncated"):
        pickled.unpack(pickle.dumps(ARRAYS, protocol)[:-20])
    with pytest.raises(rn.FormatError, match="pickle: 1 bytes follow its end"):
        pickled.unpack(pickle.dumps(ARRAYS, protocol) + b"x")
    with pytest.raises(rn.FormatError, match="format='pickle' reads one of NumPy's arrays"):
        unpack(pickle.dumps({"a": 1}, protocol))
    with pytest.raises(
        rn.UnsupportedError, match=r"writing the format pickle.*\.npz has the arrays"
    ):
        rn.Model(GRU).save(tmp_path / "m.pkl")


def claimed(state: Any, *, data: bytes = b"") -> Any:
    """An array of this state; ``data`` are opcodes of one part of it."""
    empty = Call(Name("numpy.core.multiarray", "_reconstruct"), (Name("numpy", "ndarray"), (0,)))
    parts = b"".join(torch_files.Pickle(part).data[2:-1] for part in (empty, state))
    return b"\x80\x02}" + torch_files.Pickle("w").data[2:-1] + parts + data + b"bs."


F8 = Call(Name("numpy", "dtype"), ("f8", False, True))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "not an array as NumPy pickles it"),
        ((1, (2,), "f8", False, "x" * 16), "not an array as NumPy pickles it"),
        ((1, (2,), F8, False, "x" * 15), "takes 16 bytes, got 15"),
        ((1, (2,), F8, False, "\u20ac" * 16), "text that is no bytes"),
        ((1, (2,), F8, False, [1.0, 2.0]), "expected the bytes of numbers"),
        ((1, (-2,), F8, False, "x" * 16), "expected a shape"),
        ((1, (2,) * 33, F8, False, "x" * 16), "expected a shape"),
        ((1, (2**30, 2**30), F8, False, "x" * 16), "more than 8 times the file"),
        ((1, [2], F8, False, "x" * 16), "expected a shape"),
        ((1, (2,), Call(Name("numpy", "dtype"), (3,)), False, "x"), "got dtype 'an unknown one'"),
    ],
)
def test_a_claim_that_is_not_true_is_an_error_when_it_is_asked_for(
    state: Any, message: str
) -> None:
    found = pickled.unpack(claimed(state))
    assert list(found) == ["w"]
    with pytest.raises(rn.RnnError, match=f"array 'w': .*{message}"):
        found["w"]
