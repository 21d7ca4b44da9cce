"""ONNX's own tests of its operators, by its own runner, on our backend."""

from __future__ import annotations

import re
import unittest
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper

from rnn_native import onnx_backend
from rnn_native.errors import UnsupportedError

OF_RECURRENT = re.compile(r"test_(simple_rnn|rnn|gru|lstm)_.*_cpu$")


class Watched(onnx_backend.Backend):
    """Notes which models it has run, by the names of what they are made of."""

    ran: list[str]

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> Any:
        prepared = super().prepare(model, device, **kwargs)
        run = prepared.run

        def noted(inputs: Any) -> Any:
            results = run(inputs)
            cls.ran.append(model.graph.name)
            return results

        prepared.run = noted
        return prepared


@pytest.fixture(scope="module")
def suite() -> Iterator[dict[str, unittest.TestCase]]:
    """ONNX's tests of operators for the CPU by name; each has the checks of ONNX's own runner."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ONNX, while it calculates what to expect
        from onnx.backend.test import BackendTest

        (cases,) = (c for n, c in BackendTest(Watched).test_cases.items() if "NodeModel" in n)
        names = [name for name in dir(cases) if name.endswith("_cpu")]
        yield {name: cases(name) for name in names}


def outcome(case: unittest.TestCase) -> tuple[unittest.TestResult, list[str]]:
    Watched.ran = []
    result = unittest.TestResult()
    case.run(result)
    return result, Watched.ran


def test_all_of_onnx_s_own_tests_of_recurrent_operators_pass(
    suite: dict[str, unittest.TestCase],
) -> None:
    """Every one is run to its end, none refused; and the documentation lists exactly these."""
    names = [name for name in suite if OF_RECURRENT.match(name)]
    assert len(names) >= 18
    for name in names:
        result, ran = outcome(suite[name])
        assert result.wasSuccessful(), (name, result.failures, result.errors)
        assert ran, f"{name} was refused"
    page = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text()
    listed = re.findall(r"`(test_(?:simple_rnn|rnn|gru|lstm)_\w+)`", page)
    assert sorted(listed) == sorted(name.removesuffix("_cpu") for name in names)


def test_whatever_else_of_onnx_s_own_tests_is_not_refused_passes(
    suite: dict[str, unittest.TestCase],
) -> None:
    count = 0
    for name, case in suite.items():
        result, ran = outcome(case)
        assert result.wasSuccessful(), (name, result.failures, result.errors)
        count += bool(ran)
    assert count > 1100  # Conv, Loop, Slice, Softmax, ...: see formats/onnx/operators


def test_a_refusal_is_one_for_onnx_s_runner_too(suite: dict[str, unittest.TestCase]) -> None:
    from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, 1]) for n in "xy")
    node = helper.make_node("Hardmax", ["x"], ["y"], "it")
    graph = helper.make_model(helper.make_graph([node], "graph", [x], [y]), ir_version=10)
    with pytest.raises(BackendIsNotSupposedToImplementIt, match=r"'it' \(Hardmax\)") as caught:
        onnx_backend.prepare(graph)
    assert isinstance(caught.value, UnsupportedError)
