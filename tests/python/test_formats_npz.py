"""NumPy archives: NumPy reads what we write, and what we read is checked before it is believed."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import make_spec, specs

from rnn_native.errors import FormatError, RnnError, UnsupportedError
from rnn_native.formats import npz, safetensors
from rnn_native.formats.metadata import to_arrays, to_metadata
from rnn_native.spec import ModelSpec, Recurrent


@pytest.fixture
def spec() -> ModelSpec:
    return make_spec(np.random.default_rng(0), "gru", 1, 1, bias=False, out_features=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("npz")


def write_members(path: Path, members: list[tuple[str, bytes]], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def npy(array: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def state_dict(**changes: bytes | None) -> list[tuple[str, bytes]]:
    members = {
        "weight_ih_l0": npy(np.ones((2, 3), np.float32)),
        "weight_hh_l0": npy(np.ones((2, 2), np.float32)),
        **changes,
    }
    return [(f"{name}.npy", data) for name, data in members.items() if data is not None]


@given(spec=st.sampled_from([np.float32, np.float64]).flatmap(lambda dtype: specs(dtype=dtype)))
def test_a_model_comes_back_bit_for_bit(spec: ModelSpec, folder: Path) -> None:
    npz.write(spec, folder / "model.npz")
    assert safetensors.dumps(npz.read(folder / "model.npz")) == safetensors.dumps(spec)


def test_numpy_reads_what_we_write_without_pickles(spec: ModelSpec, tmp_path: Path) -> None:
    npz.write(spec, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name, text in to_metadata(spec).items():
        assert arrays[name].shape == ()
        assert str(arrays.pop(name)) == text
    for name, array in to_arrays(spec).items():
        assert arrays.pop(name).tobytes() == array.tobytes()
    assert not arrays


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_we_read_what_numpy_writes(save: Any, tmp_path: Path) -> None:
    spec = make_spec(np.random.default_rng(0), "lstm", out_features=3)
    text = {name: np.array(value) for name, value in to_metadata(spec).items()}
    fortran = {name: np.asfortranarray(array) for name, array in to_arrays(spec).items()}
    swapped = {name: array.astype(array.dtype.newbyteorder()) for name, array in fortran.items()}
    for arrays in (fortran, swapped):
        save(tmp_path / "model.npz", **text, **arrays)
        assert safetensors.dumps(npz.read(tmp_path / "model.npz")) == safetensors.dumps(spec)


def test_an_archive_without_a_description_is_a_state_dict(tmp_path: Path) -> None:
    path = write_members(tmp_path / "m.npz", state_dict())
    (layer,) = npz.read(path, nonlinearity="relu").layers
    assert isinstance(layer, Recurrent)
    assert (layer.cell, layer.nonlinearity, layer.input_size) == ("rnn", "relu", 3)


def test_half_precision_widens(tmp_path: Path) -> None:
    half = npy(np.full((2, 3), 0.1, np.float16))
    (layer,) = npz.read(write_members(tmp_path / "m.npz", state_dict(weight_ih_l0=half))).layers
    weight = layer.arrays["weight_ih_l0"]
    assert weight.dtype == np.float32
    assert (weight == np.float32(np.float16(0.1))).all()


def test_a_file_cut_short_anywhere_is_refused(spec: ModelSpec, tmp_path: Path) -> None:
    npz.write(spec, tmp_path / "model.npz")
    data = (tmp_path / "model.npz").read_bytes()
    for size in range(0, len(data), 7):
        (tmp_path / "cut.npz").write_bytes(data[:size])
        with pytest.raises(FormatError):
            npz.read(tmp_path / "cut.npz")


def test_no_changed_byte_does_worse_than_an_error(spec: ModelSpec, tmp_path: Path) -> None:
    npz.write(spec, tmp_path / "model.npz")
    data = (tmp_path / "model.npz").read_bytes()
    path = tmp_path / "changed.npz"
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        try:
            again = npz.read(path)
        except RnnError:
            continue
        # Dates and the like say nothing; the numbers are guarded by checksums.
        assert safetensors.dumps(again) == safetensors.dumps(spec)


class Bomb:
    """Unpickling this raises, so that a test would see it."""

    def __reduce__(self) -> Any:
        return (exec, ("raise SystemError('unpickled')",))


def test_pickles_are_refused_and_not_run(tmp_path: Path) -> None:
    objects = npy(np.array([Bomb()], object), allow_pickle=True)
    assert pickle.dumps(Bomb()) in objects or b"exec" in objects
    path = write_members(tmp_path / "m.npz", state_dict(weight_ih_l0=objects))
    with pytest.raises(
        UnsupportedError, match="'weight_ih_l0': expected numbers or text, got dtype"
    ):
        npz.read(path)


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    encoded = text.encode("latin1")
    size = len(encoded).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + encoded


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"


IMPOSSIBLE = (
    f"({2**70}, 3)",
    f"({2**40}, {2**40}, 3)",
    f"({2**62}, 3)",
    f"(0, {2**63})",
    "(1,) * 65",
    f"({'1,' * 64} 6)",
    "(True, 6)",
    "(-1, 3)",
    "(None, 3)",
)
"""Shapes that no array has, of 24 bytes or of any."""


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        header(GOOD),
        header(GOOD) + bytes(23),
        header(GOOD) + bytes(25),
        header(GOOD, (9, 0)) + bytes(24),
        header("") + bytes(24),
        header("{}") + bytes(24),
        header("(" * 5000) + bytes(24),
        header("os.system('true')") + bytes(24),
        header(GOOD.replace("(2, 3)", "(1000000000, 1000000000)")) + bytes(24),
        header(GOOD.replace("(2, 3)", "(-2, -3)")) + bytes(24),
        header(GOOD.replace("(2, 3)", "(2.0, 3)")) + bytes(24),
        header(GOOD.replace("(2, 3)", "6")) + bytes(24),
        *(header(GOOD.replace("(2, 3)", shape)) + bytes(24) for shape in IMPOSSIBLE),
        header(GOOD.replace("'<f4'", "'<U0'")),
        header(GOOD.replace("'<f4'", "'|V4'")) + bytes(24),
        header(GOOD.replace("'<f4'", "'nonsense'")) + bytes(24),
        header(GOOD.replace("'<f4'", "[('a', '<f4')]")) + bytes(24),
        header(GOOD.replace("'<f4'", "'|O'")) + bytes(24),
        header(GOOD.replace("'<f4'", "'<i4'")) + bytes(24),
        header(GOOD.replace("'<f4'", "'|S0'")),
    ],
)
def test_a_member_that_is_no_array_of_its_size_is_refused(
    data: bytes, compression: int, tmp_path: Path
) -> None:
    members = state_dict(weight_ih_l0=data)
    path = write_members(tmp_path / "m.npz", members, compression=compression)
    with pytest.raises((FormatError, UnsupportedError), match="weight_ih_l0"):
        npz.read(path)


def test_the_member_these_were_made_from_is_good(tmp_path: Path) -> None:
    for version in ((1, 0), (2, 0)):
        data = header(GOOD, version) + bytes(24)
        npz.read(write_members(tmp_path / "m.npz", state_dict(weight_ih_l0=data)))


def test_of_a_member_no_more_is_read_than_its_header_says(tmp_path: Path) -> None:
    """What more there is must not be unpacked."""
    bomb = header(GOOD) + bytes(10_000_000)
    members = state_dict(weight_ih_l0=bomb)
    path = write_members(tmp_path / "m.npz", members, compression=zipfile.ZIP_DEFLATED)
    del bomb, members
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=f"takes 24 bytes; there are {10_000_000}"):
            npz.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("text", [False, True])
def test_an_archive_unpacks_to_what_its_size_allows(text: bool, tmp_path: Path) -> None:
    """To 8 times its size and 16 MiB: zeros of more than that, which deflate to a thousandth, are
    refused before any are made."""
    size = 3 * 2**22  # of a float32 matrix; a character takes 4 bytes too
    weight = np.zeros((2, size // 2), np.float32)
    state = {"weight_hh_l0": np.ones((2, 2), np.float32)}
    fits = {**state, "weight_ih_l0": weight[:, : size // 8]}
    np.savez_compressed(tmp_path / "fits.npz", **fits)  # type: ignore[arg-type]
    assert (tmp_path / "fits.npz").stat().st_size < 100_000
    (layer,) = npz.read(tmp_path / "fits.npz").layers
    assert not layer.arrays["weight_ih_l0"].any()
    more = {"rnn_native.x": np.array(" " * size)} if text else {"weight_ih_l0": weight}
    np.savez_compressed(tmp_path / "bomb.npz", **{**state, **more})  # type: ignore[arg-type]
    del weight, more, fits, layer
    for read in (npz.read, npz.strings) if text else (npz.read,):
        tracemalloc.start()
        try:
            with pytest.raises(FormatError, match=r"bytes of arrays in an archive of .* 16 MiB"):
                read(tmp_path / "bomb.npz")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 5_000_000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_numpy_does_not_write_is_refused(method: int, tmp_path: Path) -> None:
    path = write_members(tmp_path / "m.npz", state_dict(), compression=method)
    with pytest.raises(UnsupportedError, match=f"stored or deflated.* by method {method}"):
        npz.read(path)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write_members(tmp_path / "m.npz", [("\xe9.npy", npy(np.ones(1)))])
    path.write_bytes(path.read_bytes().replace("\xe9".encode(), b"\xff\xff"))
    with pytest.raises(FormatError, match="npz: not a readable archive"):
        npz.read(path)


def test_other_members_and_names_given_twice_are_refused(tmp_path: Path) -> None:
    extra = write_members(tmp_path / "a.npz", [*state_dict(), ("readme.txt", b"hello")])
    with pytest.raises(FormatError, match=r"only \.npy files, found 'readme\.txt'"):
        npz.read(extra)
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = write_members(tmp_path / "b.npz", [*state_dict(), state_dict()[0]])
    with pytest.raises(FormatError, match="'weight_ih_l0' is there twice"):
        npz.read(twice)


@pytest.mark.parametrize("order", "<>")
def test_a_text_is_of_characters(order: str, tmp_path: Path) -> None:
    """NumPy lets any number of 32 bits be one."""
    path = tmp_path / "m.npz"
    for last in (0x10FFFF, 0x110000, 2**32 - 1):
        text = np.array([ord("a"), last], f"{order}u4").view(f"{order}U2").reshape(())
        np.savez(path, **{"rnn_native.version": text})
        if last <= 0x10FFFF:
            assert npz.strings(path) == {"rnn_native.version": f"a{chr(last)}"}
            continue
        with pytest.raises(FormatError, match=f"{last} in its text is no character"):
            npz.strings(path)


@pytest.mark.parametrize("value", [np.array(["1"]), np.array(1), np.array(1.0)])
def test_a_description_is_text(value: NDArray[Any], spec: ModelSpec, tmp_path: Path) -> None:
    text = {name: np.array(value) for name, value in to_metadata(spec).items()}
    text["rnn_native.version"] = value
    np.savez(tmp_path / "m.npz", **text, **to_arrays(spec))
    with pytest.raises(FormatError, match=r"'rnn_native\.version': expected text of shape \(\)"):
        npz.read(tmp_path / "m.npz")
