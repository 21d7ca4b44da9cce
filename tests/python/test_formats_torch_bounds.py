"""Hostile files of PyTorch's: none costs more than its size allows, none does worse than an error.

What would run without end, or fill the memory, shows in these tests not ending.
"""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_files import CONTAINERS, Raw, Storage, legacy_file, tensor, whole, zip_file

from rnn_native import formats
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.formats.metadata import from_tensors
from rnn_native.formats.torch import unpack, unpickle

Container = Callable[..., bytes]
ONES = np.ones(6, np.float32)
ORDERED_OPCODES = b"ccollections\nOrderedDict\n"


@pytest.fixture(params=list(CONTAINERS))
def container(request: pytest.FixtureRequest) -> Container:
    return CONTAINERS[request.param]


LOOPS = {
    "a dict in itself": b"}q\x00X\x01\0\0\0ah\x00s",
    "a list in itself": b"]q\x00h\x00a",
    "two in each other": b"]q\x00]q\x01h\x00ah\x01a",
    "doubled dicts": b"}" + b"q\x000}(X\x01\0\0\0ah\x00X\x01\0\0\0bh\x00u" * 70,
    "doubled lists, not too deep": b"]" + b"q\x000](h\x00h\x00e" * 51,
    "a list in many places": b"](" + b"N" * 10_000 + b"eq\x00](" + b"h\x00" * 10_000 + b"e",
    "tuples of tuples": b")" + b"2\x86" * 60,
    "deep": b"N" + b"\x85" * 10_000,
    "long names": b"]q\x000}X\xe7\x03\0\0" + b"a" * 999 + b"h\x00s"
    + b"q\x000}X\x01\0\0\0bh\x00s" * 3,
}  # fmt: skip


@pytest.mark.parametrize("what", LOOPS)
def test_containers_that_repeat_end_in_an_error(what: str, container: Container) -> None:
    message = "repeat in each other|more than 64 deep|a name of 1005 char"
    with pytest.raises(FormatError, match=message):
        unpack(container(Raw(LOOPS[what])))


MANY = 30_000
BOMBS = {
    "memo": b"N" + b"r\xff\xff\xff\x0f" * MANY,
    "memo as far as it goes": b"".join(b"Nr" + (k * 2).to_bytes(4, "little") for k in range(MANY)),
    "memo in order": b"N" + b"\x94" * MANY,
    "dicts": b"}" * MANY,
    "lists": b"]" * MANY,
    "tuples": b"N" + b"\x85" * MANY,
    "sets": b"\x8f" * MANY,
    "marks": b"(" * MANY,
    "nothing": b"N" * MANY,
    "text again and again": b"X\xe8\x03\0\0" + b"a" * 1000 + b"q\x00" + b"h\x00" * MANY,
    "text made bytes": b"X\x10\x27\0\0" + b"a" * 10_000 + b"q\x00c_codecs\nencode\nq\x01"
    + b"h\x01h\x00\x85R" * MANY,
    "calls": ORDERED_OPCODES + b"q\x00" + b"h\x00)R" * MANY,
    "calls with a large list": ORDERED_OPCODES + b"q\x00](" + b"N" * MANY
    + b"eq\x01" + b"h\x00h\x01\x85R" * MANY,
    "foreign names": b"cnets\nNet\n" * MANY,
    "long foreign names": b"X\xf4\1\0\0" + b"a" * 500 + b"q\x00" + b"h\x00h\x00\x93" * MANY,
    "foreign calls": b"cnets\nNet\nq\x00" + b"h\x00)R" * MANY,
    "foreign objects": b"cnets\nNet\nq\x00" + b"h\x00)\x81}b" * MANY,
    "items of one foreign object": b"cnets\nNet\n)R(" + b"M\x01\x02N" * MANY + b"u",
    "keys of one dict": b"}(" + b"M\x01\x02N" * MANY + b"u",
}  # fmt: skip


def peak_of(action: Callable[[], Any]) -> int:
    """Bytes of memory that Python had at most, for an action that may end in an error of ours."""
    tracemalloc.start()
    try:
        action()
    except (FormatError, UnsupportedError):
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("what", BOMBS)
def test_memory_is_a_small_multiple_of_the_pickle(what: str) -> None:
    """A byte makes at most a place on the stack and one in the memo, which lists grow in steps:
    24 bytes; every fourth a container, whose two objects take 150; 10 000 of these are free."""
    data = zip_file(Raw(BOMBS[what]))
    assert peak_of(lambda: unpack(data)) < 64 * len(data) + 2**21


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch, container: Container) -> None:
    data = container({"x": whole("0", ONES)})
    assert unpack(data)
    monkeypatch.setattr(unpickle, "MAX_OPCODES", 40)
    with pytest.raises(FormatError, match="pickle: more than 40 opcodes"):
        unpack(data)


@pytest.mark.parametrize("shape", [(250, 1000), (2**40, 2**40)])
def test_a_storage_used_often_takes_no_more_than_the_file(
    shape: tuple[int, int], container: Container, tmp_path: Path
) -> None:
    """Views cost nothing; what is made of them is counted as it is asked for."""
    storage = Storage.of("0", np.ones(1000, np.float32))
    stride = (0, 1) if shape[1] == 1000 else (0, 0)
    layers = {f"weight_{kind}_l{k}": tensor(storage, shape, stride)
              for k in range(1000) for kind in ("ih", "hh")}  # fmt: skip
    path = tmp_path / "model.pt"
    path.write_bytes(container(layers))
    size = path.stat().st_size
    message = r"tensor 'weight_.*': the tensors so far take more than 8 times the file"
    with pytest.raises(FormatError, match=message):
        formats.read(path)
    assert peak_of(lambda: formats.read(path)) < 64 * size + 2**21


def test_many_names_cost_no_more_than_they_are() -> None:
    """What looks for modules among them, and for names alike, does not try all with all."""
    x = tensor(Storage.of("0", ONES), [1], [1])
    wrong = {f"m{k}.weight_ih_l{k % 10}x" + "y" * (k % 300): x for k in range(3000)}
    with pytest.raises(FormatError, match="and 2988 more"):
        from_tensors(*unpack(zip_file(wrong)))
    layers = {f"weight_{kind}_l{k}": x for k in range(3000) for kind in ("ih", "hh")}
    del layers["weight_hh_l7"]
    with pytest.raises(FormatError, match=r"missing weight_hh_l7; found .* and 5987 more"):
        from_tensors(*unpack(zip_file(layers)))


def test_a_module_has_a_bounded_number_of_tensors() -> None:
    x = tensor(Storage.of("0", ONES), [1], [1])
    layers = {f"weight_ih_l{k}": x for k in range(10_001)}
    with pytest.raises(FormatError, match="module '': 10001 tensors, more than 10000"):
        from_tensors(*unpack(zip_file(layers)))


def outcome(data: bytes) -> list[Any] | None:
    """The tensors in a file, or None where it is refused as it should be."""
    try:
        return [(name, array.tobytes()) for name, array in unpack(data)[1].items()]
    except (FormatError, UnsupportedError, OptionError):
        return None


SMALL = {"a": [{"weight_ih_l0": whole("0", ONES)}, 1.5, None], "b": tensor(Storage.of("1", ONES),
         [2], [2], 1)}  # fmt: skip


def test_a_file_cut_short_anywhere_is_refused(container: Container) -> None:
    data = container(SMALL)
    assert outcome(data)
    for size in range(len(data)):
        with pytest.raises(FormatError):
            unpack(data[:size])


def test_no_changed_byte_does_worse_than_an_error(container: Container) -> None:
    data = container(SMALL)
    want = outcome(data)
    for position in range(len(data)):
        for value in (0, 0x28, 0x7F, 0xFF, data[position] ^ 1, data[position] ^ 0x80):
            changed = bytearray(data)
            changed[position] = value
            got = outcome(bytes(changed))
            # A zip archive has checksums: what is damaged is noticed.
            assert container is legacy_file or got is None or got == want


PIECES = [bytes([code]) for code in b"N()]}aesutRb012Q" + bytes(range(128, 152))] + [
    b"K\x02", b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"X\x01\0\0\0a", ORDERED_OPCODES,
    b"ctorch\nFloatStorage\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"X\x07\0\0\0storage",
    b"ctorch\nSize\n", b"cnets\nNet\n", b"ctorch._utils\n_rebuild_parameter\n", b"G" + b"\x3f" * 8,
]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)), max_size=60))
def test_any_opcodes_end_in_a_value_or_an_error(pieces: list[bytes]) -> None:
    outcome(zip_file(Raw(b"".join(pieces))))
    outcome(legacy_file(Raw(b"".join(pieces))))


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_error(data: bytes) -> None:
    for begin in (b"", b"PK\3\4", b"\x80\x02", b"\x80\x04\x95"):
        assert outcome(begin + data) is None


def test_other_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    tar = bytes(257) + b"ustar" + bytes(1000)
    with pytest.raises(FormatError, match=r"not a file of torch\.save: expected a zip archive or"):
        unpack(b"")
    with pytest.raises(UnsupportedError, match=r"tar format of PyTorch before 0\.2"):
        unpack(tar)
    with pytest.raises(FormatError, match=r"a pickle, but not of torch\.save: .* got a dict"):
        unpack(pickle.dumps({"a": 1}))
    with pytest.raises(UnsupportedError, match=r"expected version 1001 of torch\.save, got 1002"):
        unpack(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1002, 2))
