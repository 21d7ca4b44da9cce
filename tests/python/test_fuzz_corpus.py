"""The corpus of tests/fuzz: small files, mutants of whole ones, which end in a model or an error of
ours, within bounds of memory and processor time. ``fuzz_readers.py`` made them and reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("h5py")
pytest.importorskip("onnx")
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="bounds of Linux's processes"
)
FUZZ = Path(__file__).parents[1] / "fuzz"
FORMATS = (
    "safetensors", "npz", "onnx", "torch", "pickle", "flax", "keras", "json", "nam", "rnnoise",
    "tflite",
)  # fmt: skip


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(FUZZ / "fuzz_readers.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_is_a_model_or_an_error_of_ours(name: str) -> None:
    files = sorted((FUZZ / "corpus" / name).iterdir())
    assert files
    done = run("--replay", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"{len(files)} files, 0 wrong\n")


def test_new_mutants_are_made_and_read(tmp_path: Path) -> None:
    done = run("--seconds", "1", "--seed", "1", "--findings", tmp_path / "found")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"\n{name}: " in done.stdout for name in FORMATS)
    assert not (tmp_path / "found").exists()
