"""The peers' reduced precision in bench/ is reduced, and their networks are right.

What is called int8 and is float32 would be a fair peer's name on an unfair number.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2] / "bench"))

from grid import CELLS, Case, make_input, make_spec
from runtimes import peers_of

import rnn_native as rn
from rnn_native import reference
from rnn_native.benchmark.precision import PRECISIONS
from rnn_native.benchmark.worker import Form, Task, enter, largest_error
from rnn_native.states import flatten, state_counts, unflatten

pytestmark = pytest.mark.oracle

SEQUENCES = ("H32T20B3", "H32T20B1L2bi")
STEPS = ("H32T1B1",)
BOTH = SEQUENCES + STEPS
EXACT = 1e-5
"""What float32 stays below here, and no reduced precision does."""

FORMS: Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]] = {
    ("torch", "bfloat16"): dict.fromkeys(CELLS, BOTH),
    ("torch", "int8"): {"lstm": BOTH, "gru": BOTH, "rnn": STEPS},
    ("torch", "float16"): {"lstm": BOTH, "gru": BOTH, "rnn": STEPS},
    ("onnxruntime", "int8"): {"lstm": BOTH},
    ("openvino", "bfloat16"): dict.fromkeys(CELLS, BOTH),
    ("openvino_static", "int8"): {"lstm": BOTH},
    ("litert", "int8"): dict.fromkeys(CELLS, STEPS),
}
"""By peer and precision, the cases in which it has forms of it, by cell."""
NEED = {"openvino": "openvino", "openvino_static": "openvino", "litert": "ai_edge_litert"}
OF_THIS_MACHINE = "for this CPU", "is currently not supported by"
ABSENT = *OF_THIS_MACHINE, "quantize_dynamic leaves"


def errors(forms: Mapping[str, Form], precision: str, expected: Any) -> dict[str, float | str]:
    """Of each form in that precision; where a peer says that it has none, what it says."""
    found: dict[str, float | str] = {}
    for name, form in forms.items():
        if not name.startswith(f"{precision}, "):
            assert form.precision == "float32", name
            assert largest_error(form.arrays(form.call()), expected) < EXACT
            continue
        try:
            found[name] = largest_error(form.arrays(form.call()), expected)
        except (NotImplementedError, RuntimeError) as error:
            if not any(said in str(error) for said in ABSENT):
                raise
            found[name] = str(error)
    return found


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("peer", "precision"), FORMS)
def test_reduced_forms_are_reduced_and_right(
    peer: str, precision: str, cell: str, tmp_path: Path
) -> None:
    pytest.importorskip(NEED.get(peer, peer))
    module: Any = importlib.import_module(peers_of(precision)[peer])
    for case in map(Case.parse, BOTH):
        spec, (x, states) = make_spec(cell, case), make_input(cell, case)
        rn.Model(spec).save(tmp_path / "model.safetensors")
        counts = state_counts(spec)
        y, final = reference.run(spec, x, None if states is None else unflatten(counts, states))
        expected = [y, *flatten(counts, final)]
        task = Task(str(tmp_path / "model.safetensors"), x, states, 1, precision=precision)
        has_it = case.name in FORMS[peer, precision].get(cell, ())
        with enter(module):
            try:
                found = errors(module.prepare(task), precision, expected)
            except NotImplementedError as error:
                if "on this CPU" in str(error):
                    pytest.skip(str(error))
                if has_it:
                    raise
                continue
        numbers = [error for error in found.values() if isinstance(error, float)]
        lacking = [
            why for why in found.values() if any(said in str(why) for said in OF_THIS_MACHINE)
        ]
        if has_it and len(lacking) == len(found) > 0:
            pytest.skip(str(found))
        assert bool(numbers) == has_it, found
        for error in numbers:
            assert EXACT < error <= PRECISIONS[precision].tolerance
