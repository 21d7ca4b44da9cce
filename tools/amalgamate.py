"""Writes the C library as two files to drop into a program: rnn_native.c and rnn_native.h.

    python tools/amalgamate.py OUTDIR

A third file, rnn_native_internal.h, has the structs of a packed model for C that another program
generates; the pair does without it. What trains networks, and a BLAS, stay out.

rnn_native.c has the sources that CMakeLists.txt lists, each once, with the project's own includes
in their place. The kernels of every instruction set come at the end, once for float and once for
double; the baseline's are compiled always, and of the others those of the best set that the
compiler's flags turn on. All of that is one translation unit, so names of the kernels end in their
instruction set here, and static names of the other sources must differ from file to file.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
PUBLIC = "rnn_native.h"

# Best first: what a compiler defines that is told to use the instruction set.
CONDITIONS = {
    "AVX512": "defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && "
    "defined(__AVX512BW__) && defined(__FMA__)",
    "AVX2": "defined(__AVX2__) && defined(__FMA__)",
    "NEON": "defined(__ARM_NEON) && (defined(__aarch64__) || defined(__ARM_FEATURE_FMA))",
}

# The last line of every kernels_<isa>.c includes this.
TABLE = "table.inc.h"

# What is 0 here whatever the command line says.
ABSENT = ("RNNAT_TRAIN", "RNNAT_STOP", "RNNAT_BLAS", "RNNAT_BLAS_LINKED")

# What generated C needs: the structs of a model and of a stream.
INTERNAL = ("layers/layers.h", "run/stream.h")

# Included once, before anything is hidden: headers that any implementation has. The others, which
# options and targets decide about, stay where they are, and what they declare is not hidden.
EVERYWHERE = ("float", "limits", "math", "stdbool", "stddef", "stdint", "string")

PREAMBLE = """\
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* madvise, sched_getaffinity, threads */
#endif

/* No product and sum becomes one operation unless it is written so: a row has the same bits in
 * every kernel of an instruction set. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__) && !defined(__STRICT_ANSI__) && (!defined(RNNAT_GNU) || RNNAT_GNU)
#pragma GCC optimize("fp-contract=off")
#endif

/* What is static inline stands in headers otherwise; not every option needs all of it. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wunused-function"
#endif

/* Other files do not see what rnn_native.h does not declare: two shared libraries in one process
 * may each have this file, compiled in different ways. */
#if defined(__GNUC__) && !defined(_WIN32) && (!defined(RNNAT_GNU) || RNNAT_GNU)
#define RNNAT_HIDE _Pragma("GCC visibility push(hidden)")
#define RNNAT_SHOW _Pragma("GCC visibility push(default)")
#define RNNAT_BACK _Pragma("GCC visibility pop")
#else
#define RNNAT_HIDE
#define RNNAT_SHOW
#define RNNAT_BACK
#endif
"""


def fail(message: str) -> None:
    raise SystemExit(f"tools/amalgamate.py: {message}")


def read_sources() -> tuple[list[Path], dict[str, Path]]:
    """The sources that CMakeLists.txt lists, and the kernels of each instruction set."""
    text = (ROOT / "CMakeLists.txt").read_text()
    listed = re.search(r"set\(RNNAT_SOURCES\s+([^)]*)\)", text)
    if not listed:
        fail("expected set(RNNAT_SOURCES ...) in CMakeLists.txt, found none")
    sources = [ROOT / name for name in listed[1].split()]
    isas = {}
    for isa, name in re.findall(r"rnnat_add_isa\((\w+) \S+ ([^\s)]+)", text):
        isas[isa] = ROOT / name
    if set(isas) != set(CONDITIONS):
        fail(
            f"expected conditions for {sorted(isas)}, which CMakeLists.txt adds; "
            f"CONDITIONS has {sorted(CONDITIONS)}"
        )
    return sources, isas


def without_absent(lines: list[str]) -> list[str]:
    """The lines that are left where ABSENT macros are 0, of `#if MACRO`, `#else` and `#endif`."""
    kept: list[str] = []
    stack: list[bool | None] = []  # None: a condition that stays; else whether its lines do
    for line in lines:
        directive = re.match(r"#\s*(if\w*|elif|else|endif)\b\s*(.*)", line)
        word = directive[1] if directive else ""
        if word.startswith("if"):
            stack.append(False if word == "if" and directive[2] in ABSENT else None)
            if stack[-1] is False:
                continue
        elif word == "else" and stack[-1] is not None:
            stack[-1] = True
            continue
        elif word == "endif" and stack.pop() is not None:
            continue
        if False not in stack:
            kept.append(line)
    return kept


def undefine(lines: list[str]) -> list[str]:
    """An #undef for every macro that the lines define and leave."""
    left: dict[str, None] = {}
    for line in lines:
        if directive := re.match(r"#\s*(define|undef) ([A-Z]\w*)", line):
            if directive[1] == "define":
                left[directive[2]] = None
            else:
                left.pop(directive[2], None)
    return [f"#undef {name}\n" for name in left]


class Unit:
    """Text with the project's own includes in their place, a header with a guard once; with
    ``branches``, of which a compiler reads one, wherever it is included, with its guard."""

    def __init__(self, seen: set[Path], branches: bool = False):
        self.seen = seen
        self.branches = branches
        self.lines: list[str] = []

    def add(self, path: Path) -> None:
        text = path.read_text()
        guard = re.search(r"^#ifndef (\w+_H)\n#define \1\n", text, re.MULTILINE)
        if guard:
            if path in self.seen:
                return
            if not self.branches:
                self.seen.add(path)
                text = text.replace(guard[0], "", 1)
                text = text[: text.rindex("#endif")]
        lines = text.splitlines()
        self.add_lines(path, lines)
        if path.suffix == ".c":
            self.lines += "".join(undefine(lines)).splitlines()

    def add_lines(self, path: Path, lines: list[str]) -> None:
        name = path.relative_to(ROOT).as_posix()
        self.lines += ["", f"/* ---- {name} ---- */", ""]
        for line in without_absent(lines):
            include = re.match(r'#\s*include "([^"]+)"', line)
            if not include:
                self.lines.append(line)
            elif include[1] != PUBLIC:
                self.add(self.find(path, include[1]))

    @staticmethod
    def find(includer: Path, name: str) -> Path:
        for folder in (includer.parent, SRC):
            if (folder / name).is_file():
                return (folder / name).resolve()
        fail(f"{includer}: no file {name} to include")
        raise AssertionError

    def text(self) -> str:
        text = "\n".join(self.lines) + "\n"
        return re.sub(r"\n{3,}", "\n\n", text)


def split_kernels(path: Path) -> list[str]:
    """What a kernels_<isa>.c says before it includes the table that all of them share."""
    lines = path.read_text().splitlines()
    if lines[-1] != f'#include "{TABLE}"':
        fail(f'{path}: expected #include "{TABLE}" in its last line, got {lines[-1]}')
    return lines[:-1]


def kernels(isas: dict[str, Path], suffix: str, seen: set[Path]) -> str:
    """The kernels of whichever instruction set is there, their names with a suffix of its own."""
    unit = Unit(set(seen), branches=True)
    word = "#if"
    for isa, path in isas.items():
        if len(isas) > 1:
            unit.lines.append(f"{word} defined(RNNAT_HAVE_{isa})")
            word = "#elif"
        unit.add_lines(path, split_kernels(path))
    if len(isas) > 1:
        unit.lines.append("#endif")
    unit.add(path.parent / TABLE)
    parts = re.split(r"(/\*.*?\*/)", unit.text(), flags=re.DOTALL)  # comments stay as they are
    code = "".join(parts[::2])
    plain = re.findall(r"^static inline \w+ ([a-z]\w+)\(", code, re.MULTILINE)
    plain += re.findall(r"^(?:typedef [^{;]*|\} )\b([a-z]\w+);", code, re.MULTILINE)  # types
    plain += re.findall(r"^typedef struct ([a-z]\w+) \{", code, re.MULTILINE)
    for body in re.findall(r"^enum \{([^}]*)\}", code, re.MULTILINE):
        plain += re.findall(r"(?:^|,)\s*([a-z]\w*)", body)
    own = rf"(?<![\w.#>])({'|'.join(n for n in plain if not re.search('_f(32|64)$', n))})\b"
    for i in range(0, len(parts), 2):
        # load_f32, name##_f32, load_##S, name##_##S; not a compiler's vld1q_f32 or vld1q_##S
        parts[i] = re.sub(
            r"(?<![\w#])((?!v(?!ec_)|_)\w*(?:##)?_f(?:32|64))\b", rf"\1_{suffix}", parts[i]
        )
        parts[i] = re.sub(r"(?<![\w#])((?!v)\w+(?:##)?_##S)\b", rf"\1##_{suffix}", parts[i])
        parts[i] = re.sub(own, rf"\1_{suffix}", parts[i])
    text = "".join(parts)
    return text + "".join(undefine(text.splitlines()))


def choice() -> str:
    """Which instruction set is compiled beside the baseline."""
    lines = [
        "",
        "/* Beside the baseline's kernels, those of the best instruction set that this compiler is",
        " * told to use, unless its option is 0. */",
    ]
    for isa in CONDITIONS:
        lines += [f"#ifndef RNNAT_{isa}", f"#define RNNAT_{isa} 1", "#endif"]
    word = "#if"
    for isa, condition in CONDITIONS.items():
        lines += [f"{word} RNNAT_{isa} && {condition}", f"#define RNNAT_HAVE_{isa}"]
        word = "#elif"
    return "\n".join([*lines, "#endif", ""])


def showing(text: str) -> str:
    """The text with its #include <...> among what is not hidden, those EVERYWHERE taken out."""
    text = re.sub(rf"^#\s*include <(?:{'|'.join(EVERYWHERE)})\.h>.*\n", "", text, flags=re.M)
    text = re.sub(r"^#\s*include <.*\n", r"RNNAT_SHOW\n\g<0>RNNAT_BACK\n", text, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text)


def title(version: str, what: str) -> str:
    licence = (ROOT / "LICENSE").read_text().strip()
    quoted = "\n".join(f" * {line}".rstrip() for line in licence.splitlines())
    made = " * Made by tools/amalgamate.py; do not edit."
    return f"/* rnn_native {version}: {what}\n{made}\n *\n{quoted}\n */\n"


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        fail("expected one argument, the folder to write to")
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    public = (SRC / "include" / PUBLIC).read_text()
    version = re.search(r'#define RNNAT_VERSION "([^"]+)"', public)[1]
    sources, isas = read_sources()
    absent = "".join(
        f"#if defined({macro}) && {macro}\n"
        f'#error "{macro}: expected 0, for this file has nothing of it"\n#endif\n'
        for macro in ABSENT
    )

    internal = Unit(set())
    for name in INTERNAL:
        internal.add(SRC / name)
    (out / "rnn_native_internal.h").write_text(
        title(
            version,
            "the structs of a packed model, for generated C. No promise is made of them\n"
            " * from one version to the next.",
        )
        + "#ifndef RNN_NATIVE_INTERNAL_H\n#define RNN_NATIVE_INTERNAL_H\n\n"
        + f'#include "{PUBLIC}"\n'
        + choice()
        + internal.text()
        + "\n#endif\n"
    )

    seen: set[Path] = set()
    core = Unit(seen)
    for path in sources:
        if path.parent.name != "kernels":
            core.add(path)
    text = title(version, "recurrent networks on a CPU, the library in one file.")
    text += PREAMBLE + f'\n#include "{PUBLIC}"\n' + absent + choice()
    text += "\n" + "".join(f"#include <{name}.h>\n" for name in EVERYWHERE)
    text += "\nRNNAT_HIDE\n"
    body = core.text()
    baseline = kernels({"BASELINE": SRC / "kernels/kernels_baseline.c"}, "baseline", seen)
    body += f"\n#if RNNAT_BASELINE\n{baseline}#endif\n"
    body += "\n#if " + " || ".join(f"defined(RNNAT_HAVE_{isa})" for isa in isas) + "\n"
    body += kernels(isas, "best", seen) + "#endif\n"
    (out / "rnn_native.c").write_text(text + showing(body) + "\nRNNAT_BACK\n")
    (out / PUBLIC).write_text(public)


if __name__ == "__main__":
    main(sys.argv[1:])
