"""Exported C, compiled by the system's compiler and called through ctypes."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.spec import ModelSpec

Arrays = Sequence[NDArray[Any]]

CC = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
STRICT = (
    "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wcast-qual", "-Wconversion",
    "-Wundef", "-Wvla", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wredundant-decls",
    "-Wwrite-strings", "-Wpointer-arith", "-Wdouble-promotion",
)  # fmt: skip
"""What a project that compiles the files with its own may ask for: cmake/RnnatFlags.cmake."""
BITS = ("-ffp-contract=off", "-O1")
"""No product and sum becomes one operation, as in the core of the package."""


SHOWN = '-DRNNAT_API=__attribute__((visibility("default")))'
"""The library's functions are not hidden in a shared library."""


def compile_all(folder: Path, *flags: str) -> list[Path]:
    """Every C file of the folder as an object, warnings being errors."""
    sources = sorted(folder.glob("*.c"))
    _compile(folder, *STRICT, "-Werror", *BITS, "-c", *flags, *(path.name for path in sources))
    return [path.with_suffix(".o") for path in sources]


def link(objects: list[Path], output: Path, *flags: str) -> Path:
    _compile(output.parent, *flags, *map(str, objects), "-o", output.name, "-lm")
    return output


def _compile(folder: Path, *arguments: str) -> None:
    assert CC is not None
    done = subprocess.run([CC, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]


FACTS = """\
#include <stdio.h>
#include "net.h"
int main(void)
{
    static float x[NET_BATCH * NET_INPUT_SIZE], y[NET_BATCH * NET_OUTPUT_SIZE];
    rnnat_model_info info = {.struct_size = sizeof info};
    (void)rnnat_model_describe(&net_model, &info);
    printf("%d %zu\\n", (int)info.weight_dtype, info.memory);
    size_t need = 0;
    (void)rnnat_stream_size(&net_model, NET_BATCH, NET_MAX_STEPS, &need);
    return need != NET_STREAM_BYTES || net_step(x, y) != RNNAT_OK;
}
"""


def facts(folder: Path) -> tuple[int, int]:
    """What a model ``net`` says of itself in a program: its weight_dtype's code, and its bytes.
    A stream needs what NET_STREAM_BYTES says, and runs. (-fno-pie: a table of addresses is a
    constant, too.)"""
    (folder / "main.c").write_text(FACTS)
    program = link(compile_all(folder, "-fno-pie"), folder / "program", "-no-pie")
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode == 0
    code, memory = map(int, done.stdout.split())
    return code, memory


def symbols(path: Path) -> list[tuple[str, str, int]]:
    """(kind, name, size) as nm tells them."""
    done = subprocess.run(["nm", "-S", str(path)], capture_output=True, text=True, check=True)
    found = []
    for line in done.stdout.splitlines():
        *numbers, kind, name = line.split()
        found.append((kind, name, int(numbers[1], 16) if len(numbers) == 2 else 0))
    return found


class Shared:
    """The models of one folder as a shared library that shows the library's functions, too."""

    def __init__(self, folder: Path, *flags: str) -> None:
        objects = compile_all(folder, "-fPIC", SHOWN, *flags)
        sanitizers = [flag for flag in flags if flag.startswith("-fsanitize")]
        path = link(objects, folder / "exported.so", "-shared", "-Wl,-z,defs", *sanitizers)
        self.library = ctypes.CDLL(str(path))

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self.library, function)(*arguments)
        assert status == 0, f"{function}: status {status}"

    def run(self, name: str, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Whole sequences, of a model that does not stream."""
        self._call(f"{name}_run", _at(x), ctypes.c_int32(len(x)), _at(y))
        return y

    def steps(self, name: str, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        self._call(f"{name}_steps", _at(x), ctypes.c_int32(len(x)), _at(y))
        return y

    def step(self, name: str, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        self._call(f"{name}_step", _at(x), _at(y))
        return y

    def values(self, function: str, inputs: Arrays, outputs: Arrays, *steps: int) -> None:
        """A function of a model with several inputs or outputs."""
        places = [(ctypes.c_void_p * len(each))(*map(_at, each)) for each in (inputs, outputs)]
        self._call(function, places[0], *map(ctypes.c_int32, steps), places[1])

    def push(
        self, name: str, inputs: Arrays, outputs: Arrays, several: bool, count: int
    ) -> list[int]:
        """``count`` steps of a model whose outputs have others, which has room for what ``outputs``
        hold."""
        room, got = ((ctypes.c_int32 * len(outputs))(*map(len, outputs)) for _ in range(2))
        steps = ctypes.c_int32(count)
        if several:
            places = [(ctypes.c_void_p * len(each))(*map(_at, each)) for each in (inputs, outputs)]
            self._call(f"{name}_push", places[0], steps, places[1], room, got)
        else:
            ends = (_at(inputs[0]), steps, _at(outputs[0]))
            self._call(f"{name}_push", *ends, ctypes.c_int32(room[0]), ctypes.byref(got))
        return [*got]

    def reset(self, name: str) -> None:
        self._call(f"{name}_reset")

    def stream(self, name: str) -> int | None:
        """Where the model's own stream is; None: it has none here."""
        stream = getattr(self.library, f"{name}_stream")
        stream.restype = ctypes.c_void_p
        address: int | None = stream()
        return address

    def state(self, name: str, index: int, values: NDArray[Any]) -> NDArray[Any]:
        pointer = ctypes.c_void_p(self.stream(name))
        self._call("rnnat_stream_get_state", pointer, ctypes.c_int32(index), _at(values))
        return values


def as_input(spec: ModelSpec, x: NDArray[Any], dtype: str) -> NDArray[Any]:
    """x as C reads it: dense, indices of 32 bits."""
    return np.ascontiguousarray(x, np.int32 if spec.takes_indices else dtype)


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
