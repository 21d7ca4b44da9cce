"""What a C or C++ compiler is told: rnn_native.h is C and C++ of every standard, and sources that
would be wrong are answered in words."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]

USER = """\
#include "rnn_native.h"
static char text[256];
int main(void)
{
    rnnat_model_options options = rnnat_model_options();
    rnnat_model *model = nullptr;
    options.struct_size = sizeof options;
    options.message = text;
    options.message_size = sizeof text;
    return rnnat_model_load("none", &options, &model) == RNNAT_ERROR_IO ? 0 : 1;
}
"""
USER_C = USER.replace(" = rnnat_model_options()", " = {0}").replace("nullptr", "NULL")


def compiler(name: str) -> str:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    subprocess.run([sys.executable, ROOT / "tools/amalgamate.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", ["g++", "clang++"])
@pytest.mark.parametrize("standard", ["c++11", "c++14", "c++17", "c++20", "c++2b"])
def test_the_header_is_cpp(name: str, standard: str, tmp_path: Path) -> None:
    source = tmp_path / "user.cpp"
    source.write_text(USER)
    command = [compiler(name), f"-std={standard}", *WARNINGS, "-Wold-style-cast"]
    subprocess.run([*command, "-I", ROOT / "src/include", "-fsyntax-only", source], check=True)


@pytest.mark.parametrize("name", ["gcc", "clang"])
@pytest.mark.parametrize("standard", ["c99", "c11", "gnu17", "c2x"])
def test_the_header_is_c(name: str, standard: str, tmp_path: Path) -> None:
    source = tmp_path / "user.c"
    source.write_text(USER_C)
    command = [compiler(name), f"-std={standard}", *WARNINGS, "-Wstrict-prototypes"]
    subprocess.run([*command, "-I", ROOT / "src/include", "-fsyntax-only", source], check=True)


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_a_cpp_program_links_with_the_pair_and_reads_the_message(
    name: str, pair: Path, tmp_path: Path
) -> None:
    plus = compiler({"gcc": "g++", "clang": "clang++"}[name])
    source, made, program = tmp_path / "user.cpp", tmp_path / "pair.o", tmp_path / "user"
    source.write_text(
        USER.replace(
            "    return rnnat",
            '    std::printf("%d ", options.message_size > 0);\n    return rnnat',
        )
        .replace("#include", "#include <cstdio>\n#include", 1)
        .replace("? 0 : 1", '&& std::printf("%s", text) > 0 ? 0 : 1')
    )
    flags = ["-O1", "-DRNNAT_SMALL=1", "-DRNNAT_WITH_MESSAGES=1", "-DRNNAT_FLOAT64=0"]
    subprocess.run([compiler(name), *flags, "-c", pair / "rnn_native.c", "-o", made], check=True)
    command = [plus, "-I", pair, source, made, "-lm", "-pthread", "-o", program]
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout == "1 none: the file cannot be opened"


@pytest.mark.parametrize("name", ["gcc", "clang"])
@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("-ffast-math", "got -ffast-math or -Ofast"),
        ("-Ofast", "got -ffast-math or -Ofast"),
        ("-ffinite-math-only", "got -ffinite-math-only"),
        ("-xc++", "expected a C11 compiler, got C++"),
    ],
)
@pytest.mark.parametrize("what", ["pair", "source"])
def test_what_would_be_wrong_is_answered_in_words(
    name: str, flag: str, words: str, what: str, pair: Path
) -> None:
    source = pair / "rnn_native.c" if what == "pair" else ROOT / "src/graph/plan.c"
    done = subprocess.run(
        [compiler(name), flag, "-I", ROOT / "src/include", "-fsyntax-only", source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    first = next(line for line in done.stderr.splitlines() if "error:" in line)
    assert words in first
