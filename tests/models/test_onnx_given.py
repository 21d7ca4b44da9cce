"""Inputs of a graph whose values ``given=`` states, or ``shapes=`` their sizes: an If is read as
the branch that is taken then. onnxruntime, which runs the whole graph, is the oracle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import ATOL, Builder, make_recurrent, onnx_weights, run, uniform

import rnn_native as rn
from rnn_native import cli, formats, reference
from rnn_native.errors import FormatError, OptionError, UnsupportedError

pytestmark = pytest.mark.oracle

T, B, IN, H = 5, 2, 3, 4
FAST, SLOW = make_recurrent("gru", IN, H), make_recurrent("gru", IN, H, seed=1)


def body(nodes: list[Any], output: str, **constants: Any) -> Any:
    made = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    kept = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    return helper.make_graph(nodes, "branch", [], made, kept)


def rates(folder: Path, static: bool = True) -> Path:
    """A GRU for each of two sampling rates, whose y is doubled or not by an If inside of the
    branch: over the features of y, or over its rank."""
    b = Builder()
    b.input("x", ["t", "b", IN])
    sr = b.input("sr", [], TensorProto.INT64)
    b.op("Equal", sr, b.constant(16000))
    condition = b.nodes[-1].output[0]
    branches = []
    for name, layer in (("fast", FAST), ("slow", SLOW)):
        w, r, bias, _ = onnx_weights(layer)
        make = helper.make_node
        twice = body([make("Add", [f"{name}_y"] * 2, [f"{name}_twice"])], f"{name}_twice")
        same = body([make("Identity", [f"{name}_y"], [f"{name}_same"])], f"{name}_same")
        nodes = [
            make("GRU", ["x", f"{name}_w", f"{name}_r", f"{name}_b"], [f"{name}_Y"], name,
                 hidden_size=H, linear_before_reset=int(layer.reset_after)),
            make("Squeeze", [f"{name}_Y", f"{name}_one"], [f"{name}_y"]),
            make("Shape", [f"{name}_y"], [f"{name}_shape"]),
            *(
                [make("Gather", [f"{name}_shape", f"{name}_last"], [f"{name}_size"])]
                if static else [make("Size", [f"{name}_shape"], [f"{name}_size"])]
            ),
            make("Equal", [f"{name}_size", f"{name}_wanted"], [f"{name}_is"]),
            make("Not", [f"{name}_is"], [f"{name}_not"]),
            make("If", [f"{name}_not"], [f"{name}_z"], then_branch=same, else_branch=twice),
        ]  # fmt: skip
        constants = {"w": w, "r": r, "b": bias, "one": np.array([1]), "last": np.array(2),
                     "wanted": np.array(H if static else 2)}  # fmt: skip
        constants = {f"{name}_{key}": value for key, value in constants.items()}
        branches.append(body(nodes, f"{name}_z", **constants))
    b.nodes.append(
        helper.make_node(
            "If", [condition], ["z"], "rate", then_branch=branches[0], else_branch=branches[1]
        )
    )
    b.output("z", shape=["t", "b", H])
    return b.save(folder)


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(("sr", "layer"), [(16000, FAST), (8000, SLOW)])
def test_a_branch_is_read_as_what_is_taken(
    sr: int, layer: Any, static: bool, tmp_path: Path
) -> None:
    path = rates(tmp_path, static)
    x = uniform(T, B, IN)
    (want,) = run(path, {"x": x, "sr": np.array(sr)})
    spec = formats.read(path, given={"sr": sr})
    assert list(spec.inputs) == ["x"]
    np.testing.assert_array_equal(
        spec.recurrents[0].arrays["weight_ih_l0"], layer.arrays["weight_ih_l0"]
    )
    assert len(spec.nodes) == 1 + static  # a sum of the GRU's y and itself
    np.testing.assert_allclose(reference.run(spec, x)[0], want, rtol=0, atol=2 * ATOL)


def test_without_it_the_error_says_what_to_state(tmp_path: Path) -> None:
    path = rates(tmp_path)
    with pytest.raises(
        UnsupportedError, match=r"'rate' \(If\): its branch depends on 'sr': given=\{'sr': \.\.\.\}"
    ):
        formats.read(path)


def test_a_condition_of_a_size_that_is_not_fixed_is_refused(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    size = b.op("Gather", b.op("Shape", x), b.constant(1))
    branch = body([helper.make_node("Identity", ["x"], ["n"])], "n")
    condition = b.op("Equal", size, b.constant(1), name="one row")
    b.nodes.append(
        helper.make_node("If", [condition], ["z"], then_branch=branch, else_branch=branch)
    )
    b.recurrent("z", FAST)
    b.output(b.nodes[-1].output[0])
    with pytest.raises(
        UnsupportedError, match=r"'one row' \(Equal\): calculates with a size that the file does no"
    ):
        formats.read(b.save(tmp_path))


def test_a_part_inside_of_a_branch_is_of_that_branch(tmp_path: Path) -> None:
    path = rates(tmp_path)
    for name, layer in (("fast", FAST), ("slow", SLOW)):
        (read,) = formats.read(path, between=("x", f"{name}_y")).layers
        np.testing.assert_array_equal(read.arrays["weight_hh_l0"], layer.arrays["weight_hh_l0"])
    with pytest.raises(OptionError, match="the graph has no tensor 'slow_yy'; there is 'slow_y'"):
        formats.read(path, between=("x", "slow_yy"))


@pytest.mark.parametrize("sizes", [[1, "b", H], [1, 1, H]])
def test_data_that_are_given_are_constants(sizes: list[Any], tmp_path: Path) -> None:
    b = Builder()
    b.input("x", ["t", 1, IN])
    b.input("h", sizes)
    y = b.recurrent("x", FAST, "", "h")[0]
    b.output(b.squeeze(y, 1))
    path = b.save(tmp_path)
    h = uniform(1, 1, H, seed=3)
    (want,) = run(path, {"x": uniform(T, 1, IN), "h": h})
    model = rn.load(path, given={"h": h.tolist()})
    assert model.spec.recurrents[0].initial_state is not None
    np.testing.assert_allclose(model(uniform(T, 1, IN))[0], want, rtol=0, atol=ATOL)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 1}, r"the graph has no input 'rate'.*; its inputs are 'x', 'sr'"),
        ({"sr": 16000.5}, r"the input 'sr': expected int64, got 16000\.5"),
        ({"sr": "16000"}, r"the input 'sr': expected numbers, got '16000'"),
        ({"sr": [1, 2]}, r"the input 'sr': expected shape \(\), got \(2,\)"),
        ({"x": 1.0}, r"the input 'x': expected shape \(\?, \?, 3\), got \(\)"),
        (16000, r"expected values by the names of inputs, got 16000"),
    ],
)
def test_what_is_no_value_of_an_input_is_refused(given: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"given: {message}"):
        formats.read(rates(tmp_path), given=given)


def test_a_condition_of_a_size_that_is_stated_is_known(tmp_path: Path) -> None:
    """As PyTorch exports ``x.squeeze(0)``: only if that axis has a size of 1."""
    b = Builder()
    x = b.input("x", ["n", "t", "b", IN])
    size = b.op("Gather", b.op("Shape", x), b.constant(0))
    branches = [
        body([helper.make_node("Squeeze", ["x", "first"], ["less"])], "less", first=np.array([0])),
        body([helper.make_node("Identity", ["x"], ["same"])], "same"),
    ]
    condition = b.op("Equal", size, b.constant(1), name="one")
    b.nodes.append(
        helper.make_node("If", [condition], ["z"], then_branch=branches[0], else_branch=branches[1])
    )
    b.output(b.squeeze(b.recurrent("z", FAST)[0], 1))
    path = b.save(tmp_path)
    x = uniform(1, T, B, IN)
    (want,) = run(path, {"x": x})
    with pytest.raises(
        UnsupportedError, match=r"'one' \(Equal\): calculates with a size that the file does not"
    ):
        formats.read(path)
    spec = formats.read(path, shapes={"x": (1, None, None, None)})
    np.testing.assert_allclose(reference.run(spec, x[0])[0], want, rtol=0, atol=ATOL)
    with pytest.raises(FormatError, match="X: expected rank 3, got 4"):
        formats.read(path, shapes={"x": (2, None, None, IN)})


def test_the_rank_of_an_input_can_be_stated(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", None)
    y = b.recurrent(b.op("Relu", x), FAST)[0]
    b.output(b.squeeze(y, 1))
    path = b.save(tmp_path)
    with pytest.raises(UnsupportedError, match="'x': the file does not tell its rank; shapes="):
        formats.read(path)
    spec = formats.read(path, shapes={"x": (None, None, IN)})
    (want,) = run(path, {"x": uniform(T, B, IN)})
    np.testing.assert_allclose(reference.run(spec, uniform(T, B, IN))[0], want, rtol=0, atol=ATOL)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"y": (1,)}, r"the graph has no input 'y'.*; its inputs are 'x', 'sr'"),
        ({"x": (None, None)}, r"the input 'x': expected \(\?, \?, 3\), as the file has it, got"),
        ({"x": (5, None, 4)}, r"the input 'x': expected \(\?, \?, 3\), as the file has it, got"),
        ({"x": (0, None, 3)}, r"the input 'x': expected sizes of 1 to"),
        ({"x": (10**20, None, 3)}, r"the input 'x': expected sizes of 1 to"),
        ({"x": (True, None, 3)}, r"the input 'x': expected integers or None"),
        ({"x": ("t", None, 3)}, r"the input 'x': expected integers or None"),
        ([1, 2], r"expected sizes by the names of inputs, got \[1, 2\]"),
    ],
)
def test_what_are_no_sizes_of_an_input_is_refused(
    shapes: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=f"shapes: {message}"):
        formats.read(rates(tmp_path), shapes=shapes)


def test_not_beside_one_node(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="given: not beside node='fast'"):
        formats.read(rates(tmp_path), node="fast", given={"sr": 1})


def test_as_an_option_of_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rates(tmp_path)
    sizes = ["--shapes", f"x=[null,1,{IN}]"]
    assert cli.main(["info", "--given", "sr=16000", *sizes, str(path)]) == 0
    assert "gru" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["info", "--given", "sr", str(path)])
    assert "expected NAME=VALUE" in capsys.readouterr().err
