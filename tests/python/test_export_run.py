"""Exported C, compiled: the bits of the package, weights in read-only memory, no heap, no files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees
from exported import CC, Shared, compile_all, facts, link, symbols
from strategies import GENERAL_VARIANTS, make_spec

import rnn_native as rn
from rnn_native.spec import Activation

pytestmark = pytest.mark.skipif(CC is None, reason="needs a C compiler: cc, gcc or clang")

SWEEP = Path(__file__).parent / "export_sweep.py"
CONFIG = rn.show_config(mode="dicts")
RNG = np.random.default_rng(9)
GENERAL = {cell: options for cell, options in GENERAL_VARIANTS if "peephole" not in options}
OWN_CODE: list[tuple[str, dict[str, Any]]] = [
    *[(cell, {}) for cell in ("rnn", "gru", "lstm")],
    *[(cell, {"gate_recurrent": True}) for cell in ("gru", "lstm")],
    *GENERAL.items(),
    ("gru", {"activations": (Activation("sigmoid"), Activation("gelu"))}),
]
"""A cell for each set of options that the library is compiled with."""

LIBC = {"memcpy", "memset", "memmove", "memcmp", "strcmp", "strlen"}
LIBM = {
    "exp", "log", "log1p", "fabs", "fabsf", "copysign", "copysignf", "erf", "erfc", "pow", "sqrtf",
}  # fmt: skip


@pytest.mark.parametrize("isa", ["scalar", "baseline", "avx2"])
def test_the_bits_of_the_package(tmp_path: Path, isa: str) -> None:
    kernels = "baseline" if isa == "scalar" else isa
    if kernels not in CONFIG["isas_available"]:
        pytest.skip(f"this machine lacks {isa}")
    done = subprocess.run(
        [sys.executable, "-P", str(SWEEP), str(tmp_path / "out"), isa],
        env=os.environ | {"RNN_NATIVE_ISA": kernels},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.startswith(f"{isa}:")


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
@pytest.mark.parametrize(("cell", "options"), OWN_CODE)
def test_the_library_beside_a_model_is_what_it_needs(
    tmp_path: Path, cell: str, options: dict[str, Any]
) -> None:
    """It links, and asks nothing of libc but to copy and clear; weights are read-only, and what is
    not is the memory that a macro tells, and little more. What a model says it takes are its
    constants, all of them."""
    spec = make_spec(RNG, cell, 3, 6, out_features=2, **options)
    rn.export_c(spec, tmp_path, "net")
    text = (tmp_path / "net.c").read_text()
    assert text.count("_memory >=") == 1
    (tmp_path / "net.c").write_text(text.replace("_memory >=", "_memory =="))
    _, memory = facts(tmp_path)
    library, model = symbols(tmp_path / "rnn_native.o"), symbols(tmp_path / "net.o")
    own = {name for kind, name, _ in library if kind.isupper() and kind != "U"}
    asked = {name for kind, name, _ in library + model if kind == "U"} - own
    assert asked - LIBM <= LIBC
    need = int(re.findall(r"NET_STREAM_BYTES (\d+)u", (tmp_path / "net.h").read_text())[0])
    ram = {name: size for kind, name, size in library + model if kind in "bBdDC"}
    assert ram.pop("net_memory") == need
    assert sum(ram.values()) <= 64, ram
    assert memory == sum(size for kind, _, size in model if kind in "rR")
    arrays = [
        size for kind, name, size in model if kind == "r" and re.match(r"net_nodes_\d+_data_", name)
    ]
    assert f"NET_WEIGHT_BYTES {sum(arrays)}u" in (tmp_path / "net.h").read_text()
    matrices = [a.size for layer in spec.layers for a in layer.arrays.values() if a.ndim == 2]
    assert sum(arrays) >= 4 * sum(matrices)


@pytest.mark.parametrize("isa", ["scalar", "avx2"])
def test_the_fast_form_gives_the_same_bits(tmp_path: Path, isa: str) -> None:
    if isa != "scalar" and isa not in CONFIG["isas_available"]:
        pytest.skip(f"this machine lacks {isa}")
    x = RNG.standard_normal((4, 2, 3), np.float32)
    found, sizes = [], []
    flags = ["-mavx2", "-mfma"] if isa == "avx2" else []
    spec = make_spec(RNG, "gru", 3, 6, out_features=2)
    for small in (0, 1):
        folder = tmp_path / str(small)
        rn.export_c(spec, folder, "net", isa=isa, batch=2, max_steps=4)
        library = Shared(folder, f"-DRNNAT_SMALL={small}", *flags)
        found.append(library.steps("net", x, np.empty((4, 2, 2), np.float32)).tobytes())
        sizes.append((folder / "rnn_native.o").stat().st_size)
    assert found[0] == found[1]
    assert sizes[0] > sizes[1]


def test_two_shared_libraries_in_one_program(tmp_path: Path) -> None:
    """Each has a library within, of other options and sizes: neither takes the other's."""
    specs = {"ga": make_spec(RNG, "gru", 3, 6), "lb": make_spec(RNG, "lstm", 3, 6)}
    for name, spec in specs.items():
        rn.export_c(spec, tmp_path / name, name)
        objects = compile_all(tmp_path / name, "-fPIC")
        shared = link(objects, tmp_path / f"lib{name}.so", "-shared", "-Wl,-z,defs")
        if shutil.which("nm"):
            listed = ["nm", "-D", "--defined-only", str(shared)]
            done = subprocess.run(listed, capture_output=True, text=True, check=True)
            functions = ("model", "reset", "step", "steps", "stream")
            shown = {line.split()[2] for line in done.stdout.splitlines()}
            assert shown - {"_init", "_fini"} == {f"{name}_{function}" for function in functions}
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "ga/ga.h"\n#include "lb/lb.h"\n'
        "int main(void)\n{\n"
        "    float x[3] = {1, -2, 3}, y[2][6];\n"
        "    if (ga_step(x, y[0]) || lb_step(x, y[1])) return 1;\n"
        '    for (int i = 0; i < 12; ++i) printf("%a\\n", (double)y[i / 6][i % 6]);\n'
        "    return 0;\n}\n"
    )
    objects = compile_all(tmp_path)
    program = link(
        objects, tmp_path / "program", "-Wl,--no-as-needed", f"-Wl,-rpath,{tmp_path}",
        "-L.", "-lga", "-llb",
    )  # fmt: skip
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    x = np.array([[[1, -2, 3]]], np.float32)
    found = np.array([float.fromhex(line) for line in done.stdout.split()], np.float32)
    for spec, y in zip(specs.values(), found.reshape(2, 1, 1, 6), strict=True):
        assert_agrees(spec, x, None, None, y, rn.Model(spec)(x)[1], "float32")


def test_wrong_kernels_do_not_compile(tmp_path: Path) -> None:
    rn.export_c(make_spec(RNG, "rnn"), tmp_path, "net", isa="avx512")
    assert CC is not None
    done = subprocess.run([CC, "-c", "net.c"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "net.c is packed for avx512: expected -mavx512f" in done.stderr


@pytest.mark.parametrize("source", ["net.c", "rnn_native.c"])
def test_fast_math_does_not_compile(tmp_path: Path, source: str) -> None:
    rn.export_c(make_spec(RNG, "rnn"), tmp_path, "net")
    assert CC is not None
    command = [CC, "-ffast-math", "-fsyntax-only", source]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "got -ffast-math" in done.stderr


@pytest.mark.parametrize(
    ("options", "dtype", "message"),
    [
        ({}, "float32", ""),
        ({"direction": "reverse"}, "float32", "expected a model that streams"),
        ({}, "float64", "expected a model of features in float32"),
    ],
)
def test_the_cortex_m_program_says_which_models_it_takes(
    tmp_path: Path, options: dict[str, Any], dtype: str, message: str
) -> None:
    folder = Path(__file__).parents[2] / "examples/cortex_m"
    if not folder.is_dir():
        pytest.skip("needs the examples")
    rn.export_c(make_spec(RNG, "gru", 3, 6, **options), tmp_path, "model", dtype=dtype)
    assert CC is not None
    command = [CC, "-std=c11", "-fsyntax-only", f"-I{tmp_path}", "main.c"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode == 0) == (not message), done.stderr
    assert message in done.stderr


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_headers_are_for_cxx_too(tmp_path: Path) -> None:
    rn.export_c(make_spec(RNG, "gru", direction="reverse"), tmp_path, "net")
    command = ["g++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", "net.h"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("tcc") is None, reason="needs tcc")
def test_a_compiler_without_extensions_of_gnu(tmp_path: Path) -> None:
    rn.export_c(make_spec(RNG, "gru", 3, 6, out_features=2), tmp_path, "net")
    command = ["tcc", "-Wall", "-Werror", "-c"]
    for name in ("net.c", "rnn_native.c"):
        done = subprocess.run([*command, name], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
