"""Tensors that an ONNX file keeps in other files: where they may lie, and what is refused."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto
from strategies import make_spec

from rnn_native import cli, formats, onnx_backend
from rnn_native.errors import FormatError
from rnn_native.formats.onnx.tensors import Budget, Contents
from rnn_native.formats.onnx.writing import to_model

RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "gru", 3, 4, out_features=2)


def save(model: Any, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def outside(tensor: Any, **entries: str) -> None:
    """Makes a tensor of a model one that is kept elsewhere."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


def with_weights_outside(folder: Path, **entries: str) -> Path:
    """A model in ``folder`` whose W is in weights.bin, which is there."""
    model = to_model(SPEC)
    tensor = next(t for t in model.graph.initializer if ".W_l0" in t.name)
    folder.mkdir(exist_ok=True)
    (folder / "weights.bin").write_bytes(tensor.raw_data + b"more")
    outside(tensor, **({"location": "weights.bin"} | entries))
    return save(model, folder / "model.onnx")


SIZE = 4 * 3 * 4 * 3  # bytes of W


def test_a_tensor_in_another_file_is_read(tmp_path: Path) -> None:
    for entries in ({}, {"offset": "0"}, {"offset": "0", "length": str(SIZE)}, {"checksum": "?"}):
        (layer, _) = formats.read(with_weights_outside(tmp_path, **entries)).layers
        want = SPEC.layers[0].arrays["weight_ih_l0"]
        np.testing.assert_array_equal(layer.arrays["weight_ih_l0"], want)


def test_the_folder_is_that_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_weights_outside(tmp_path / "inner")
    monkeypatch.chdir(tmp_path)
    formats.read(path.relative_to(tmp_path))
    monkeypatch.chdir(tmp_path / "inner")
    formats.read("model.onnx")
    (tmp_path / "inner" / "weights.bin").rename(tmp_path / "weights.bin")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match=r"W_l0.*kept outside the file: 'weights\.bin'"):
        formats.read("inner/model.onnx")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "/etc/passwd"}, "expected the relative path"),
        ({"location": "/dev/zero"}, "expected the relative path"),
        ({"location": "../weights.bin"}, "expected the relative path"),
        ({"location": "a/../../weights.bin"}, "expected the relative path"),
        ({"location": "..\\weights.bin"}, "expected the relative path"),
        ({"location": "C:\\weights.bin"}, "expected the relative path"),
        ({"location": "C:weights.bin"}, "expected the relative path"),
        ({"location": "\\\\host\\weights.bin"}, "expected the relative path"),
        ({"location": ""}, "expected the relative path"),
        ({"location": "weights\0.bin"}, "expected the relative path"),
        ({"location": "."}, "no ordinary file"),
        ({"location": "none.bin"}, "'none.bin'"),
        ({"location": "weights.bin/x"}, "'weights.bin/x'"),
        ({"location": "x" * 5000}, "kept outside the file"),
        ({"offset": "5"}, f"ends at byte {SIZE + 5} of 'weights.bin', which has {SIZE + 4}"),
        ({"offset": str(2**62)}, "offset: expected a number"),
        ({"offset": str(10**17)}, "ends at byte 100000000000000144"),
        ({"offset": "-1"}, "offset: expected a number of bytes, got '-1'"),
        ({"offset": "٣"}, "offset: expected a number of bytes"),
        ({"offset": "1e2"}, "offset: expected a number of bytes"),
        ({"length": "9" * 5000}, "length: expected a number of bytes"),
        ({"length": str(SIZE + 4)}, f"takes {SIZE} bytes, length says {SIZE + 4}"),
        ({"length": "4"}, f"takes {SIZE} bytes, length says 4"),
    ],
)
def test_a_tensor_that_is_not_there_or_not_ours_to_read(
    entries: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(1000))
    path = with_weights_outside(tmp_path / "inner", **entries)
    with pytest.raises(FormatError, match=message) as caught:
        formats.read(path)
    assert "initializer '0.W_l0" in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
def test_links_that_lead_out_and_what_is_no_file(tmp_path: Path) -> None:
    path = with_weights_outside(tmp_path / "inner")
    weights = path.parent / "weights.bin"
    weights.rename(tmp_path / "weights.bin")
    weights.symlink_to(tmp_path / "weights.bin")
    with pytest.raises(FormatError, match="no ordinary file in its folder"):
        formats.read(path)
    weights.unlink()
    os.mkfifo(weights)  # to open it would wait forever
    with pytest.raises(FormatError, match="no ordinary file in its folder"):
        formats.read(path)
    weights.unlink()
    (path.parent / "other.bin").write_bytes((tmp_path / "weights.bin").read_bytes())
    weights.symlink_to("other.bin")  # within the folder
    formats.read(path)
    weights.unlink()
    (path.parent / "link").symlink_to(tmp_path)
    with pytest.raises(FormatError, match="no ordinary file in its folder"):
        formats.read(with_weights_outside(tmp_path / "inner", location="link/weights.bin"))


def test_parts_of_a_file_may_be_the_same_but_not_overlap(tmp_path: Path) -> None:
    model = to_model(make_spec(RNG, "gru", 4, 4, num_recurrents=2))
    first, second = (t for t in model.graph.initializer if ".R_l0" in t.name)
    (tmp_path / "weights.bin").write_bytes(first.raw_data + bytes(64))
    for tensor in (first, second):
        outside(tensor, location="weights.bin")
    layers = formats.read(save(model, tmp_path / "model.onnx")).layers
    one, other = (layer.arrays["weight_hh_l0"] for layer in layers)
    np.testing.assert_array_equal(one, other)
    outside(second, location="weights.bin", offset="64")
    with pytest.raises(FormatError, match=r"bytes 64 to 256 of 'weights\.bin' overlap 0 to 192"):
        formats.read(save(model, tmp_path / "model.onnx"))


def test_a_model_without_a_file_has_nothing_beside_it(tmp_path: Path) -> None:
    model = onnx.load(with_weights_outside(tmp_path), load_external_data=False)
    with pytest.raises(FormatError, match=r"weights\.bin"):
        onnx_backend.prepare(model)


def test_a_tensor_that_nothing_needs_is_not_looked_at(tmp_path: Path) -> None:
    model = to_model(SPEC)
    model.graph.initializer.add(name="spare", data_type=TensorProto.FLOAT, dims=[2**40])
    outside(model.graph.initializer[-1], location="/etc/passwd")
    formats.read(save(model, tmp_path / "model.onnx"))


def at_one_place(folder: Path, *types: str) -> tuple[Contents, list[Any]]:
    """Tensors of these types, each the same mebibyte of a file."""
    (folder / "weights.bin").write_bytes(bytes(2**20))
    tensors = []
    for name in types:
        element = TensorProto.DataType.Value(name)
        size = 2**19 if name.endswith("16") else 2**18
        tensors.append(TensorProto(name=name, data_type=element, dims=[size, 1]))
        outside(tensors[-1], location="weights.bin")
    return Contents(str(folder), 100), tensors


def test_tensors_at_the_same_place_share_their_numbers(tmp_path: Path) -> None:
    contents, tensors = at_one_place(tmp_path, *["FLOAT"] * 50)
    tracemalloc.start()
    try:
        arrays = [contents.array("it", tensor) for tensor in tensors]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert all(np.shares_memory(array, arrays[0]) for array in arrays)
    assert peak < 3 * 2**20  # the bytes, and the numbers of them


def test_tensors_of_several_types_at_the_same_place_are_charged_each(tmp_path: Path) -> None:
    contents, tensors = at_one_place(tmp_path, "FLOAT", "BFLOAT16", "INT32", "FLOAT")
    before = contents.budget.left
    for tensor in tensors:
        contents.array("it", tensor)
    assert contents.budget.left == before + (Budget.FACTOR - 1 - 2 - 1) * 2**20


@pytest.mark.parametrize("command", ["convert", "run", "run --state-out"])
def test_a_file_with_tensors_of_the_model_is_not_written_over(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Wherever in the model the tensor is: one of the graph, an attribute's, of a body inside."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.zeros((2, 1, 3), np.float32))
    inner = onnx.helper.make_graph([], "inner", [], [], [TensorProto(name="inner")])
    outside(inner.initializer[0], location="inner.npz")
    constant = TensorProto(name="constant")
    outside(constant, location="sub/../constant.npz")
    model = onnx.load(with_weights_outside(tmp_path, location="w.npz"), load_external_data=False)
    extra = [
        onnx.helper.make_node("If", ["c"], ["d"], then_branch=inner),
        onnx.helper.make_node("Constant", [], ["e"], value=constant),
    ]
    model.graph.node.extend(extra)
    save(model, tmp_path / "model.onnx")
    assert sorted(formats.beside("model.onnx")) == sorted(
        map(Path, ("inner.npz", "sub/../constant.npz", "w.npz"))
    )
    (tmp_path / "sub").mkdir()
    for name in ("inner.npz", "constant.npz", "w.npz"):
        Path(name).write_bytes(b"tensors")
        arguments = {
            "convert": ["convert", "model.onnx", name],
            "run": ["run", "model.onnx", "x.npy", "-o", name],
            "run --state-out": ["run", "model.onnx", "x.npy", "--state-out", name],
        }[command]
        assert cli.main(arguments) == 2
        assert f"{name} holds tensors of model.onnx; choose another" in capsys.readouterr().err
        assert Path(name).read_bytes() == b"tensors"
