"""What the documentation shows is true: its code runs, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
SCRIPTS = sorted(ROOT.glob("examples/*.py"))
STREAM_C = ROOT / "examples" / "embedded_c" / "stream.c"
COMPILER = shutil.which(os.environ.get("CC", "cc"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


PYTHON = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "python"), 1)
]


def run(folder: Path, *command: str | Path, stdin: str = "") -> str:
    """What a command prints that is run in `folder`, where its files go; it has to succeed."""
    done = subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_has_its_examples() -> None:
    assert len(blocks(ROOT / "README.md", "python")) >= 4
    assert SCRIPTS


@pytest.mark.parametrize("block", PYTHON)
def test_python_block_runs_by_itself(block: str, tmp_path: Path) -> None:
    if re.search(r"^(import|from) onnx\b|\.onnx\"\)", block, re.MULTILINE):
        pytest.importorskip("onnx")
    if re.search(r"^import torch\b", block, re.MULTILINE):
        pytest.importorskip("torch")
    if re.search(r"^import h5py\b", block, re.MULTILINE):
        pytest.importorskip("h5py")
    for package in ("aeon.datasets", "statsmodels.datasets"):
        if re.search(rf"^from {package} import\b", block, re.MULTILINE):
            pytest.importorskip(package, exc_type=ImportError)
    if "rn.plot" in block:
        pytest.importorskip("matplotlib")
    (tmp_path / "block.py").write_text(block)
    if "benchmark_model" in block:
        pytest.importorskip("pytest_benchmark")
        plugin = "rnn_native.benchmark.pytest_plugin"
        quick = "--benchmark-max-time=0.001", "--benchmark-min-rounds=1"
        run(tmp_path, sys.executable, "-P", "-m", "pytest", "-p", plugin, *quick, "block.py")
        return
    run(tmp_path, sys.executable, "-P", "-W", "error", "block.py")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_example_runs(script: Path, tmp_path: Path) -> None:
    run(tmp_path, sys.executable, "-P", "-W", "error", script)


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
def test_the_c_example_gives_what_python_gives(tmp_path: Path) -> None:
    """Compiled with the portable kernels alone, which no special flags are for."""
    assert COMPILER is not None
    src = ROOT / "src"
    others = {"kernels", "train"}
    sources = [path for path in src.rglob("*.c") if not others & set(path.relative_to(src).parts)]
    sources += [src / "kernels" / "kernels_baseline.c", STREAM_C]
    include = src / "include"
    run(tmp_path, COMPILER, "-O1", f"-I{src}", f"-I{include}", *sources, "-lm", "-o", "stream")

    model = rn.GRU(2, 4).model
    model.save(tmp_path / "gru.safetensors", golden=True)  # which C does not look at
    x = np.random.default_rng(0).standard_normal((5, 1, 2)).round(3).astype(np.float32)
    text = " ".join(f"{value:.3f}" for value in x.ravel())
    printed = run(tmp_path, tmp_path / "stream", "gru.safetensors", stdin=text)

    y, _ = model(x)
    got = np.array([line.split() for line in printed.splitlines()], dtype=np.float64)
    # Six decimals are off by 5e-7. Of the values, all within -1..1, each of the two programs
    # rounds every step's sums of 2 + 4 + 2 terms and its gates: 16 times 2^-24, and what a step
    # leaves in the state fades, as the gates are far from 1: twice that in all.
    np.testing.assert_allclose(got, y[:, 0], rtol=0, atol=5e-7 + 2 * 2 * 16 * 2.0**-24)


def anchors(page: Path) -> set[str]:
    """GitHub's names of a page's headings: small letters, hyphens for spaces; equal ones count."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = found[name] = found.get(name, -1) + 1
        names.add(f"{name}-{count}" if count else name)
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^):]*))?\)", page.read_text())
    missing = []
    for target, anchor in links:
        path = page.parent / target if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            missing.append(f"{target}#{anchor}")
    assert not missing


def test_the_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "command-line.md"
    (files,) = blocks(page, "python")
    (tmp_path / "files.py").write_text(files)
    run(tmp_path, sys.executable, "-P", "files.py")
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    commands = {line.split()[1] for line in lines}
    assert commands == {"info", "run", "convert", "quantize", "export-c"}
    for line in lines:
        command = line.partition(" | ")[0]
        assert cli.main(shlex.split(command)[1:]) == 0, line
