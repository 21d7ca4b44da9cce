"""Modules saved whole, programs of TorchScript and packed weights, made by hand: what is in them
has the names of a ``state_dict``, and nothing in them costs more than the file is long."""

from __future__ import annotations

import io
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies import make_recurrent
from torch_files import (
    CONTAINERS,
    Call,
    Made,
    Name,
    Raw,
    Storage,
    state_dict,
    whole,
    zip_file,
)

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats.torch import unpack

Container = Callable[..., bytes]
RNG = np.random.default_rng(3)
RNN = make_recurrent(RNG, "rnn", 3, 4, nonlinearity="relu")
LSTM = make_recurrent(RNG, "lstm", 3, 4)


@pytest.fixture(params=list(CONTAINERS))
def container(request: pytest.FixtureRequest) -> Container:
    return CONTAINERS[request.param]


def module(parameters: Any, modules: Any = None, of: str = "nets.Net", **attributes: Any) -> Made:
    where, _, name = of.rpartition(".")
    state = {"training": True, "_parameters": parameters, "_buffers": {}, "_modules": modules or {}}
    return Made(Name(where, name), {**state, **attributes})


def script(of: str, **attributes: Any) -> Made:
    where, _, name = of.rpartition(".")
    return Made(Name(where, name), {"training": True, **attributes})


def read(tmp_path: Path, data: bytes, **options: Any) -> Any:
    path = tmp_path / "net.pt"
    path.write_bytes(data)
    (layer,) = formats.read(path, **options).layers
    return layer


def test_a_module_has_the_names_of_its_state_dict(container: Container, tmp_path: Path) -> None:
    inner = module(state_dict(RNN.arrays), of="torch.nn.modules.rnn.RNN", mode="RNN_RELU")
    net = module(
        {"scale": None}, {"encoder": module({}, {"0": inner, "none": None})}, hook=Name("a", "b")
    )
    layer = read(tmp_path, container({"net": net, "epoch": 3}))
    assert layer.nonlinearity == "relu"
    assert list(unpack(container(net))[1]) == [f"encoder.0.{name}" for name in RNN.arrays]
    for name, array in RNN.arrays.items():
        assert layer.arrays[name].tobytes() == array.tobytes()


def test_a_module_in_a_module_that_is_a_cell_is_a_stranger(tmp_path: Path) -> None:
    norm = module(
        {"weight": whole("n", np.ones(4, "f4"))}, of="torch.nn.modules.normalization.LayerNorm"
    )
    net = module(state_dict(LSTM.arrays), {"layernorm": norm})
    for value, options in ((net, {}), ({"cell": net}, {"prefix": "cell"})):
        with pytest.raises(rn.UnsupportedError, match=r"unexpected .*layernorm\.weight"):
            read(tmp_path, zip_file(value), **options)


CODE = b"class RNN(Module):\n  def forward(self):\n    a, b = torch.rnn_%s(x, h, w)\n"


@pytest.mark.parametrize("said", ["relu", "tanh"])
@pytest.mark.parametrize("deflated", [False, True])
def test_the_code_of_a_program_says_the_nonlinearity(
    said: str, deflated: bool, tmp_path: Path
) -> None:
    rnn = script("__torch__.torch.nn.modules.rnn.___torch_mangle_0.RNN", **state_dict(RNN.arrays))
    data = program(script("__torch__.Net", rnn=rnn, size=3), CODE % said.encode() * 40, deflated)
    assert read(tmp_path, data).nonlinearity == said
    with pytest.raises(rn.OptionError, match=f"the file says '{said}'"):
        read(tmp_path, data, nonlinearity="sigmoid")


def program(net: Made, code: bytes, deflated: bool) -> bytes:
    """As torch.jit.save writes it, its code deflated where it is long."""
    with_code = zip_file(net, {"constants.pkl": b"\x80\x02).", "code/x.py": code})
    path = "archive/code/__torch__/torch/nn/modules/rnn/___torch_mangle_0.py"
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(with_code)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            is_code = name.endswith("x.py")
            way = zipfile.ZIP_DEFLATED if is_code and deflated else zipfile.ZIP_STORED
            new.writestr(zipfile.ZipInfo(path if is_code else name), old.read(name), way)
    return file.getvalue()


@pytest.mark.parametrize("how", ["a bomb", "damaged"])
def test_code_that_is_more_than_it_says_is_refused(how: str, tmp_path: Path) -> None:
    rnn = script("__torch__.torch.nn.modules.rnn.___torch_mangle_0.RNN", **state_dict(RNN.arrays))
    code = CODE % b"relu" * (30_000 if how == "a bomb" else 40)
    data = program(rnn, code, True)
    if how == "damaged":
        compressor = zlib.compressobj(wbits=-15)
        packed = compressor.compress(code) + compressor.flush()
        at = data.index(packed)
        data = data[: at + 9] + bytes([data[at + 9] ^ 0xFF]) + data[at + 10 :]
    with pytest.raises(rn.FormatError, match=r"___torch_mangle_0\.py': expected|is damaged"):
        read(tmp_path, data)


# ---- packed weights ----


def quantized(key: str, q: Any, scale: Any = 0.5, zero: Any = 3, **more: Any) -> Call:
    kind = {"int8": "QInt8Storage", "uint8": "QUInt8Storage", "int32": "QInt32Storage"}
    storage = Storage.of(key, q, kind[q.dtype.name])
    stride = tuple(step // q.itemsize for step in q.strides)
    said = more.get("said", (Name("torch", "per_tensor_affine"), scale, zero))
    return Call(
        Name("torch._utils", "_rebuild_qtensor"), (storage, 0, q.shape, stride, said, False, {})
    )


def packed(key: str, rows: int, columns: int) -> Made:
    q = RNG.integers(-128, 128, (rows, columns)).astype("i1")
    bias = whole(f"{key}b", RNG.normal(size=rows).astype("f4"))
    name = "__torch__.torch.classes.quantized.LinearPackedParamsBase"
    return Made(Name("torch", "ScriptObject"), ((quantized(key, q), bias), name))


def cell(key: str, rows: int, columns: int, hidden: int) -> Made:
    linears = [packed(f"{key}i", rows, columns), packed(f"{key}h", rows, hidden)]
    state = ("quantized_dynamic", [], [], [1], linears)
    return Made(
        Name("torch", "ScriptObject"), (state, "__torch__.torch.classes.rnn.CellParamsBase")
    )


@pytest.mark.parametrize(
    ("inputs", "hidden", "names"),
    [
        ([3], 4, ["_l0"]),
        ([3, 4], 4, ["_l0", "_l1"]),
        ([3, 3], 4, ["_l0", "_l0_reverse"]),
        ([4, 4, 4], 4, ["_l0", "_l1", "_l2"]),
        ([4, 4, 8, 8], 4, ["_l0", "_l0_reverse", "_l1", "_l1_reverse"]),
        ([4, 4, 4, 4], 4, ["_l0", "_l1", "_l2", "_l3"]),
        ([4, 4], 4, None),
    ],
)
def test_layers_and_directions_of_packed_weights(
    inputs: list[int], hidden: int, names: list[str] | None, container: Container, tmp_path: Path
) -> None:
    net = {
        f"a._all_weight_values.{n}.param": cell(f"c{n}", 4 * hidden, size, hidden)
        for n, size in enumerate(inputs)
    }
    data = container(net)
    if names is None:
        with pytest.raises(rn.UnsupportedError, match="one after the other or the two directions"):
            read(tmp_path, data)
        return
    layer = read(tmp_path, data)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    assert list(layer.arrays) == [f"{kind}{end}" for end in names for kind in kinds]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_integers_are_what_they_stand_for(dtype: str, container: Container) -> None:
    q = RNG.integers(0, 100, (3, 4)).astype(dtype)
    scales, zeros = np.array([0.5, 0.25, 0.1, 2.0]), np.array([0, 1, -5, 7])
    channels = (Name("torch", "per_channel_affine"), whole("s", scales), whole("z", zeros), 1)
    found = unpack(container({"a": quantized("a", q), "b": quantized("b", q, said=channels)}))[1]
    np.testing.assert_array_equal(found["a"], ((q.astype(int) - 3) * 0.5).astype("f4"))
    want = ((q.astype(int) - zeros) * scales.astype("f4").astype("f8")).astype("f4")
    np.testing.assert_array_equal(found["b"], want)
    assert found["b"].dtype == np.float32


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ((Name("torch", "per_tensor_affine"), "x", 0), rn.UnsupportedError, "quantized, but not"),
        ((Name("torch", "per_tensor_affine"), 0.5, 2**40), rn.UnsupportedError, "quantized, but"),
        ((), rn.UnsupportedError, "quantized, but not as"),
        (3, rn.UnsupportedError, "quantized, but not as"),
        ((Name("torch", "per_channel_affine"), 1.0, 0, 0), rn.UnsupportedError, "quantized, but"),
        ("per channel", rn.FormatError, r"scales \(2,\) and zeros \(3,\) of 3 channels"),
    ],
)
def test_other_ways_of_quantizing_are_refused(
    said: Any, error: type[Exception], message: str, tmp_path: Path
) -> None:
    if said == "per channel":
        scales, zeros = whole("s", np.ones(2)), whole("z", np.ones(3, int))
        said = (Name("torch", "per_channel_affine"), scales, zeros, 0)
    q = quantized("q", np.ones((3, 4), "i1"), said=said)
    with pytest.raises(error, match=message):
        unpack(zip_file({"x": q}))[1]["x"]


def test_what_is_shared_or_in_itself_is_looked_at_no_longer_than_the_file_is() -> None:
    """A state of many attributes in many modules; a packed cell and a module in themselves."""
    weights = {"w": whole("0", np.ones(2, "f4"))}
    state = b"}(" + b"".join(b"X\x04\0\0\0" + b"%04d" % n + b"N" for n in range(9999))
    state += b"X\x0b\0\0\0_parameters}X\x08\0\0\0_modules}uq\0"
    shared = Raw(
        b"](" + state + b"cnets\nNet\n)\x81h\0b" * 1 + b"cnets\nNet\n)\x81h\0b" * 9000 + b"e"
    )
    began = time.process_time()
    with pytest.raises(rn.FormatError, match="repeat in each other without end"):
        unpack(zip_file([shared, weights]))
    itself = Raw(
        b"ctorch\nScriptObject\n)\x81q\x00(](h\x00h\x00etX\x2a\0\0\0"
        b"__torch__.torch.classes.rnn.CellParamsBase\x86b"
    )
    loop = Raw(
        b"cnets\nNet\n)\x81q\x01}(X\x0b\0\0\0_parameters}X\x08\0\0\0_modules}X\1\0\0\0ah\x01sub"
    )
    assert list(unpack(zip_file([itself, weights]))[1]) == ["1.w"]
    with pytest.raises(rn.FormatError, match="64 deep in each other"):
        unpack(zip_file([loop, weights]))
    assert time.process_time() - began < 5
