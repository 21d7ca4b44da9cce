"""Writes the amalgamated pair as packages for Arduino, PlatformIO and ESP-IDF.

    python tools/embedded_packages.py [OUTDIR]

OUTDIR, build/embedded by default, gets the folders arduino, platformio and esp-idf, with a folder
rnn_native in each, which is replaced. The version is the public header's. The options of the build
and their defaults are OPTIONS; texts and the example are in tools/embedded. docs/embedding.md says
how each package is used.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import amalgamate

ROOT = Path(__file__).resolve().parent.parent
TEXTS = Path(__file__).resolve().parent / "embedded"
MADE = "Made by tools/embedded_packages.py"
SENTENCE = "Runs trained recurrent networks: RNN, GRU, LSTM."
PARAGRAPH = (
    "Models come from Python as safetensors files. "
    "No heap, no files and no other library are needed."
)
# What has a double of 8 bytes; AVR has not.
ARCHITECTURES = (
    "sam,samd,nrf52,mbed,mbed_nano,mbed_nicla,mbed_opta,mbed_portenta,mbed_giga,mbed_rp2040,"
    "renesas,renesas_uno,renesas_portenta,rp2040,esp32,esp8266,stm32,STM32F1,teensy,zephyr"
)


@dataclass(frozen=True)
class Option:
    """A macro of src/config.h."""

    name: str
    default: int
    text: str
    needs: str = ""


OPTIONS = (
    Option("RNNAT_SMALL", 1, "Few shapes of blocks: less code, slower, the same bits"),
    Option("RNNAT_HEAP", 1, "Models and streams in memory of the heap as well"),
    Option("RNNAT_FILE_IO", 0, "Models from paths", "RNNAT_HEAP"),
    Option("RNNAT_FLOAT64", 0, "Models in double"),
    Option("RNNAT_WITH_RNN", 1, "The cell RNN"),
    Option("RNNAT_WITH_GRU", 1, "The cell GRU"),
    Option("RNNAT_WITH_LSTM", 1, "The cell LSTM"),
    Option("RNNAT_WITH_GATE", 0, "Cells whose gates recur on gates"),
    Option("RNNAT_WITH_GENERAL", 0, "Cells with any activations, clip and input_forget"),
    Option("RNNAT_WITH_ELEMENTWISE", 0, "Elementwise layers", "RNNAT_WITH_GENERAL"),
    Option("RNNAT_WITH_WINDOWS", 0, "Pooling, convolutions, views, norms over time"),
    Option("RNNAT_WITH_POOL", 0, "Pools of streams"),
    Option("RNNAT_WITH_FLOAT16", 0, "Weights that are stored as float16"),
    Option("RNNAT_WITH_BFLOAT16", 0, "Weights that are stored as bfloat16"),
    Option("RNNAT_WITH_INT8", 0, "Weights that are stored as int8"),
    Option("RNNAT_WITH_MESSAGES", 0, "Texts that say what is wrong with a file"),
)
# What a microcontroller has none of.
NEVER = ("RNNAT_THREADS", "RNNAT_ENV", "RNNAT_WITH_SHARING")


def version() -> str:
    header = (amalgamate.SRC / "include" / amalgamate.PUBLIC).read_text()
    found = re.search(r'#define RNNAT_VERSION "([^"]+)"', header)
    if not found:
        raise SystemExit("rnn_native.h: expected RNNAT_VERSION, found none")
    return found[1]


def url() -> str:
    """The project's page, which pyproject.toml states."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    urls = {key.lower(): value for key, value in project.get("urls", {}).items()}
    for key in ("repository", "source", "homepage"):
        if key in urls:
            return str(urls[key])
    return f"https://pypi.org/project/{project['name']}/"


def author() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["authors"][0]["name"])


def config(first: str) -> str:
    """rnn_native_config.h, whose options a command line may say otherwise."""
    lines = [f"/* The options of the build. {MADE}. */", first.rstrip(), ""]
    for option in OPTIONS:
        lines += [f"/* {option.text}. */", f"#ifndef {option.name}"]
        lines += [f"#define {option.name} {option.default}", "#endif"]
    for name in NEVER:
        lines += [f"#ifndef {name}", f"#define {name} 0", "#endif"]
    return "\n".join(line for line in lines if line) + "\n"


def config_of_kconfig() -> str:
    """The same, whose options sdkconfig.h says."""
    lines = [f"/* The options of the build, of menuconfig. {MADE}. */", '#include "sdkconfig.h"']
    for option in OPTIONS:
        lines += [f"#ifdef CONFIG_{option.name}", f"#define {option.name} 1", "#else"]
        lines += [f"#define {option.name} 0", "#endif"]
    return "\n".join([*lines, *(f"#define {name} 0" for name in NEVER)]) + "\n"


def kconfig() -> str:
    lines = [f"# {MADE}.", 'menu "rnn_native"', ""]
    for option in OPTIONS:
        lines += [f"    config {option.name}", f'        bool "{option.text}"']
        if option.needs:
            lines.append(f"        depends on {option.needs}")
        lines += [f"        default {'y' if option.default else 'n'}", ""]
    return "\n".join([*lines, "endmenu"]) + "\n"


def tiny_model() -> bytes:
    """The file of the example: an RNN of one unit, y = tanh(0.25 x + 0.75 y')."""
    line = (
        "recurrent cell=rnn input_size=1 hidden_size=1 num_layers=1 direction=forward bias=true "
        "nonlinearity=tanh"
    )
    header: dict[str, object] = {
        "__metadata__": {
            "rnn_native.version": "1",
            "rnn_native.layers": "1",
            "rnn_native.layer.0": line,
        }
    }
    arrays = {"weight_ih": 0.25, "weight_hh": 0.75, "bias_ih": 0.0, "bias_hh": 0.0}
    for i, name in enumerate(arrays):
        header[f"0.{name}_l0"] = {
            "dtype": "F32",
            "shape": [1, 1] if name.startswith("weight") else [1],
            "data_offsets": [4 * i, 4 * i + 4],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + struct.pack("<4f", *arrays.values())


def model_header() -> str:
    data = tiny_model()
    rows = [data[i : i + 16] for i in range(0, len(data), 16)]
    lines = ["    " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows]
    return (
        f"/* The bytes of a .safetensors file, in flash. {MADE}. */\n"
        "#ifndef MODEL_H\n#define MODEL_H\n\n"
        "static const unsigned char model_file[] = {\n" + "\n".join(lines) + "\n};\n\n#endif\n"
    )


def text(name: str, parts: str = "") -> str:
    body = (TEXTS / name).read_text()
    for key, value in {"VERSION": version(), "URL": url(), "PARTS": parts}.items():
        body = body.replace(f"@{key}@", value)
    return body


def write(folder: Path, files: dict[str, str]) -> None:
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)


def library(pair: Path) -> dict[str, str]:
    """The pair, which takes its options from rnn_native_config.h."""
    source = (pair / "rnn_native.c").read_text()
    return {
        "rnn_native.c": f'#include "rnn_native_config.h"\n\n{source}',
        "rnn_native.h": (pair / "rnn_native.h").read_text(),
    }


def under(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": body for name, body in files.items()}


AVR = """\
#ifdef __AVR__
#error "rnn_native: expected a double of 8 bytes, got AVR's of 4: choose another board"
#endif
"""


def arduino(pair: Path) -> dict[str, str]:
    fields = {
        "name": "rnn_native",
        "version": version(),
        "author": author(),
        "maintainer": author(),
        "sentence": SENTENCE,
        "paragraph": PARAGRAPH,
        "category": "Data Processing",
        "url": url(),
        "architectures": ARCHITECTURES,
        "includes": "rnn_native.h",
    }
    return {
        "library.properties": "".join(f"{key}={value}\n" for key, value in fields.items()),
        "keywords.txt": keywords(pair),
        "README.md": text(
            "README.md", "`src/rnn_native_config.h` has the options: what the library has, and not."
        ),
        "LICENSE": (ROOT / "LICENSE").read_text(),
        **under("src", library(pair)),
        "src/rnn_native_config.h": config(AVR),
        "examples/Smoother/Smoother.ino": text("Smoother.ino"),
        "examples/Smoother/smoother.h": text("smoother.h"),
        "examples/Smoother/model.h": model_header(),
    }


def keywords(pair: Path) -> str:
    """What the Arduino editor colours: types, functions, constants; a tab between the columns."""
    header = (pair / "rnn_native.h").read_text()
    types = sorted(set(re.findall(r"^(?:typedef .*|\}) (rnnat_\w+);", header, re.MULTILINE)))
    functions = sorted(
        set(re.findall(r"\b(rnnat_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)))
    )
    constants = sorted(set(re.findall(r"^    (RNNAT_\w+) = ", header, re.MULTILINE)))
    rows = [(name, "KEYWORD1") for name in types] + [(name, "KEYWORD2") for name in functions]
    rows += [(name, "LITERAL1") for name in constants]
    return "".join(f"{name}\t{kind}\n" for name, kind in rows)


def platformio(pair: Path) -> dict[str, str]:
    manifest = {
        "$schema": "https://raw.githubusercontent.com/platformio/platformio-core/develop/"
        "platformio/assets/schema/library.json",
        "name": "rnn_native",
        "version": version(),
        "description": f"{SENTENCE} {PARAGRAPH}",
        "keywords": ["rnn", "lstm", "gru", "inference", "neural-network"],
        "homepage": url(),
        "license": "BSD-3-Clause",
        "authors": [{"name": author(), "maintainer": True}],
        "headers": ["rnn_native.h"],
        "frameworks": "*",
        "platforms": "*",
        "examples": [
            {
                "name": "Smoother",
                "base": "examples/smoother",
                "files": ["platformio.ini", "src/main.cpp", "src/smoother.h", "src/model.h"],
            }
        ],
        "build": {"srcDir": "src", "includeDir": "include"},
    }
    files = library(pair)
    ini = (
        "; pio run -e pico: any board whose double has 8 bytes\n[env:pico]\n"
        "platform = raspberrypi\nboard = pico\nframework = arduino\nlib_deps = rnn_native\n"
    )
    return {
        "library.json": json.dumps(manifest, indent=2) + "\n",
        "README.md": text(
            "README.md",
            "`include/rnn_native_config.h` has the options, which `build_flags` of platformio.ini "
            "say otherwise: `-DRNNAT_WITH_MESSAGES=1`.",
        ),
        "LICENSE": (ROOT / "LICENSE").read_text(),
        "include/rnn_native.h": files["rnn_native.h"],
        "include/rnn_native_config.h": config(AVR),
        "src/rnn_native.c": files["rnn_native.c"],
        "examples/smoother/platformio.ini": ini,
        "examples/smoother/src/main.cpp": "#include <Arduino.h>\n\n" + text("Smoother.ino"),
        "examples/smoother/src/smoother.h": text("smoother.h"),
        "examples/smoother/src/model.h": model_header(),
    }


def esp_idf(pair: Path) -> dict[str, str]:
    files = library(pair)
    manifest = (
        f'version: "{version()}"\ndescription: "{SENTENCE}"\nurl: "{url()}"\n'
        'license: "BSD-3-Clause"\ndependencies:\n  idf: ">=5.0"\nexamples:\n'
        "  - path: examples/smoother\n"
    )
    return {
        "idf_component.yml": f"# {MADE}.\n{manifest}",
        "CMakeLists.txt": f"# {MADE}.\nidf_component_register(SRCS src/rnn_native.c\n"
        "                       INCLUDE_DIRS include\n"
        "                       PRIV_INCLUDE_DIRS src)\n",
        "Kconfig": kconfig(),
        "README.md": text("README.md", "`idf.py menuconfig`, rnn_native, has the options."),
        "LICENSE": (ROOT / "LICENSE").read_text(),
        "include/rnn_native.h": files["rnn_native.h"],
        "src/rnn_native.c": files["rnn_native.c"],
        "src/rnn_native_config.h": config_of_kconfig(),
        "examples/smoother/CMakeLists.txt": "cmake_minimum_required(VERSION 3.16)\n"
        "include($ENV{IDF_PATH}/tools/cmake/project.cmake)\nproject(smoother)\n",
        "examples/smoother/main/CMakeLists.txt": "idf_component_register(SRCS main.c\n"
        '                       INCLUDE_DIRS ".")\n',
        "examples/smoother/main/idf_component.yml": "dependencies:\n  rnn_native:\n"
        '    version: "*"\n    override_path: ../../..\n',
        "examples/smoother/main/main.c": text("main.c"),
        "examples/smoother/main/smoother.h": text("smoother.h"),
        "examples/smoother/main/model.h": model_header(),
    }


def main(arguments: list[str]) -> None:
    if len(arguments) > 1:
        raise SystemExit(
            "embedded_packages.py: expected at most one argument, the folder to write to"
        )
    out = Path(arguments[0]) if arguments else ROOT / "build/embedded"
    pair = out / "pair"
    amalgamate.main([str(pair)])
    for name, make in {"arduino": arduino, "platformio": platformio, "esp-idf": esp_idf}.items():
        folder = out / name / "rnn_native"
        shutil.rmtree(folder, ignore_errors=True)
        write(folder, make(pair))
        print(folder)
    shutil.rmtree(pair)


if __name__ == "__main__":
    main(sys.argv[1:])
