"""What the numbers of a report were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def _first_line(path: str, key: str = "") -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() or line for line in lines if key in line), "")


def _caches() -> str:
    folders = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    found = []
    for folder in folders:
        level, kind, size = (_first_line(str(folder / name)) for name in ("level", "type", "size"))
        if kind != "Instruction" and size:
            found.append(f"L{level} {size}iB")
    return ", ".join(found)


def describe() -> dict[str, str]:
    """By name, what could be found out."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    known = {
        "processor": _first_line("/proc/cpuinfo", "model name") or platform.processor(),
        "processors": str(allowed),
        "caches": _caches(),
        "memory": _first_line("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load before": load,
    }
    return {name: value for name, value in known.items() if value}
