"""The C library that the package brings along, for C programs without Python."""

import rnn_native as rn
from rnn_native.export.library import library_text


def test_the_amalgamated_pair_is_of_this_version():
    header = library_text("rnn_native.h")
    assert f'#define RNNAT_VERSION "{rn.__version__}"\n' in header
    for name in ("rnn_native.c", "rnn_native_internal.h"):
        assert library_text(name).startswith(f"/* rnn_native {rn.__version__}: ")


def test_the_amalgamated_pair_includes_itself_and_the_compiler_s_headers_alone():
    for name in ("rnn_native.c", "rnn_native_internal.h"):
        lines = library_text(name).splitlines()
        assert {line for line in lines if line.startswith('#include "')} == {
            '#include "rnn_native.h"'
        }
