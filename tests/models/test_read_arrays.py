"""``rn.read_arrays`` gives what the frameworks' own readers give, name by name and bit by bit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        np.testing.assert_array_equal(found[name], array, err_msg=name)


# ---- PyTorch ----


def as_numpy(torch: Any, tensor: Any) -> Any:
    wide = ("torch.bfloat16", "torch.float8_e4m3fn", "torch.float8_e5m2")
    return (tensor.to(torch.float32) if str(tensor.dtype) in wide else tensor).detach().numpy()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_of_pytorch(zipped: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    kinds = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8"]
    kinds += ["uint8", "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2"]
    base = torch.randn(6, 4)
    tensors = {kind: (4 * base).to(getattr(torch, kind)) for kind in kinds}
    tensors |= {"turned": base.T, "part": base[1:4, ::2], "one": torch.tensor(3), "tied": base}
    tensors |= {"none": torch.zeros(0, 3), "spread": torch.ones(1).expand(5)}
    path = tmp_path / "net.pt"
    checkpoint = {"state": tensors, "mean": np.arange(3), "epoch": 3, "list": [base, {"a": base}]}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    expected = {f"state.{name}": as_numpy(torch, t) for name, t in tensors.items()}
    expected |= {"mean": np.arange(3), "list.0": base.numpy(), "list.1.a": base.numpy()}
    assert_same(rn.read_arrays(path), expected)


def test_modules_and_programs_of_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).eval()
    expected = {name: as_numpy(torch, t) for name, t in net.state_dict().items()}
    torch.save(net, tmp_path / "module.pt")
    assert_same(rn.read_arrays(tmp_path / "module.pt"), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.trace(net, torch.zeros(2, 3))
        torch.jit.save(program, tmp_path / "program.pt")
        frozen = torch.jit.freeze(torch.jit.trace(net[0].eval(), torch.zeros(2, 3)))
        torch.jit.save(frozen, tmp_path / "frozen.pt")
    found = rn.read_arrays(tmp_path / "program.pt")
    assert_same({n: a for n, a in found.items() if not n.startswith("CONSTANTS.")}, expected)
    weights = [array.tobytes() for array in rn.read_arrays(tmp_path / "frozen.pt").values()]
    assert {expected["0.weight"].tobytes(), expected["0.bias"].tobytes()} <= set(weights)
    with pytest.raises(rn.UnsupportedError, match="modules have no weights"):
        rn.load(tmp_path / "frozen.pt")


@pytest.mark.filterwarnings("ignore")
def test_quantized_modules_have_integers_scale_and_zero_point(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.LSTM(4, 4, num_layers=2), torch.nn.Linear(4, 2))
    quantized = torch.ao.quantization.quantize_dynamic(net, {torch.nn.LSTM, torch.nn.Linear})
    torch.save(quantized.state_dict(), tmp_path / "net.pt")
    found = rn.read_arrays(tmp_path / "net.pt")
    weight = quantized[1].weight()
    np.testing.assert_array_equal(found["1.weight"], weight.int_repr().numpy())
    assert found["1.weight.scale"] == weight.q_scale()
    assert found["1.weight.zero_point"] == weight.q_zero_point()
    np.testing.assert_array_equal(found["1.bias"], quantized[1].bias().detach().numpy())
    # Which of two names the arrays of these two packed layers have is not known: their own.
    assert "0._all_weight_values.1.param.weight_hh" in found
    values = torch.randn(3, 4)
    scales, zeros = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 2])
    channels = torch.quantize_per_channel(values, scales.double(), zeros, 0, torch.qint8)
    torch.save({"w": channels}, tmp_path / "channels.pt")
    found = rn.read_arrays(tmp_path / "channels.pt")
    np.testing.assert_array_equal(found["w"], channels.int_repr().numpy())
    np.testing.assert_array_equal(found["w.scale"], channels.q_per_channel_scales().numpy())
    np.testing.assert_array_equal(found["w.zero_point"], zeros.numpy())


# ---- ONNX ----


def test_an_onnx_file(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    kinds = ("f4", "f8", "f2", "i8", "i4", "u1", "?", "i2", "u8")
    arrays = {k: (9 * rng.random((3, 5))).astype(k) for k in kinds}
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    wide = rng.normal(size=7).astype("f4")
    for name, kind in (("bf", "bfloat16"), ("f8e4", "float8_e4m3fn"), ("i4x2", "int4")):
        array = wide.astype(getattr(ml_dtypes, kind))
        tensors.append(numpy_helper.from_array(array, name))
        arrays[name] = array.astype("i1" if kind == "int4" else "f4")

    def branch(value: float) -> Any:
        w = numpy_helper.from_array(np.full(2, value, "f4"), "w")
        own = numpy_helper.from_array(np.full(1, value, "f4"), f"own{value:.0f}")
        made = helper.make_node("Add", ["w", "w"], ["y"])
        out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
        return helper.make_graph([made], "body", [], [out], [w, own])

    nodes = [
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(wide)),
        helper.make_node("Constant", [], ["ks"], value_floats=[1.0, 2.0]),
        helper.make_node("Constant", [], ["n"], value_int=3),
        helper.make_node("Constant", [], ["text"], value_string="no number"),
        helper.make_node(
            "If", ["c"], ["y"], name="choose", then_branch=branch(1), else_branch=branch(2)
        ),
    ]
    arrays |= {"k": wide, "ks": np.array([1, 2], "f4"), "n": np.array(3)}
    for number, which in ((1, "then"), (2, "else")):
        arrays[f"choose/{which}_branch/w"] = np.full(2, number, "f4")
        arrays[f"own{number}"] = np.full(1, number, "f4")
    ends = [helper.make_tensor_value_info(*end) for end in (("c", 9, []), ("y", 1, [2]))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    for external in (False, True):
        path = tmp_path / f"{external}.onnx"
        onnx.save(model, path, save_as_external_data=external, size_threshold=0)
        with pytest.warns(UserWarning, match="left out: 'text': the Constant 'text': no numbers"):
            found = rn.read_arrays(path)
        assert_same(found, arrays)


# ---- HDF5 and safetensors ----


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_an_hdf5_file(libver: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    kinds = ("<f4", ">f4", "<f8", "<f2", "i1", "<i2", ">i4", "<i8", "u1", "<u4", "<u8", "?")
    arrays = {f"a/{k.strip('<>?')}{i}": (9 * rng.random((4, 6))).astype(k)
              for i, k in enumerate(kinds)}  # fmt: skip
    arrays |= {"one": np.array(3, "<i8"), "none": np.zeros((0, 3), "<f4")}
    path = tmp_path / "net.h5"
    with h5py.File(path, "w", libver=libver) as file:
        for name, array in arrays.items():
            file[name] = array
        file.create_dataset("packed", data=arrays["a/f40"], chunks=(2, 3), compression="gzip")
        file["text"] = "words"
    with pytest.warns(UserWarning, match="left out: 'text'"):
        assert_same(rn.read_arrays(path), arrays | {"packed": arrays["a/f40"]})


def test_a_safetensors_file(tmp_path: Path) -> None:
    st = pytest.importorskip("safetensors.torch")
    torch = pytest.importorskip("torch")
    kinds = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8"]
    kinds += ["uint8", "bool", "float8_e4m3fn", "float8_e5m2", "complex64"]
    base = 4 * torch.randn(3, 5)
    tensors = {kind: base.to(getattr(torch, kind)).contiguous() for kind in kinds}
    st.save_file(tensors, tmp_path / "net.safetensors")
    expected = {name: as_numpy(torch, tensor) for name, tensor in tensors.items()}
    assert_same(rn.read_arrays(tmp_path / "net.safetensors"), expected)


# ---- TensorFlow Lite ----


@pytest.mark.parametrize("name", ["mnist_lstm", "mnist_lstm_int8"])
def test_a_tensorflow_lite_file(name: str) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path = Path(__file__).parent / "data" / f"{name}.tflite"
    runtime = litert.Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    runtime.allocate_tensors()
    details = {detail["name"]: detail for detail in runtime.get_tensor_details()}
    found = rn.read_arrays(path)
    for own, array in found.items():
        owner, _, part = own.rpartition(".")
        if part in ("scale", "zero_point"):
            said = details[owner]["quantization_parameters"][f"{part}s"]
            np.testing.assert_array_equal(array, said, err_msg=own)
        elif array.size:
            theirs = runtime.get_tensor(details[own]["index"])
            assert (array.dtype, array.shape) == (theirs.dtype, theirs.shape)
            np.testing.assert_array_equal(array, theirs, err_msg=own)
    assert sum(array.size > 1 for array in found.values()) > 10
