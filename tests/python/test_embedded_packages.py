"""The packages of tools/embedded_packages.py keep to the rules of Arduino, PlatformIO and ESP-IDF,
whose own tools are asked where they are installed, and their example compiles and runs."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rnn_native as rn

ROOT = Path(__file__).resolve().parents[2]
CORTEX = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]

# As https://arduino.github.io/arduino-cli/latest/library-specification/ has them.
REQUIRED = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url")
CATEGORIES = (
    "Display",
    "Communication",
    "Signal Input/Output",
    "Sensors",
    "Device Control",
    "Timing",
    "Data Storage",
    "Data Processing",
    "Other",
)

# What a sketch of ours uses of Arduino.
ARDUINO = """\
#ifndef Arduino_h
#define Arduino_h
#ifdef __cplusplus
struct Printer {
    void begin(unsigned long) {}
    void print(const char *) {}
    void print(double, int) {}
    void println(const char *) {}
    void println(double, int) {}
};
static Printer Serial;
static inline int analogRead(int) { return 512; }
static inline void delay(unsigned long) {}
enum { A0 = 14 };
void setup();
void loop();
#endif
#endif
"""


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def need(program: str) -> str:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    return program


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedded")
    run(sys.executable, ROOT / "tools/embedded_packages.py", folder)
    return folder


def properties(packages: Path) -> dict[str, str]:
    lines = (packages / "arduino/rnn_native/library.properties").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_the_packages_are_of_this_version(packages: Path) -> None:
    manifest = json.loads((packages / "platformio/rnn_native/library.json").read_text())
    component = (packages / "esp-idf/rnn_native/idf_component.yml").read_text()
    assert properties(packages)["version"] == manifest["version"] == rn.__version__
    assert f'version: "{rn.__version__}"' in component
    for header in packages.glob("*/rnn_native/*/rnn_native.h"):
        assert f'#define RNNAT_VERSION "{rn.__version__}"' in header.read_text()


def test_the_arduino_library_keeps_the_rules_of_its_specification(packages: Path) -> None:
    folder, fields = packages / "arduino/rnn_native", properties(packages)
    assert all(fields[key] for key in (*REQUIRED, "architectures", "includes"))
    assert re.fullmatch(r"[A-Za-z0-9][\w. -]{0,62}", fields["name"])
    assert not fields["name"].lower().startswith("arduino")
    assert folder.name == fields["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", fields["version"])
    assert fields["category"] in CATEGORIES
    assert fields["url"].startswith("https://")
    assert fields["sentence"].endswith(".")
    assert fields["sentence"] not in fields["paragraph"]
    assert not re.search(r"arduino", fields["sentence"], re.IGNORECASE)
    assert "avr" not in fields["architectures"].split(",")
    for name in fields["includes"].split(","):
        assert (folder / "src" / name).is_file()
    assert not {path.name for path in folder.iterdir()} - {
        "library.properties", "keywords.txt", "README.md", "LICENSE", "src", "examples"
    }  # fmt: skip
    for sketch in (folder / "examples").iterdir():
        assert (sketch / f"{sketch.name}.ino").is_file()
    for line in (folder / "keywords.txt").read_text().splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD1|KEYWORD2|LITERAL1)", line)
    assert not any(path.is_symlink() or path.suffix == ".exe" for path in folder.rglob("*"))


def test_the_keywords_are_the_names_of_the_header(packages: Path) -> None:
    rows = (packages / "arduino/rnn_native/keywords.txt").read_text().splitlines()
    functions = {row.split("\t")[0] for row in rows if row.endswith("KEYWORD2")}
    symbols = (ROOT / "tests/abi/symbols.txt").read_text().split()
    assert functions == {name for name in symbols if name.startswith("rnnat_")}


def test_each_file_that_the_platformio_manifest_names_is_there(packages: Path) -> None:
    folder = packages / "platformio/rnn_native"
    manifest = json.loads((folder / "library.json").read_text())
    assert len(manifest["description"]) < 255
    assert re.fullmatch("[a-z0-9_-]+", manifest["name"])
    assert all((folder / manifest["build"][key]).is_dir() for key in ("srcDir", "includeDir"))
    for name in manifest["headers"]:
        assert (folder / "include" / name).is_file()
    for example in manifest["examples"]:
        assert all((folder / example["base"] / name).is_file() for name in example["files"])


def test_platformio_takes_its_package(packages: Path, tmp_path: Path) -> None:
    pack = pytest.importorskip("platformio.package.pack")
    schema = pytest.importorskip("platformio.package.manifest.schema")
    schema.ManifestSchema.load_spdx_licenses = staticmethod(  # which it fetches
        lambda: {"licenses": [{"licenseId": "BSD-3-Clause"}]}
    )
    path = pack.PackagePacker(str(packages / "platformio/rnn_native")).pack(str(tmp_path))
    assert Path(path).name == f"rnn_native-{rn.__version__}.tar.gz"


def test_the_component_manager_takes_its_component(packages: Path) -> None:
    pytest.importorskip("idf_component_tools")
    program = Path(sys.executable).with_name("compote")
    folder = packages / "esp-idf/rnn_native"
    environment = {**os.environ, "IDF_COMPONENT_CHECK_NEW_VERSION": "0"}
    done = subprocess.run(
        [program, "component", "pack", "--name", "rnn_native", "--dest-dir", packages / "packed"],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (packages / "packed" / f"rnn_native_{rn.__version__}.tgz").is_file()


def test_kconfig_and_the_options_of_the_build_have_the_same_names(packages: Path) -> None:
    """Each option of Kconfig is one of src/config.h, and the header of options asks for it."""
    folder = packages / "esp-idf/rnn_native"
    named = re.findall(r"^    config (\w+)$", (folder / "Kconfig").read_text(), re.MULTILINE)
    header = (folder / "src/rnn_native_config.h").read_text()
    assert named
    assert named == re.findall(r"#ifdef CONFIG_(\w+)", header)
    assert all(f"#ifndef {name}\n" in (ROOT / "src/config.h").read_text() for name in named)
    kconfiglib = pytest.importorskip("kconfiglib")
    parsed = kconfiglib.Kconfig(str(folder / "Kconfig"))
    assert parsed.syms["RNNAT_SMALL"].str_value == "y"
    assert parsed.syms["RNNAT_WITH_POOL"].str_value == "n"


def test_the_example_smooths_as_its_text_says(packages: Path, tmp_path: Path) -> None:
    """With the options that Kconfig has by default, on this machine."""
    folder = packages / "esp-idf/rnn_native"
    text = (folder / "Kconfig").read_text()
    on = re.findall(r"config (\w+)\n.*\n(?:        depends.*\n)?        default y", text)
    (tmp_path / "sdkconfig.h").write_text("".join(f"#define CONFIG_{name} 1\n" for name in on))
    (tmp_path / "start.c").write_text(
        "void app_main(void);\nint main(void)\n{\n    app_main();\n    return 0;\n}\n"
    )
    program = tmp_path / "smoother"
    run(
        need("gcc"), "-std=gnu17", "-O1", *WARNINGS, "-I", tmp_path, "-I", folder / "include",
        folder / "src/rnn_native.c", folder / "examples/smoother/main/main.c",
        tmp_path / "start.c", "-lm", "-o", program,
    )  # fmt: skip
    y = 0.0
    lines = run(program).splitlines()
    assert len(lines) == 40
    for i, line in enumerate(lines):
        x, got = map(float, line.split())
        y = math.tanh(0.25 * x + 0.75 * y)
        assert x == i // 10 % 2
        assert abs(got - y) <= 0.5e-4 + 1e-6  # four digits are printed


@pytest.mark.parametrize("standard", ["gnu++11", "gnu++17", "gnu++20"])
def test_the_sketch_compiles_for_a_cortex_m(packages: Path, tmp_path: Path, standard: str) -> None:
    """By the compiler of the boards, against what it uses of Arduino."""
    compiler = need("arm-none-eabi-g++")
    folder = packages / "arduino/rnn_native"
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    run(
        compiler, *CORTEX, f"-std={standard}", "-Os", *WARNINGS, "-Wpedantic", "-I", tmp_path,
        "-I", folder / "src", "-include", "Arduino.h", "-x", "c++", "-c",
        folder / "examples/Smoother/Smoother.ino", "-o", tmp_path / "sketch.o",
    )  # fmt: skip
    main = packages / "platformio/rnn_native/examples/smoother/src/main.cpp"
    run(
        compiler, *CORTEX, f"-std={standard}", "-Os", *WARNINGS, "-I", tmp_path,
        "-I", folder / "src", "-c", main, "-o", tmp_path / "main.o",
    )  # fmt: skip


def test_the_library_links_with_the_sketch_for_a_cortex_m(packages: Path, tmp_path: Path) -> None:
    need("arm-none-eabi-g++")
    folder = packages / "arduino/rnn_native"
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    sections = ["-Os", "-ffunction-sections", "-fdata-sections"]
    run(
        need("arm-none-eabi-gcc"), *CORTEX, "-std=gnu11", *sections, *WARNINGS,
        "-c", folder / "src/rnn_native.c", "-o", tmp_path / "rnn_native.o",
    )  # fmt: skip
    sketch = folder / "examples/Smoother/Smoother.ino"
    start = "\nint main()\n{\n    setup();\n    for (;;) loop();\n}\n"
    (tmp_path / "main.cpp").write_text(sketch.read_text() + start)
    program = tmp_path / "sketch.elf"
    run(
        "arm-none-eabi-g++", *CORTEX, *sections, "-I", tmp_path, "-I", folder / "src",
        "-I", sketch.parent, "-include", "Arduino.h", tmp_path / "main.cpp",
        tmp_path / "rnn_native.o", "--specs=nosys.specs", "-Wl,--gc-sections,--no-warnings",
        "-lm", "-o", program,
    )  # fmt: skip
    flash, data = run("arm-none-eabi-size", program).splitlines()[1].split()[:2]
    assert int(flash) + int(data) < 100_000
    names = run("arm-none-eabi-nm", program)
    assert "rnnat_stream_run" in names
    assert not re.search(r"\bpthread_|\bfopen\b", names)


def test_avr_is_answered_in_words(packages: Path) -> None:
    source = packages / "arduino/rnn_native/src/rnn_native.c"
    done = subprocess.run(
        [need("gcc"), "-D__AVR__", "-fsyntax-only", source],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "choose another board" in done.stderr
