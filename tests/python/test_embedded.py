"""The C library that the package brings along, for C programs without Python."""

from importlib.resources import files

import rnn_native as rn

FOLDER = files("rnn_native") / "embedded"


def test_the_amalgamated_pair_is_of_this_version():
    header = (FOLDER / "rnn_native.h").read_text()
    assert f'#define RNNAT_VERSION "{rn.__version__}"\n' in header
    for name in ("rnn_native.c", "rnn_native_internal.h"):
        assert (FOLDER / name).read_text().startswith(f"/* rnn_native {rn.__version__}: ")


def test_the_amalgamated_pair_includes_itself_and_the_compiler_s_headers_alone():
    for name in ("rnn_native.c", "rnn_native_internal.h"):
        lines = (FOLDER / name).read_text().splitlines()
        assert {line for line in lines if line.startswith('#include "')} == {
            '#include "rnn_native.h"'
        }
