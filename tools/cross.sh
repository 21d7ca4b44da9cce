#!/bin/sh
# The C library on other machines: built by cross compilers, tested under emulators, and given real
# models to run, whose numbers are compared with Python's and with the reference.
#
#   tools/cross.sh [TARGET...]              all that are installed; the rest is skipped by name
#   tools/cross.sh --install [TARGET...]    installs what Debian has for them, where apt-get may be used
#
# From the environment: JOBS; CMAKE_DIR, "" or a folder with a slash at its end; MODELS_PYTHON, a Python
# with the package and real models, without which these are skipped.
set -eu
cd "$(dirname "$0")/.."
. tools/apt.sh

ALL="native aarch64 armv7 riscv64 s390x wasm cortex-m"
JOBS=${JOBS:-2}
CMAKE_DIR=${CMAKE_DIR:-}
MODELS_PYTHON=${MODELS_PYTHON:-}
out=build/cross

# Sets what a target is: toolchain, the programs and files that it needs, Debian's packages of them,
# options of CMake, and the tests that are left out.
describe() {
    toolchain= needs= packages= options= without=
    case $1 in
    native) ;;
    aarch64) linux aarch64-linux-gnu arm64 qemu-aarch64 ;;
    armv7) linux arm-linux-gnueabihf armhf qemu-arm ;;
    riscv64) linux riscv64-linux-gnu riscv64 qemu-riscv64 ;;
    s390x) linux s390x-linux-gnu s390x qemu-s390x ;;
    wasm)
        toolchain=wasm32-emscripten needs="emcc node"
        packages="emscripten nodejs"
        without="test_threads|test_shared|test_blas_threads" # there is one thread
        ;;
    cortex-m)
        needs="arm-none-eabi-gcc qemu-system-arm"
        packages="gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
        ;;
    *)
        echo "tools/cross.sh: expected one of $ALL; got $1" >&2
        exit 2
        ;;
    esac
}

# linux TRIPLET ARCHITECTURE EMULATOR
linux() {
    toolchain=$1 needs="$1-gcc $3 /usr/$1/include/stdlib.h"
    packages="gcc-$1 libc6-dev-$2-cross qemu-user"
}

# The first program or file that the target needs and this machine lacks.
missing() {
    for need in $needs; do
        case $need in
        /*) [ -e "$need" ] || { echo "$need"; return; } ;;
        *) command -v "$need" >/dev/null || { echo "$need"; return; } ;;
        esac
    done
}

skip() { echo "skipped: $1, because $2"; }

install() {
    wanted=
    for target in "$@"; do
        describe "$target"
        [ -z "$(missing)" ] || wanted="$wanted $packages"
    done
    # shellcheck disable=SC2086 # words on purpose
    [ -z "$wanted" ] || apt_install $wanted || echo "could not install:$wanted" >&2
}

# Instruction sets of this machine are tested by `make test-c`; here they run the models alone.
build() {
    folder=$out/$1
    if [ "$1" = native ]; then
        folder=build/c # of make test-c
        "${CMAKE_DIR}cmake" -S . -B "$folder" -DRNNAT_WERROR=ON -DRNNAT_TESTS=ON -DRNNAT_OPENMP=AUTO
        "${CMAKE_DIR}cmake" --build "$folder" -j "$JOBS" --target run_model
    else
        "${CMAKE_DIR}cmake" -S . -B "$folder" --toolchain "cmake/toolchains/$toolchain.cmake" \
            -DRNNAT_WERROR=ON -DRNNAT_TESTS=ON -DRNNAT_TRAIN=OFF -DRNNAT_THREADS=OFF
        "${CMAKE_DIR}cmake" --build "$folder" -j "$JOBS"
        "${CMAKE_DIR}ctest" --test-dir "$folder" --no-tests=error --output-on-failure -j "$JOBS" \
            ${without:+-E "^($without)"}
    fi
}

if [ "${1:-}" = --install ]; then
    shift
    # shellcheck disable=SC2086 # words on purpose
    install ${*:-$ALL}
    exit
fi

ran= arguments=
for target in ${*:-$ALL}; do
    describe "$target"
    lacks=$(missing)
    if [ -n "$lacks" ]; then
        skip "$target" "there is no $lacks; Debian: apt-get install $packages"
        continue
    fi
    start=$(date +%s)
    printf '\n==> %s\n' "$target"
    if [ "$target" = cortex-m ]; then
        if [ -z "$MODELS_PYTHON" ]; then
            skip "$target" "MODELS_PYTHON names no Python with the package, which exports the models"
            continue
        fi
        "$MODELS_PYTHON" -P tests/cross/cortex_m.py
    else
        build "$target"
        arguments="$arguments --target $target=$folder/tests/cross/run_model.target"
    fi
    ran="$ran
    $target: $(($(date +%s) - start)) s"
done

if [ -z "$MODELS_PYTHON" ]; then
    skip "real models" "MODELS_PYTHON names no Python with the package; make cross does"
elif [ -n "$arguments" ]; then
    start=$(date +%s)
    # shellcheck disable=SC2086 # words on purpose
    "$MODELS_PYTHON" -P -m pytest tests/models/test_c_targets.py $arguments
    ran="$ran
    real models: $(($(date +%s) - start)) s"
fi
printf '\nran%s\n' "$ran"
