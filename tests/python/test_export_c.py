"""export_c: names, options, and a folder that is written whole or not at all.

What the C gives when it runs: test_export_run.py.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported import CC
from hypothesis import given
from hypothesis import strategies as st
from strategies import make_spec

import rnn_native as rn
from rnn_native import cli
from rnn_native.activations import Activation
from rnn_native.export import folder as folders
from rnn_native.export import names, numbers
from rnn_native.export.library import library_text
from rnn_native.spec import ModelSpec

RNG = np.random.default_rng(5)
SPEC = make_spec(RNG, "gru", 3, 5, num_layers=2, out_features=2, activation="softmax")
OTHER = make_spec(RNG, "lstm", 3, 4, direction="bidirectional", dtype=np.float64)
LIBRARY = {"rnn_native.c", "rnn_native.h", "rnn_native_config.h", "rnn_native_internal.h"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def macros(header: Path) -> dict[str, str]:
    """The last definition of each: of STREAM_BYTES, with 32-bit pointers."""
    lines = re.findall(r"^#define (\w+) ([^/\n]+)", header.read_text(), re.MULTILINE)
    return {name: value.strip() for name, value in lines}


# ---- numbers ----


@given(
    st.sampled_from([np.float32, np.float64]).flatmap(
        lambda dtype: st.lists(st.floats(width=32 if dtype == np.float32 else 64), max_size=30).map(
            lambda values: np.array(values, dtype)
        )
    )
)
def test_numbers_are_written_exactly(array: np.ndarray[Any, Any]) -> None:
    """Denormals, both zeros and infinity among them; NaN stays one."""
    text = "".join(numbers.lines(array)).replace(" ", "")
    suffix = "f" if array.dtype == np.float32 else ""
    named = {"INFINITY": math.inf, "-INFINITY": -math.inf, "NAN": math.nan}
    found = []
    for word in text.split(",")[: array.size]:
        if word not in named:
            assert re.fullmatch(rf"-?0x[01](\.[0-9a-f]*[1-9a-f])?p[+-][0-9]+{suffix}", word), word
            word = word.removesuffix(suffix)
        found.append(named[word] if word in named else float.fromhex(word))
    read = np.array(found, array.dtype)
    same = np.isnan(read) & np.isnan(array)
    assert np.where(same, 0, read).tobytes() == np.where(same, 0, array).tobytes()


# ---- what the core tells ----

_WITHOUT_MEMORY = """
import resource, sys
import numpy as np
import rnn_native as rn
from rnn_native import _core
from rnn_native.formats.safetensors import parts

packed = _core.PackedModel(parts(rn.LSTM(1024, 1024).model.spec), 0, 8)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used, used))
taken = []
try:
    while True:
        taken.append(np.empty(2**23, np.uint8))
except MemoryError:
    pass
try:
    packed.describe()  # a weight has 2**24 bytes
except MemoryError:
    sys.exit(33)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="bounds memory as Linux does")
def test_memory_that_is_lacking_is_an_error_and_leaves_nothing_out() -> None:
    """What is raised while the core calls back reaches whoever called the core."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _WITHOUT_MEMORY], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (33, "")


# ---- the folder ----


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = rn.export_c(SPEC, tmp_path / "a", "net")
    assert {path.name for path in paths} == LIBRARY | {"net.c", "net.h"}
    rn.export_c(rn.Model(SPEC), tmp_path / "b", "net")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    rn.export_c(SPEC, tmp_path / "a", "net")  # over itself
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_sizes_are_macros(tmp_path: Path) -> None:
    rn.export_c(SPEC, tmp_path, "net", batch=2, max_steps=3)
    found = macros(tmp_path / "net.h")
    expected = {
        "INPUT_SIZE": 3, "OUTPUT_SIZE": 2, "BATCH": 2, "MAX_STEPS": 3, "NUM_STATES": 1,
        "NUM_PARAMETERS": rn.Model(SPEC).num_parameters,
    }  # fmt: skip
    assert {key: int(found[f"NET_{key}"]) for key in expected} == expected
    assert found["NET_STATE_0_SIZE"] == "(2 * NET_BATCH * 5)"
    assert "NET_STREAM_BYTES" in found


def test_dtype_is_the_models_own(tmp_path: Path) -> None:
    rn.export_c(rn.Model(SPEC, dtype="float64"), tmp_path / "a", "net")
    rn.export_c(SPEC, tmp_path / "b", "net", dtype="float64")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert "const double *x" in (tmp_path / "a/net.h").read_text()
    rn.export_c(SPEC, tmp_path / "c", "net")
    assert "const float *x" in (tmp_path / "c/net.h").read_text()


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "net.h").write_text("mine")
    with pytest.raises(rn.OptionError, match=r"net\.h is there and was not written by export-c"):
        rn.export_c(SPEC, tmp_path, "net")
    assert contents(tmp_path) == {"net.h": b"mine"}
    rn.export_c(SPEC, tmp_path, "net", force=True)
    assert contents(tmp_path).keys() == LIBRARY | {"net.c", "net.h"}
    (tmp_path / "other.c").mkdir()
    with pytest.raises(rn.OptionError, match=r"other\.c is there"):
        rn.export_c(SPEC, tmp_path, "other", force=True)


def test_an_error_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rn.export_c(SPEC, tmp_path / "old", "net")
    before = contents(tmp_path / "old")
    real, calls = folders.replacing, []

    def failing(path: Path) -> Any:
        calls.append(path)
        if path.name == "net.c":
            raise OSError(28, "No space left on device", str(path))
        return real(path)

    monkeypatch.setattr(folders, "replacing", failing)
    for folder in ("old", "new/deep"):
        with pytest.raises(OSError, match="No space left"):
            rn.export_c(OTHER, tmp_path / folder, "net")
    assert contents(tmp_path / "old") == before
    assert not (tmp_path / "new").exists()


def test_a_second_model_joins_the_first(tmp_path: Path) -> None:
    rn.export_c(SPEC, tmp_path, "one")
    first = contents(tmp_path)
    rn.export_c(OTHER, tmp_path, "two", dtype="float64")
    both = contents(tmp_path)
    assert both.keys() == first.keys() | {"two.c", "two.h"}
    changed = {name for name in first if first[name] != both[name]}
    assert changed == {"rnn_native_config.h"}
    found = macros(tmp_path / "rnn_native_config.h")
    needed = ("RNNAT_FLOAT64", "RNNAT_WITH_GRU", "RNNAT_WITH_LSTM", "RNNAT_WITH_RNN")
    assert [found[key] for key in needed] == ["1", "1", "1", "0"]
    rn.export_c(SPEC, tmp_path, "two")  # what the LSTM needed goes with it
    found = macros(tmp_path / "rnn_native_config.h")
    assert [found[key] for key in needed] == ["0", "1", "0", "0"]


@pytest.mark.parametrize(("name", "needs"), [("elu", "0"), ("silu", "1"), ("erf", "1")])
def test_functions_that_gates_and_layers_share_come_with_elementwise_layers(
    name: str, needs: str, tmp_path: Path
) -> None:
    """A cell that has one of them would give other numbers without."""
    gates = (Activation("sigmoid"), Activation(name))
    rn.export_c(make_spec(RNG, "gru", 3, 4, activations=gates), tmp_path, "net")
    found = macros(tmp_path / "rnn_native_config.h")
    assert (found["RNNAT_WITH_GENERAL"], found["RNNAT_WITH_ELEMENTWISE"]) == ("1", needs)


def test_what_does_not_fit_the_first_is_refused(tmp_path: Path) -> None:
    rn.export_c(SPEC, tmp_path, "one")
    before = contents(tmp_path)
    with pytest.raises(rn.OptionError, match="isa: expected scalar, which the model one in"):
        rn.export_c(SPEC, tmp_path, "two", isa="baseline")
    with pytest.raises(rn.OptionError, match="differs in case alone"):
        rn.export_c(SPEC, tmp_path, "ONE")
    assert contents(tmp_path) == before


def test_a_folder_of_another_version(tmp_path: Path) -> None:
    """The same model is written over it; others go if that is asked for."""
    rn.export_c(SPEC, tmp_path, "one")
    fresh = contents(tmp_path)

    def age() -> dict[str, bytes]:
        for path in tmp_path.iterdir():
            path.write_text(path.read_text().replace(rn.__version__, "0.0.1"))
        return contents(tmp_path)

    assert age() != fresh
    rn.export_c(SPEC, tmp_path, "one")
    assert contents(tmp_path) == fresh
    rn.export_c(OTHER, tmp_path, "two")
    (tmp_path / "mine.c").write_text("mine")
    old = age()
    with pytest.raises(rn.OptionError, match=r"another version .* models two: force removes them"):
        rn.export_c(SPEC, tmp_path, "one")
    assert contents(tmp_path) == old
    rn.export_c(SPEC, tmp_path, "one", force=True)
    assert contents(tmp_path) == fresh | {"mine.c": b"mine"}


def test_a_file_that_cannot_take_its_place_is_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the folder that cannot be removed then."""
    real = os.replace

    def failing(source: str, target: str) -> None:
        if os.path.basename(target) == "rnn_native_config.h":
            raise PermissionError(13, "Permission denied", target)
        real(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(PermissionError, match="Permission denied"):
        rn.export_c(SPEC, tmp_path / "new", "net")
    assert not [*tmp_path.glob("new/*.tmp")]


# ---- options ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"isa": "sse9"}, "isa: expected one of scalar, baseline,"),
        ({"isa": None}, "isa: expected one of"),
        ({"batch": 0}, "batch: expected an integer from 1"),
        ({"batch": True}, "batch: expected an integer"),
        ({"max_steps": 1.5}, "max_steps: expected an integer"),
        ({"max_steps": 2**31}, "max_steps: expected an integer"),
        ({"dtype": "float16"}, "dtype: expected one of float32, float64"),
        ({"name": "1st"}, "name: expected a letter"),
        ({"name": "a-b"}, "name: expected a letter"),
        ({"name": "é"}, "name: expected a letter"),
        ({"name": "x" * 41}, "name: expected a letter"),
        ({"name": "x\n"}, "name: expected a letter"),
        ({"name": "String"}, r"String\.h is a header of C"),
        ({"name": "features"}, r"features\.h is a header of C"),
        ({"name": "immintrin"}, r"immintrin\.h is a header of C or of a compiler"),
        ({"name": "rnn_native"}, "expected none that begins with rnn"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: Any, message: str) -> None:
    with pytest.raises(rn.OptionError, match=message):
        rn.export_c(SPEC, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_only_models_are_exported(tmp_path: Path) -> None:
    with pytest.raises(rn.OptionError, match="expected a Model or a ModelSpec, got str"):
        rn.export_c("model.onnx", tmp_path)  # type: ignore[arg-type]


def test_a_constant_past_float32_is_named(tmp_path: Path) -> None:
    large = make_spec(RNG, "rnn", 3, 5, activations=(Activation("affine", 1e39, 0.0),))
    with pytest.raises(rn.UnsupportedError, match=r"affine with the constant 1e\+39: float32 ends"):
        rn.export_c(large, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    rn.export_c(large, tmp_path / "out", dtype="float64")


def test_the_header_tells_the_mask_value_to_the_digit(tmp_path: Path) -> None:
    rn.export_c(ModelSpec(SPEC.layers, -0.123456789), tmp_path, "net")
    assert "Steps whose input is -0.123456789 are padding" in (tmp_path / "net.h").read_text()


def test_memory_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(rn.ShapeError):
        rn.export_c(OTHER, tmp_path / "out", batch=2**31 - 1, max_steps=2**31 - 1)
    assert not (tmp_path / "out").exists()


# ---- the command ----


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: object) -> tuple[int, str, str]:
        status = cli.main(["export-c", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_the_command_is_the_function(
    tmp_path: Path, export: Callable[..., tuple[int, str, str]]
) -> None:
    model = tmp_path / "voice-model.npz"
    rn.Model(SPEC).save(model)
    status, out, err = export(
        model, tmp_path / "a", "--isa", "baseline", "--batch", 2, "--max-steps", 4,
        "--dtype", "float64",
    )  # fmt: skip
    assert (status, err) == (0, "")
    paths = rn.export_c(
        SPEC, tmp_path / "b", "voice_model", isa="baseline", batch=2, max_steps=4, dtype="float64"
    )
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert out.splitlines() == [str(tmp_path / "a" / path.name) for path in paths]
    (tmp_path / "a/net.c").write_text("mine")
    status, out, err = export(model, tmp_path / "a", "--name", "net", "--isa", "baseline")
    assert (status, out) == (2, "")
    assert "net.c is there" in err
    status, out, err = export(
        model, tmp_path / "a", "--name", "net", "--isa", "baseline", "--force"
    )
    assert (status, err) == (0, "")


def test_a_name_is_made_of_the_files() -> None:
    assert names.of_file("voice-model.v2") == "voice_model_v2"
    assert names.of_file("2nd") == "model_2nd"
    assert names.of_file("é") == "model"
    assert names.of_file("rnnoise") == "model_rnnoise"
    assert names.of_file("float") == "model_float"
    assert len(names.of_file("x" * 100)) == 40
    assert len(names.of_file("rnn" * 100)) == 40


@pytest.mark.skipif(CC is None, reason="needs a C compiler: cc, gcc or clang")
def test_no_name_is_that_of_a_header_that_the_library_includes(tmp_path: Path) -> None:
    """Of those that are found directly in a folder of the compiler's."""
    rn.export_c(SPEC, tmp_path, "net")
    (tmp_path / "whole.c").write_text(library_text("rnn_native.c"))
    assert CC is not None
    done = subprocess.run(
        [CC, "-M", "net.c", "rnn_native.c", "whole.c"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {Path(word).stem for word in done.stdout.split() if re.search(r"include/\w+\.h$", word)}
    assert {"math", "stdlib"} <= found
    for name in found:
        with pytest.raises(rn.OptionError):
            names.check(name)
