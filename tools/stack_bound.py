"""How much stack the core may take, from its object files: never measured, always counted.

    python3 tools/stack_bound.py --objdump objdump OBJECT.o...

Each object was compiled with -fstack-usage, which left the frame of every function beside it
(OBJECT.su), and `objdump -dr` shows who calls whom. A path's need is the sum of its frames; the
worst of each group of public calls is printed, for each instruction set. It is an error where a
frame has no fixed size (a variable-length array), where a path comes back to where it was
(recursion), and where a pointer to a function is called whose targets are not listed here.

What is counted is the core's own. libc's functions (memcpy, memset and the like) come on top, and
so does a BLAS.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# Public calls, in groups that are bounded together.
GROUPS = {
    "make": [
        "rnnat_model_size",
        "rnnat_model_init",
        "rnnat_model_shared_size",
        "rnnat_model_share",
        "rnnat_model_init_shared",
    ],
    "run": [f"rnnat_model_run{part}{dtype}" for part in ("", "_size") for dtype in ("", "_f64")],
    "stream": [
        "rnnat_stream_size",
        "rnnat_stream_init",
        "rnnat_stream_run",
        "rnnat_stream_run_indices",
        "rnnat_stream_run_f64",
        "rnnat_stream_run_indices_f64",
        "rnnat_stream_set_num_threads",
        "rnnat_stream_reset",
        "rnnat_stream_get_state",
        "rnnat_stream_set_state",
    ],
    "pool": [
        f"rnnat_pool_{call}"
        for call in (
            *("size", "init", "describe", "open", "close", "reset", "is_open", "step", "push"),
            *("set_num_threads", "get_state", "set_state", "snapshot", "restore"),
        )
    ],
}

# Where each source calls through pointers to: (source, function), as regular expressions; "{isa}"
# is the instruction set at hand. A source that is not here calls through none.
KERNELS = (r"kernels/kernels_{isa}", r"(?!train_)\w+_f(32|64)")
POINTERS = {
    "graph/graph": [
        ("layers/.*", r"(build|takes)_\w+|rnnat_recurrent_(takes|count|build)"),
        ("graph/builder", "rnnat_count_one"),
    ],
    "layers/recurrent_build": [("cells/.*", r"\w*(build|form)_\w+")],
    "layers/recurrent": [("cells/.*", r"step\w*")],
    "layers/registry": [("layers/.*", r"rnnat_recurrent_read")],
    "layers/.*": [KERNELS],
    "run/workspace": [("layers/.*", r"(scratch|carve|reset|state|last)_\w+")],
    "run/schedule": [("layers/.*", r"(prepare|run|step|show)_\w+")],
    "inspect/.*": [],  # Python's package alone
    "weights/matrix": [(KERNELS[0], r"gemm_[a-z0-9]+_f(32|64)")],
    "cells/.*": [KERNELS],
    "file/safetensors_check": [("file/safetensors_check", r"by_(name|span)")],
    "threads/(threads|workers|openmp)": [
        ("run/run", "run_thread"),
        ("run/stream", "run_stream_steps"),
        ("run/stream_pool_run", "run_lane"),
    ],
    "weights/stored": [("cpu_features", r"\w+")],
    "dispatch": [("cpu_features", r"\w+"), ("dispatch", "always")],
    r"kernels/kernels_\w+": [(KERNELS[0], r"\w+_post_f(32|64)")],
    "weights/blas": [],  # a BLAS, and what loads it
    "threads/stop": [],  # who began the run, and may stop it
}

CALL = re.compile(r"\t(?:notrack )?(call|jmp|blr|br|blx|bx)q?\s+(\*?\S+)")
INDIRECT = {"call": r"\*", "jmp": r"\*", "blr": r"x\d", "br": r"x\d", "blx": r"r\d", "bx": r"r\d"}
REALIGNED = re.compile(r"\tand\s+\$0x(f{14}[0-9a-f]{2}),%rsp")  # of which .su tells nothing
NAMED = re.compile(r"<([\w.]+)(?:[+-]0x[0-9a-f]+)?>\s*$|\sR_\w+\s+([\w.]+)")


@dataclass
class Function:
    """One function of one source file."""

    source: str
    name: str
    frame: int = 0
    names: set[str] = field(default_factory=set)  # that its code mentions
    calls: bool = False  # a pointer,
    jumps: bool = False  # or to one, or by the table of a switch


class StackError(Exception):
    """What makes a bound impossible."""


def stem(name: str) -> str:
    """The function of the source that a symbol is a part or a copy of."""
    return re.sub(r"\.(constprop|isra|part|cold|lto_priv|_omp_fn)(\.\d+)*|\.\d+$", "", name)


def read_frames(path: Path) -> dict[str, int]:
    """Bytes of each function's frame, the largest of its copies."""
    frames: dict[str, int] = {}
    for line in path.read_text().splitlines():
        place, size, kind = line.split("\t")
        name = stem(place.rsplit(":", 1)[-1])
        if kind not in ("static", "dynamic,bounded"):
            raise StackError(f"{path}: {name}: expected a frame of a fixed size, got {kind}")
        frames[name] = max(int(size), frames.get(name, 0))
    return frames


def read_object(path: Path, objdump: str) -> list[Function]:
    """The functions of an object file."""
    source = re.sub(r"^.*?/src/|\.c\.(o|obj)$|\.c$", "", str(path))
    frames = read_frames(path.with_suffix(".su"))
    command = [objdump, "-dr", "--no-show-raw-insn", str(path)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Function] = {}
    here = Function(source, "")
    for line in text.splitlines():
        if label := re.match(r"[0-9a-f]+ <([\w.]+)>:$", line):
            name = stem(label[1])
            here = found.setdefault(name, Function(source, name, frames.get(name, 0)))
            continue
        if (mention := NAMED.search(line)) and (name := stem(mention[1] or mention[2])):
            here.names.add(name)
        if re.search(r"R_\w+_(PLT32|CALL26|JUMP26|CALL|JUMP24)\s+\.text", line):
            raise StackError(f"{path}: {here.name} calls by a section, not by a name")
        if realigned := REALIGNED.search(line):
            here.frame = frames[here.name] + 2**64 - int(realigned[1], 16)
        if call := CALL.search(line):
            indirect = bool(re.match(INDIRECT[call[1]], call[2]))
            here.calls |= indirect and call[1] in ("call", "blr", "blx")
            here.jumps |= indirect and call[1] in ("jmp", "br", "bx")
    if unknown := [name for name in found if name not in frames]:
        raise StackError(f"{path}: no frame is known of {', '.join(unknown)}")
    return list(found.values())


class Program:
    """All functions, and who may call whom with one instruction set."""

    def __init__(self, functions: Iterable[Function], isa: str) -> None:
        self.isa = isa
        self.functions = list(functions)
        self.named: dict[str, list[Function]] = {}
        for function in self.functions:
            self.named.setdefault(function.name, []).append(function)
        self.worst: dict[int, tuple[int, list[Function]]] = {}
        self.path: list[Function] = []

    def find(self, source: str, name: str) -> list[Function]:
        source = source.replace("{isa}", self.isa)
        return [
            f
            for f in self.functions
            if re.fullmatch(source, f.source) and re.fullmatch(name, f.name)
        ]

    def callees(self, caller: Function) -> list[Function]:
        named: list[Function] = []
        for name in caller.names - {caller.name}:
            same = self.named.get(name, [])
            named += [f for f in same if f.source == caller.source] or same
        # A kernel jumps by its switches' tables alone.
        in_kernel = caller.source.startswith("kernels/")
        if not caller.calls and (in_kernel or not caller.jumps):
            return named
        for source, targets in POINTERS.items():
            if not re.fullmatch(source, caller.source):
                continue
            found = [f for target in targets for f in self.find(*target)]
            # Sources of which nothing was compiled for this machine have no targets.
            if found or not any(self.find(source, r"\w+") for source, _ in targets):
                return named + found
        raise StackError(f"{caller.source}: {caller.name} calls a pointer that is not listed")

    def need(self, function: Function) -> tuple[int, list[Function]]:
        """Bytes of the worst path from `function` on, and the path."""
        if function in self.path:
            names = [f.name for f in self.path[self.path.index(function) :]]
            raise StackError(f"recursion: {' -> '.join([*names, function.name])}")
        if id(function) not in self.worst:
            self.path.append(function)
            below = [self.need(callee) for callee in self.callees(function)]
            size, path = max(below, key=lambda found: found[0], default=(0, []))
            self.worst[id(function)] = function.frame + size, [function, *path]
            self.path.pop()
        return self.worst[id(function)]


def bounds(functions: list[Function], isa: str) -> dict[str, tuple[int, list[Function]]]:
    """The worst of each group of public calls."""
    program = Program(functions, isa)
    result = {}
    for group, names in GROUPS.items():
        roots = [f for name in names for f in program.find("api_.*", name)]
        if not roots and group == "pool":
            continue  # a build without them
        if len(roots) != len(names):
            raise StackError(f"expected the calls {names}, got {[f.name for f in roots]}")
        result[group] = max((program.need(root) for root in roots), key=lambda found: found[0])
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("objects", nargs="+", type=Path)
    parser.add_argument("--objdump", default="objdump")
    parser.add_argument("--most", type=int, help="an error where a group needs more bytes")
    parser.add_argument("--paths", action="store_true", help="show the worst paths")
    arguments = parser.parse_args()
    try:
        functions = [f for path in arguments.objects for f in read_object(path, arguments.objdump)]
        isas = {m[1] for f in functions if (m := re.match(r"kernels/kernels_(\w+)", f.source))}
        for isa in sorted(isas):
            for group, (size, path) in bounds(functions, isa).items():
                print(f"{isa:10} {group:8} {size:6} bytes")
                if arguments.paths:
                    print("".join(f"    {f.frame:6}  {f.source}: {f.name}\n" for f in path), end="")
                if arguments.most and size > arguments.most:
                    raise StackError(f"expected at most {arguments.most} bytes, got {size}")
    except StackError as error:
        print(f"stack_bound: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
