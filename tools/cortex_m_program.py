"""Builds the program of examples/cortex_m around an exported model, and runs it under QEMU: for
tests/cross/cortex_m.py and tools/cortex_m_steps.py."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/cortex_m"
SMALL, LARGE = EXAMPLE / "memory.ld", ROOT / "tests/cross/large.ld"
"""Flash and RAM of a small part, and those that hold real networks."""
PLAIN = "-O2 -U__ARM_FEATURE_SIMD32"
"""What has kernels do without DSP instructions, as on a core that has none."""
TOOLS = ("make", "arm-none-eabi-gcc", "arm-none-eabi-objdump", "qemu-system-arm")


@dataclass(frozen=True)
class Ran:
    """What a program printed, and its bytes of flash and of RAM, but for the stack."""

    printed: str
    flash: int
    ram: int

    def number(self, name: str) -> int:
        """The one behind a word."""
        found = re.search(rf"^{name} (\d+)$", self.printed, re.MULTILINE)
        assert found, self.printed[-4000:]
        return int(found[1])


def missing() -> list[str]:
    """What is not installed and wanted."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def run(folder: Path, cpu: str, memory: Path, **variables: str | Path) -> Ran:
    """The program of `folder`/model, the model's name; variables are the Makefile's."""
    values = {"CPU": cpu, "MEMORY": memory, "MODEL": "model", "OUT": "."} | variables
    command = ["make", "-B", "-s", "-f", str(EXAMPLE / "Makefile"), "run"]
    command += [f"{name}={value}" for name, value in values.items()]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    printed = done.stdout + done.stderr  # QEMU's semihosting prints to either
    assert done.returncode == 0, f"{' '.join(command)}:\n{printed[-4000:]}"
    sizes = {name: int(size) for name, size in re.findall(r"^\.(\S+) +(\d+)", printed, re.M)}
    flash = sum(sizes.get(name, 0) for name in ("text", "ARM.exidx", "rodata", "data"))
    return Ran(printed, flash, sizes["data"] + sizes["bss"])


def has_instruction(folder: Path, name: str) -> bool:
    """Whether the program that was built there has it."""
    command = ["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", str(folder / "program.elf")]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.search(rf"\t{re.escape(name)}\t", listing) is not None
