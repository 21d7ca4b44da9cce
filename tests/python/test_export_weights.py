"""export_c of models with weights of fewer bits: what is written, how large it is, what it needs.

That it gives the bits of the package: export_sweep.py, export_graph_sweep.py.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import assert_same_bits
from exported import CC, Shared, as_input, facts, symbols
from strategies import make_embedding, make_spec
from test_export_c import contents, macros

import rnn_native as rn
from rnn_native import _core, cli
from rnn_native.export import device_memory
from rnn_native.weight_types import WEIGHT_DTYPES

RNG = np.random.default_rng(11)
SPEC = make_spec(RNG, "gru", 3, 6, num_layers=2, out_features=2)
OPTIONS = {None: "DTYPE", "float16": "FLOAT16", "bfloat16": "BFLOAT16", "int8": "INT8"}
"""What each type is called among the options of the library."""
AVX512 = ("-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mfma")
CONFIG = rn.show_config(mode="dicts")

needs_compiler = pytest.mark.skipif(CC is None, reason="needs a C compiler: cc, gcc or clang")


def weight_bytes(folder: Path) -> int:
    return int(macros(folder / "net.h")["NET_WEIGHT_BYTES"].rstrip("u"))


# ---- what is written ----


@pytest.mark.parametrize("weights", WEIGHT_DTYPES)
def test_a_models_own_type_is_written(tmp_path: Path, weights: str) -> None:
    """And of a spec what is asked for; a dtype that is given is the weights', too."""
    model = rn.Model(SPEC, weight_dtype=weights, keep=["1"])
    rn.export_c(model, tmp_path / "model", "net")
    rn.export_c(model.spec, tmp_path / "spec", "net", weight_dtype=weights)
    assert contents(tmp_path / "model") == contents(tmp_path / "spec")
    rn.export_c(SPEC, tmp_path / "keep", "net", weight_dtype=np.dtype("f2"), keep=["1"])
    assert (contents(tmp_path / "keep") == contents(tmp_path / "model")) == (weights == "float16")
    rn.export_c(model, tmp_path / "wide", "net", dtype="float32")
    rn.export_c(model.spec, tmp_path / "own", "net")
    assert contents(tmp_path / "wide") == contents(tmp_path / "own")
    assert weight_bytes(tmp_path / "model") < weight_bytes(tmp_path / "own")


@pytest.mark.parametrize("isa", ["scalar", "avx512"])
@pytest.mark.parametrize(
    ("weights", "most"), [("float16", 0.53), ("bfloat16", 0.53), ("int8", 0.29)]
)
def test_flash_is_what_the_type_takes(tmp_path: Path, isa: str, weights: str, most: float) -> None:
    """Of 128 units and more, as of a packed model."""
    spec = make_spec(RNG, "gru", 128, 128)
    sizes = {}
    for stored in (None, weights):
        folder = tmp_path / str(stored)
        rn.export_c(spec, folder, "net", isa=isa, weight_dtype=stored)
        told = device_memory(spec, isa=isa, weight_dtype=stored)
        found = macros(folder / "net.h")
        assert told.constants == weight_bytes(folder)
        assert told.ram == int(found["NET_STREAM_BYTES"].rstrip("u"))
        sizes[stored] = told.constants
    assert sizes[weights] <= most * sizes[None]


def test_a_stream_has_room_for_the_rows_of_one_thread() -> None:
    """Beside what it needs in float32, where its products are of rows that are prepared: each as
    docs say, a head of 64 bytes and two for each feature, rounded up to 64."""
    spec = make_spec(RNG, "lstm", 40, 24, out_features=2)
    for batch, steps, rows in ((1, 1, 1), (2, 3, 6), (3, 100, 48)):
        sizes = {"batch": batch, "max_steps": steps}
        wide = device_memory(spec, **sizes).ram
        for weights in ("float16", "bfloat16"):
            assert device_memory(spec, weight_dtype=weights, **sizes).ram == wide
        row = 64 + -(-2 * 40 // 64) * 64
        assert device_memory(spec, weight_dtype="int8", **sizes).ram == wide + rows * row


@pytest.mark.parametrize("weights", [None, *WEIGHT_DTYPES])
def test_the_library_has_the_types_of_its_models(tmp_path: Path, weights: str | None) -> None:
    """And of no other: float ones, too, where a layer keeps its own."""

    def on() -> set[str]:
        found = macros(tmp_path / "rnn_native_config.h")
        return {name for name in OPTIONS.values() if found[f"RNNAT_WITH_{name}"] == "1"}

    rn.export_c(SPEC, tmp_path, "net", weight_dtype=weights)
    assert on() == {OPTIONS[weights]}
    rn.export_c(SPEC, tmp_path, "other", weight_dtype="int8")
    assert on() == {OPTIONS[weights], "INT8"}
    rn.export_c(SPEC, tmp_path, "other", weight_dtype="int8", keep=["0"])
    assert on() == {OPTIONS[weights], "INT8", "DTYPE"}


def test_a_model_without_such_a_matrix_needs_no_such_kernels(tmp_path: Path) -> None:
    """A convolution with a group for each channel has none, and a layer that is kept."""
    conv = rn.Conv1d(np.ones((4, 1, 3)), groups=4)
    spec = rn.ModelSpec((conv, *make_spec(RNG, "rnn", 4).layers))
    rn.export_c(spec, tmp_path, "net", weight_dtype="int8")
    found = macros(tmp_path / "rnn_native_config.h")
    assert (found["RNNAT_WITH_INT8"], found["RNNAT_WITH_DTYPE"]) == ("1", "0")
    rn.export_c(spec, tmp_path, "net", weight_dtype="int8", keep=spec.reducible)
    found = macros(tmp_path / "rnn_native_config.h")
    assert (found["RNNAT_WITH_INT8"], found["RNNAT_WITH_DTYPE"]) == ("0", "1")


def test_the_header_tells_the_types(tmp_path: Path) -> None:
    rn.export_c(SPEC, tmp_path, "net", weight_dtype="int8", keep=["1"])
    text = (tmp_path / "net.h").read_text()
    assert ' * Matrices are stored as int8.\n * Stored as float are those of "1"\n' in text
    assert "/* constant, of int8 and floats */" in text


def test_a_table_is_written_as_its_type(tmp_path: Path) -> None:
    """Of an Embedding; of int8 with a float for each row. Alone it needs that type's option."""
    spec = rn.ModelSpec((make_embedding(RNG, 30, 16),))
    sizes = {None: 4 * 480, "float16": 2 * 480, "bfloat16": 2 * 480, "int8": 480 + 4 * 30}
    for weights, size in sizes.items():
        folder = tmp_path / str(weights)
        rn.export_c(spec, folder, "net", weight_dtype=weights)
        assert weight_bytes(folder) == size
        found = macros(folder / "rnn_native_config.h")
        on = {name for name in OPTIONS.values() if found[f"RNNAT_WITH_{name}"] == "1"}
        assert on == ({OPTIONS[weights]} if weights else set())


# ---- compiled ----


@needs_compiler
@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
@pytest.mark.parametrize("weights", WEIGHT_DTYPES)
def test_its_sizes_are_true(tmp_path: Path, weights: str) -> None:
    """Constants are of as many bytes as it says, and a stream needs exactly what it has."""
    spec = make_spec(RNG, "lstm", 5, 19, gate_recurrent=True, out_features=2)
    rn.export_c(spec, tmp_path, "net", batch=2, max_steps=3, weight_dtype=weights)
    code, memory = facts(tmp_path)
    assert code == 1 + WEIGHT_DTYPES.index(weights)
    found = symbols(tmp_path / "net.o")
    sizes = {name: size for kind, name, size in found if kind in "rR"}
    assert memory == sum(sizes.values())
    arrays = {name: size for name, size in sizes.items() if re.match(r"net_nodes_\d+_data_", name)}
    assert weight_bytes(tmp_path) == sum(arrays.values())


@needs_compiler
@pytest.mark.parametrize("weights", WEIGHT_DTYPES)
def test_rows_of_a_table_are_the_packages(tmp_path: Path, weights: str) -> None:
    """To the bit, whatever the instruction set."""
    spec = rn.ModelSpec((make_embedding(RNG, 40, 19),))
    rn.export_c(spec, tmp_path, "net", max_steps=40, weight_dtype=weights)
    x = np.arange(40)[:, None]
    want = rn.Model(spec, weight_dtype=weights)(x)[0]
    data = as_input(spec, x, "float32")
    assert_same_bits(Shared(tmp_path).steps("net", data, np.empty_like(want)), want)


@needs_compiler
@pytest.mark.skipif("avx512" not in CONFIG["isas_available"], reason="this machine lacks avx512")
def test_products_in_bfloat16(tmp_path: Path) -> None:
    """They are the package's on a CPU that has them; on another there is no stream."""
    spec = make_spec(RNG, "gru", 7, 33, out_features=2)
    rn.export_c(spec, tmp_path, "net", isa="avx512", compute="bfloat16", max_steps=4)
    library = Shared(tmp_path, *AVX512)
    x = RNG.standard_normal((4, 1, 7), np.float32)
    if not _core.has_bf16_dot():
        assert library.stream("net") is None
        return
    stream = rn.Model(spec, compute="bfloat16").stream()
    want = np.stack([stream.step(x_t).copy() for x_t in x])
    assert_same_bits(library.steps("net", x, np.empty_like(want)), want)


def cpu_flags() -> set[str]:
    """What Linux says of an x86."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"^flags\s*:(.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return set(found[1].split()) if found else set()


@needs_compiler
@pytest.mark.skipif("avx512_vnni" not in cpu_flags(), reason="this CPU lacks AVX512_VNNI")
def test_a_compiler_that_knows_of_better_products_of_integers_has_them(tmp_path: Path) -> None:
    """And of none beside; bits stay."""
    spec = make_spec(RNG, "lstm", 7, 33, out_features=2)
    x = RNG.standard_normal((4, 1, 7), np.float32)
    found, sizes = [], []
    for flags in (AVX512, (*AVX512, "-mavx512vnni")):
        folder = tmp_path / str(len(found))
        rn.export_c(spec, folder, "net", isa="avx512", max_steps=4, weight_dtype="int8")
        library = Shared(folder, *flags)
        found.append(library.steps("net", x, np.empty((4, 1, 2), np.float32)))
        sizes.append((folder / "rnn_native.o").stat().st_size)
    assert_same_bits(*found)
    assert sizes[1] < sizes[0]


# ---- options ----


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weight_dtype": "int4"}, rn.OptionError, "weight_dtype: expected None"),
        ({"compute": "int8"}, rn.OptionError, "compute: expected None"),
        ({"keep": ["0"]}, rn.OptionError, "keep=.*: only beside a weight_dtype"),
        ({"keep": ["7"], "weight_dtype": "int8"}, rn.OptionError, "keep: '7' is no node"),
        (
            {"weight_dtype": "int8", "dtype": "float64"},
            rn.UnsupportedError,
            "weight_dtype='int8': expected dtype='float32'",
        ),
        (
            {"compute": "bfloat16"},
            rn.UnsupportedError,
            "compute='bfloat16': expected isa='avx512'.*weight_dtype='bfloat16' runs with any",
        ),
        (
            {"compute": "bfloat16", "weight_dtype": "int8"},
            rn.UnsupportedError,
            "expected weight_dtype None or 'bfloat16'",
        ),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rn.export_c(SPEC, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    with pytest.raises(error, match=message):
        device_memory(SPEC, **options)


def test_a_weight_past_the_type_is_named(tmp_path: Path) -> None:
    spec = rn.ModelSpec((rn.Linear(np.array([[1.0, 7e4]])),))
    with pytest.raises(rn.UnsupportedError, match=r"weight_dtype='float16': 0\.weight has 70000"):
        rn.export_c(spec, tmp_path, weight_dtype="float16")


# ---- the command ----


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ((), {"weight_dtype": "int8", "keep": ["1"]}),
        (("--dtype", "float32"), {"dtype": "float32"}),
        (("--weights", "bfloat16"), {"weight_dtype": "bfloat16", "keep": ["1"]}),
        (("--keep", "0", "1"), {"weight_dtype": "int8", "keep": ["0", "1"]}),
        (
            ("--compute", "bfloat16", "--isa", "avx512"),
            {"compute": "bfloat16", "keep": ["1"], "isa": "avx512"},
        ),
    ],
)
def test_the_command_writes_what_the_file_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], same: Any
) -> None:
    """Unless it is told otherwise, as ``rn.load`` runs it."""
    model, file = rn.Model(SPEC, weight_dtype="int8", keep=["1"]), tmp_path / "net.safetensors"
    model.save(file)
    assert cli.main(["export-c", str(file), str(tmp_path / "a"), *options]) == 0
    assert capsys.readouterr().err == ""
    rn.export_c(model.spec, tmp_path / "b", "net", **same)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
