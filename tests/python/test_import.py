"""What importing the package brings along, and what comes when it is first used."""

import subprocess
import sys

import pytest

import rnn_native as rn

LATER = ("accelerate", "batch", "export_c", "from_torch", "models", "plot", "quantize", "train")


def test_the_import_brings_nothing_that_a_run_does_not_need() -> None:
    heavy = ["fractions", "rnn_native.quantizing", "rnn_native.plot", "rnn_native.export"]
    heavy += ["matplotlib", "onnx", "torch", "lzma", "json", "asyncio", "multiprocessing"]
    program = (
        "import sys, numpy\nbefore = set(sys.modules)\nimport rnn_native\n"
        f"print([name for name in {heavy} if name in sys.modules and name not in before])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", LATER)
def test_what_comes_later_is_listed_and_there(name: str) -> None:
    assert name in dir(rn)
    assert getattr(rn, name) is getattr(rn, name)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'quantise'"):
        _ = rn.quantise  # type: ignore[attr-defined]
