"""The BLAS of the process is found, told apart by integer width, and multiplies right.

What is found depends on what a process has imported, so most tests ask a fresh one.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from rnn_native import blas

PRODUCTS = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "accelerate": "Accelerate"}


def in_fresh_process(script: str) -> Any:
    """What `script` leaves in `result`; NumPy and `blas` are imported for it."""
    program = f"import json, sys, numpy as np\nfrom rnn_native import blas\n{script}\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program + "print(json.dumps(result))"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def numpys_blas() -> str:
    """The name of the BLAS that NumPy says it was built with, "" without one."""
    config: Any = np.show_config(mode="dicts")
    dependency = config["Build Dependencies"]["blas"]
    return str(dependency["name"]).lower() if dependency.get("found") else ""


@pytest.fixture
def numpys_library() -> blas.Library:
    library = blas._from_numpy()
    if library is None:
        pytest.skip("this NumPy carries no BLAS")
    return library


# Errors, as a multiple of the bound |A B + beta C - result| <= 2 g (|A| |B| + |beta C|), where
# g = n u / (1 - n u) with n = k + 2 roundings on the way to any one result (Higham, Accuracy and
# Stability of Numerical Algorithms, 3.5); twice, as the product compared with may err likewise
# where long double is no wider than double.
RANDOM_PRODUCTS = """
def worst(library):
    random = np.random.default_rng(0)
    multiple = 0.0
    for dtype, wide in ((np.float32, np.float64), (np.float64, np.longdouble)):
        for _ in range(60):
            m, n, k = map(int, random.integers(1, 40, 3))
            a, b, c = (
                random.standard_normal((rows, columns + 3)).astype(dtype)[:, :columns]
                for rows, columns in ((m, k), (k, n), (m, n))
            )
            beta = float(random.integers(0, 3))
            exact = a.astype(wide) @ b.astype(wide) + beta * c.astype(wide)
            size = abs(a).astype(wide) @ abs(b) + abs(beta * c)
            whole, old = c.base, c.base.copy()
            blas.multiply(library, a, b, beta, c)
            assert np.array_equal(whole[:, n:], old[:, n:])
            nu = (k + 2) * np.finfo(dtype).eps / 2
            multiple = max(multiple, float(np.max(abs(c - exact) / (2 * nu / (1 - nu) * size))))
    return multiple
"""

FOUND = """
from dataclasses import asdict
library = blas.find()
result = asdict(library) if library else {}
result["worst"] = worst(library) if library else 0.0
result["scipy imported"] = "scipy" in sys.modules
result["still the same"] = library is blas.find()
"""


def check_found(found: dict[str, Any], owner: str) -> None:
    assert f"({owner}'s {os.path.basename(found['path'])})" in found["name"]
    assert found["integer_bits"] in (32, 64)
    assert found["sgemm"]
    assert found["dgemm"]
    assert found["worst"] <= 1
    assert found["still the same"]


def test_numpys_library_is_found_without_scipy() -> None:
    found = in_fresh_process(RANDOM_PRODUCTS + FOUND)
    assert not found["scipy imported"]
    name = numpys_blas()
    if not name:
        pytest.skip("this NumPy was built without a BLAS")
    check_found(found, "NumPy")
    assert not found["fortran"]
    for part, product in PRODUCTS.items():
        if part in name:
            assert found["name"].startswith(product)


def test_scipys_library_is_found_where_scipy_is_in_use() -> None:
    pytest.importorskip("scipy.linalg.cython_blas")
    found = in_fresh_process("import scipy.linalg" + RANDOM_PRODUCTS + FOUND)
    check_found(found, "SciPy")
    assert found["fortran"]


def test_scipy_imported_later_changes_nothing() -> None:
    pytest.importorskip("scipy.linalg")
    assert in_fresh_process(
        "first = blas.find()\nimport scipy.linalg\nresult = blas.find() is first"
    )


def test_numpy_uses_its_own_library_where_several_are_loaded() -> None:
    pytest.importorskip("scipy.linalg")
    look = "library = blas._from_numpy()\nresult = library.path if library else None"
    assert in_fresh_process("import scipy.linalg\n" + look) == in_fresh_process(look)


def test_a_library_is_never_loaded_for_it() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc/self/maps")
    assert (
        in_fresh_process(
            "def loaded():\n"
            "    lines = open('/proc/self/maps').read().splitlines()\n"
            "    return {line.split()[-1] for line in lines if '.so' in line}\n"
            "import ctypes, threading\n"
            "before = loaded()\n"
            "library = blas.find()\n"
            "result = [path for path in loaded() - before]\n"
            "assert not library or library.path in before"
        )
        == []
    )


def test_every_thread_finds_the_same_library() -> None:
    assert (
        in_fresh_process(
            "from concurrent.futures import ThreadPoolExecutor\n"
            "from threading import Barrier\n"
            "barrier = Barrier(8)\n"
            "def look(_):\n"
            "    barrier.wait()\n"
            "    return id(blas.find())\n"
            "with ThreadPoolExecutor(8) as pool:\n"
            "    result = len(set(pool.map(look, range(8))))"
        )
        == 1
    )


def test_the_count_of_threads_can_be_set_and_restored(numpys_library: blas.Library) -> None:
    library = numpys_library
    if not library.set_threads or not library.get_threads:
        pytest.skip(f"{library.name} gives no count to read")
    set_threads = ctypes.CFUNCTYPE(None, ctypes.c_int)(library.set_threads)
    get_threads = ctypes.CFUNCTYPE(ctypes.c_int)(library.get_threads)
    before = get_threads()
    set_threads(1)
    limited = get_threads()
    set_threads(before)
    assert (limited, get_threads()) == (1, before)


# ---- widths ------------------------------------------------------------------------------------


def fake_isamax(integer: Any) -> Any:
    """Fortran's isamax of a library with integers of this type, for x = 1, 2, 1."""
    pointer = ctypes.POINTER(integer)

    def isamax(n: Any, x: Any, step: Any) -> int:
        assert step[0] == 1
        return 0 if n[0] < 1 else 1 + int(np.argmax(np.abs(x[: n[0]])))

    return ctypes.CFUNCTYPE(integer, pointer, ctypes.POINTER(ctypes.c_float), pointer)(isamax)


def address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@pytest.mark.skipif(
    sys.byteorder == "big" or ctypes.sizeof(ctypes.c_void_p) == 4, reason="nothing is probed here"
)
@pytest.mark.parametrize(("integer", "bits"), [(ctypes.c_int32, 32), (ctypes.c_int64, 64)])
def test_a_harmless_call_tells_the_integer_width(integer: Any, bits: int) -> None:
    function = fake_isamax(integer)
    assert blas._probed_bits(address_of(function)) == bits


def test_an_unknown_answer_tells_no_width() -> None:
    if ctypes.sizeof(ctypes.c_void_p) == 4:
        pytest.skip("one width only")
    nonsense = ctypes.CFUNCTYPE(ctypes.c_int64)(lambda: 7)
    assert blas._probed_bits(address_of(nonsense)) is None
    assert blas._probed_bits(0) is None


@pytest.mark.parametrize(
    ("named", "probed", "agreed"),
    [
        (32, 32, 32),
        (64, 64, 64),
        (None, 64, 64),
        (32, None, 32),
        (None, None, None),
        (32, 64, None),
        (64, 32, None),
    ],
)
def test_a_width_is_agreed_or_unknown(
    named: int | None, probed: int | None, agreed: int | None
) -> None:
    assert blas._agreed_bits(named, probed) == agreed


def test_a_name_that_belies_the_width_is_refused(
    numpys_library: blas.Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.byteorder == "big" or ctypes.sizeof(ctypes.c_void_p) == 4:
        pytest.skip("nothing is probed here")
    wrong = 96 - numpys_library.integer_bits
    lying = tuple(scheme._replace(integer_bits=wrong) for scheme in blas._SCHEMES)
    monkeypatch.setattr(blas, "_SCHEMES", lying)
    assert blas._from_numpy() is None


S, D = "__pyx_t_5scipy_6linalg_11cython_blas_s", "__pyx_t_5scipy_6linalg_11cython_blas_d"


def gemm_type(i: str, r: str) -> str:
    types = ["char", "char", i, i, i, r, r, i, r, i, r, r, i]
    return "void (" + ", ".join(f"{each} *" for each in types) + ")"


@pytest.mark.parametrize("integer", ["int", "int64_t", "long long"])
def test_cythons_type_tells_the_integer(integer: str) -> None:
    assert blas._gemm_integer(gemm_type(integer, S), "s|float") == integer
    assert blas._gemm_integer(gemm_type(integer, D), "d|double") == integer
    assert blas._gemm_integer(gemm_type(integer, "double"), "d|double") == integer


@pytest.mark.parametrize(
    "c_type",
    [
        "",
        "void (void)",
        gemm_type("int", D),
        gemm_type("int", S).replace("char *", "int *", 1),
        gemm_type("int", S).replace(", int *)", ", int64_t *)"),
        gemm_type("int", S).replace("void", "int"),
        gemm_type("int", S).replace("int *, ", "", 1),
    ],
)
def test_another_type_is_no_sgemm(c_type: str) -> None:
    assert blas._gemm_integer(c_type, "s|float") is None


# ---- the proof ---------------------------------------------------------------------------------


@pytest.mark.parametrize("routine", ["sgemm", "dgemm"])
def test_a_library_that_multiplies_wrong_is_refused(
    numpys_library: blas.Library, routine: str
) -> None:
    assert blas._multiplies(numpys_library)
    idle = ctypes.CFUNCTYPE(None)(lambda: None)
    changes: dict[str, Any] = {routine: address_of(idle)}
    assert not blas._multiplies(dataclasses.replace(numpys_library, **changes))
