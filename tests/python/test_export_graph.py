"""Graphs as C: the bits of the package, all inputs and outputs by name, tables in read-only memory.

What export_c does of chains: test_export_c.py, test_export_run.py.
"""

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
import strategies
from exported import CC, compile_all, link
from random_graphs import make_graph
from test_export_run import CONFIG, symbols
from test_graph_model import last_and_steps, residual, two_inputs

import rnn_native as rn
from rnn_native import cli
from rnn_native.export import device_memory
from rnn_native.export.literals import listed, literal, quoted
from rnn_native.spec import ModelSpec

SWEEP = Path(__file__).parent / "export_graph_sweep.py"
NAMES = ("mel", 'a "b" \\', "*/ //* /*", "??/ ??=", "Größe %s", "0")
"""Names that C would read as something else."""

needs_compiler = pytest.mark.skipif(CC is None, reason="needs a C compiler: cc, gcc or clang")


def sanitizer() -> str | None:
    """The shared library that a program has to begin with which loads sanitized code."""
    if CC is None:
        return None
    asked = [CC, "-print-file-name=libasan.so"]
    path = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return path if Path(path).is_absolute() and Path(path).is_file() else None


def sweep(folder: Path, isa: str, *flags: str, **environment: str) -> None:
    kernels = "baseline" if isa == "scalar" else isa
    if kernels not in CONFIG["isas_available"]:
        pytest.skip(f"this machine lacks {isa}")
    done = subprocess.run(
        [sys.executable, "-P", str(SWEEP), str(folder), isa, *flags],
        env=os.environ | {"RNN_NATIVE_ISA": kernels} | environment,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.startswith(f"{isa}:")


@needs_compiler
@pytest.mark.parametrize("isa", ["scalar", "baseline", "avx2"])
def test_the_bits_of_the_package(tmp_path: Path, isa: str) -> None:
    sweep(tmp_path / "out", isa)


@pytest.mark.skipif(sanitizer() is None, reason="needs libasan.so, as GCC has it")
def test_the_same_under_sanitizers(tmp_path: Path) -> None:
    """Every array of the caller's is one of the heap, of exactly its size."""
    flags = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    preload = sanitizer()
    assert preload is not None
    sweep(tmp_path / "out", "scalar", *flags, LD_PRELOAD=preload, ASAN_OPTIONS="detect_leaks=0")


@needs_compiler
@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
@pytest.mark.parametrize("make", [residual, two_inputs, last_and_steps])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tables_are_read_only_and_memory_is_what_the_header_says(
    tmp_path: Path, make: Any, dtype: str
) -> None:
    """(-fno-pie: a table of addresses is a constant, too.)"""
    rn.export_c(make(), tmp_path, "net", batch=2, max_steps=3, dtype=dtype)
    source, header = tmp_path / "net.c", (tmp_path / "net.h").read_text()
    text = source.read_text()
    assert text.count("_memory >=") == 1
    source.write_text(text.replace("_memory >=", "_memory =="))
    what = "STREAM" if rn.Model(make()).streamable else "RUN"
    size = f"rnnat_model_run_size{'_f64' if dtype == 'float64' else ''}(&net_model, &run, &need)"
    if what == "STREAM":
        size = "rnnat_stream_size(&net_model, NET_BATCH, NET_MAX_STEPS, &need)"
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "net.h"\n'
        "int main(void)\n{\n"
        "    rnnat_model_info info = {.struct_size = sizeof info};\n"
        "    (void)rnnat_model_describe(&net_model, &info);\n"
        '    printf("%zu\\n", info.memory);\n'
        "    const void *inputs[8];\n    void *outputs[8];\n"
        "    for (int i = 0; i < 8; ++i) inputs[i] = outputs[i] = &info;\n"
        f"    const rnnat_run{'_f64' if dtype == 'float64' else ''} run = {{"
        ".struct_size = sizeof run, .time = NET_MAX_STEPS, .batch = NET_BATCH,\n"
        "        .inputs = inputs, .outputs = outputs, .num_threads = 1};\n"
        "    (void)run;\n"
        f"    size_t need = 0;\n    return {size} != RNNAT_OK || need != NET_{what}_BYTES;\n}}\n"
    )
    program = link(compile_all(tmp_path, "-fno-pie"), tmp_path / "program", "-no-pie")
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode == 0
    model = symbols(tmp_path / "net.o")
    kinds = {name: kind for kind, name, _ in model}
    for table in ("nodes", "values", "outputs", "names", "buffers", "states"):
        assert kinds[f"net_{table}"] in "rR"
    assert int(done.stdout) == sum(size for kind, _, size in model if kind in "rR")
    written = {name for kind, name, _ in model if kind in "bBdDC"}
    assert all(re.fullmatch(r"net_memory|stream\.\d+", name) for name in written), written
    memory = device_memory(make(), batch=2, max_steps=3, dtype=dtype, pointer=8)
    assert f"NET_{what}_BYTES {memory.ram}u" in header
    assert f"NET_WEIGHT_BYTES {memory.constants}u" in header


def named_graph() -> ModelSpec:
    rng = np.random.default_rng(4)
    make = strategies.make_linear
    nodes: dict[str, Any] = {f"n {n}": (make(rng, 2, 3), n) for n in NAMES}
    nodes["all */"] = (rn.Concat(), tuple(nodes))
    nodes["h"] = (strategies.make_recurrent(rng, "lstm", 18, 4), "all */")
    outputs = dict(zip(NAMES, ("h", "h.last") * 3, strict=True))
    return ModelSpec(nodes=nodes, inputs=dict.fromkeys(NAMES, 2), outputs=outputs)


@needs_compiler
@pytest.mark.parametrize("standard", ["c11", "gnu17"])
def test_names_are_constants_whatever_characters_they_have(tmp_path: Path, standard: str) -> None:
    """Those of the header, and what the library tells of the model."""
    rn.export_c(named_graph(), tmp_path, "net")
    lines = [
        f'    (void)rnnat_model_{kind.lower()}(&net_model, {i}, &info);\n    printf("%s\\n%s\\n",'
        f" NET_{kind}_{i}_NAME, info.name);\n"
        for kind in ("INPUT", "OUTPUT")
        for i in range(len(NAMES))
    ]
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "net.h"\n'
        "int main(void)\n{\n    rnnat_value_info info = {.struct_size = sizeof info};\n"
        + "".join(lines)
        + "    return NET_NUM_INPUTS != 6 || NET_NUM_OUTPUTS != 6 || NET_NUM_STATES != 2;\n}\n"
    )
    objects = compile_all(tmp_path, f"-std={standard}")
    program = link(objects, tmp_path / "program")
    done = subprocess.run([str(program)], capture_output=True, encoding="utf-8")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [name for name in NAMES * 2 for _ in range(2)]


def test_names_in_comments_stay_in_them() -> None:
    for name in (*NAMES, "*/*", "/*/", "**//"):
        assert not {"*/", "/*"} & {quoted(name)[i : i + 2] for i in range(len(name) + 1)}
    lines = [*listed(" *   it reads", ["a b" * 10, "??/ " * 20, "c"] * 9)]
    assert max(map(len, lines)) <= 100
    assert all(line.endswith(('"', '",')) for line in lines)
    assert literal("a\x07?é") == '"a\\007\\?\\303\\251"'


def test_the_header_says_what_every_array_is(tmp_path: Path) -> None:
    rn.export_c(two_inputs(), tmp_path, "net", batch=2)
    text = (tmp_path / "net.h").read_text()
    for line in (
        '#define NET_INPUT_0_NAME "mel"',
        "#define NET_INPUT_0_SIZE 4 /* features */",
        "#define NET_INPUT_1_SIZE 11 /* indices that it knows */",
        '#define NET_OUTPUT_1_NAME "gated"',
        ' *   inputs[0], "mel": float [steps, NET_BATCH, NET_INPUT_0_SIZE]',
        ' *   inputs[1], "word": int32_t [steps, NET_BATCH], each from 0 to NET_INPUT_1_SIZE - 1',
        ' *   outputs[0], "plain": float [steps, NET_BATCH, NET_OUTPUT_0_SIZE]',
    ):
        assert line in text.splitlines(), line
    assert '[1, NET_BATCH, 7], h of "rnn"' in text
    assert ' *   "both": combine mode=concat; reads "mel", "words"' in text
    assert "NET_INPUT_SIZE" not in text
    rn.export_c(last_and_steps(), tmp_path, "other")
    assert (
        ' *   outputs[1], "label": float [OTHER_BATCH, OTHER_OUTPUT_1_SIZE], of the last step'
        in (tmp_path / "other.h").read_text()
    )


def test_a_graph_of_one_input_and_output_has_the_functions_of_a_chain(tmp_path: Path) -> None:
    rn.export_c(residual(), tmp_path, "net", dtype="float64")
    text = (tmp_path / "net.h").read_text()
    assert "rnnat_status net_step(const double *x, double *y);" in text
    assert '#define NET_OUTPUT_0_NAME "out"' in text
    assert "#define NET_INPUT_SIZE 5 /* features of x */" in text


@needs_compiler
@pytest.mark.parametrize("make", [residual, two_inputs])
def test_the_cortex_m_program_takes_one_input_and_output(tmp_path: Path, make: Any) -> None:
    folder = Path(__file__).parents[2] / "examples/cortex_m"
    if not folder.is_dir():
        pytest.skip("needs the examples")
    rn.export_c(make(), tmp_path, "model", dtype="float32")
    assert CC is not None
    command = [CC, "-std=c11", "-fsyntax-only", f"-I{tmp_path}", "main.c"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode == 0) == (make is residual), done.stderr
    if make is two_inputs:
        assert "expected a model of one input and one output, got one of several" in done.stderr


def test_the_command_exports_a_file_with_a_graph(tmp_path: Path) -> None:
    spec = make_graph(np.random.default_rng(8))
    rn.Model(spec).save(tmp_path / "net.safetensors")
    assert cli.main(["export-c", str(tmp_path / "net.safetensors"), str(tmp_path / "a")]) == 0
    rn.export_c(spec, tmp_path / "b", "net")
    for path in (tmp_path / "b").iterdir():
        assert path.read_bytes() == (tmp_path / "a" / path.name).read_bytes()
