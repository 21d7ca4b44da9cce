#!/bin/sh
# Prints the path of a Python that can build this project: 3.11 or newer, able to make a virtual
# environment, and with the headers that extensions are compiled against. A C compiler and make
# are looked for as well. What is missing is installed where apt-get may be used; elsewhere the
# last line says what to install. Everything but the path goes to standard error.
#
# PYTHON=/path/to/python3 chooses the interpreter.
set -eu

say() { echo "bootstrap: $*" >&2; }
# shellcheck source=tools/apt.sh
. "$(dirname "$0")/apt.sh"

# Prints what interpreter $1 lacks, one word each: "old", "venv", "headers"; "none" if it does not
# run; or, if nothing, its path.
examine() {
    "$1" -I - 2>/dev/null <<'END' || echo none
import importlib.util, os, sys, sysconfig
lacks = []
if sys.version_info < (3, 11):
    lacks.append("old")
if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
    lacks.append("venv")
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    lacks.append("headers")
print(" ".join(lacks) or sys.executable)
END
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3
    fi
    for candidate in "$@"; do
        found=$(examine "$candidate")
        case $found in /*) echo "$found"; return ;; esac
    done
    return 1
}

compiles() { echo '#include <stdlib.h>' | "${CC:-cc}" -E - >/dev/null 2>&1; }

# Packages that Debian's own Python and compiler lack.
missing_packages() {
    compiles || echo gcc libc6-dev
    command -v make >/dev/null || echo make
    if [ -z "${PYTHON:-}" ] && ! find_python >/dev/null; then
        case " $(examine /usr/bin/python3) " in
        *" none "*) echo python3 python3-venv python3-dev ;;
        *" old "*) return ;; # apt has nothing newer
        *" venv headers "*) echo python3-venv python3-dev ;;
        *" venv "*) echo python3-venv ;;
        *" headers "*) echo python3-dev ;;
        esac
    fi
}

packages=$(missing_packages | tr '\n' ' ')
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # words on purpose
    apt_install $packages || say "could not install what is missing by itself"
fi

if ! compiles; then
    say "${CC:-cc} cannot compile C; install a C compiler (Debian: apt-get install gcc libc6-dev)"
    exit 1
fi
if ! find_python; then
    say "${PYTHON:-python3}: needs Python 3.11 or newer with venv and Python.h" \
        "(Debian: apt-get install python3 python3-venv python3-dev)"
    exit 1
fi
