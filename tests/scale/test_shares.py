"""In each engine's workers a call uses as many threads as the engine has given the task: by the
variable that the engine sets, and by what it says itself.
"""

from __future__ import annotations

from typing import Any

import pytest

SHARES = {"ray": ["1 1", "1 1", "3 3"], "dask": ["1 1"], "spark": ["2 2"]}


@pytest.mark.parametrize("engine", SHARES)
def test_a_call_uses_what_the_engine_gives(engine: str, program: Any) -> None:
    lines = program("shares.py", engine).splitlines()
    assert [line for line in lines if line[:1].isdigit()] == SHARES[engine]
