"""Models and arrays of bytes and of open files, in the place of a path."""

import io
from pathlib import Path

import numpy as np
import pytest

import rnn_native as rn

SPEC = rn.GRU(3, 4).spec
X = np.random.default_rng(0).standard_normal((5, 2, 3)).astype("f4")


@pytest.fixture(params=["model.safetensors", "model.npz", "model.json"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file, of a format that its content tells."""
    path = tmp_path / str(request.param)
    rn.Model(SPEC).save(path)
    return path


def test_bytes_and_open_files_are_the_file(path: Path) -> None:
    expected = rn.load(path)(X)[0]
    content = path.read_bytes()
    with path.open("rb") as file:
        given = [content, bytearray(content), memoryview(content), io.BytesIO(content), file]
        for each in given:
            assert np.array_equal(rn.load(each)(X)[0], expected)
    arrays = rn.read_arrays(path)
    for name, array in rn.read_arrays(content).items():
        assert np.array_equal(array, arrays[name])


def test_an_open_file_is_read_from_where_it_stands(path: Path) -> None:
    file = io.BytesIO(b"before" + path.read_bytes())
    file.seek(6)
    assert np.array_equal(rn.load(file)(X)[0], rn.load(path)(X)[0])


def test_errors_name_what_was_given(tmp_path: Path) -> None:
    with pytest.raises(rn.FormatError, match=r"^<bytes>: "):
        rn.load(b"nothing that is a model", format="safetensors")
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"nothing that is a model")
    with broken.open("rb") as file, pytest.raises(rn.FormatError, match=r"^\S*broken\.bin: "):
        rn.load(file, format="safetensors")
    text = io.StringIO("{}")
    with pytest.raises(rn.FormatError, match=r"expected a file that gives bytes, .* gives str"):
        rn.load(text)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected a path, bytes, or a file .* got int"):
        rn.load(7)  # type: ignore[arg-type]


def test_a_golden_input_is_replayed_from_bytes(tmp_path: Path) -> None:
    rn.Model(SPEC).save(tmp_path / "golden.safetensors", golden=X)
    content = (tmp_path / "golden.safetensors").read_bytes()
    assert rn.load(content, verify=True).output_size == 4
