"""TensorFlow Lite files without their interpreter: what is refused and in which words, what hostile
files do, what a file says of itself, and that nothing but NumPy is needed."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite_graphs as tg
from tflite_files import File, Flat, Table

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats.tflite import schema
from rnn_native.formats.tflite.schema import UnidirectionalLstm

BATCH, STEPS, INPUTS, UNITS = tg.BATCH, tg.STEPS, tg.INPUTS, tg.UNITS


def plain(fields: dict[int, Any] | None = None, **own: Any) -> File:
    file = File()
    g = file.main
    g.outputs = [tg.lstm(g, g.input(BATCH, STEPS, INPUTS), fields or tg.options(), **own)]
    return file


@pytest.fixture
def written(tmp_path: Path) -> Any:
    return lambda file: file.write(tmp_path / "m.tflite")


def test_gates_and_weights_are_in_their_places(written: Any) -> None:
    """Of the format the gates are i, f, c, o, a matrix each; here i, f, g, o, in one."""
    (layer,) = rn.load(written(plain())).spec.layers
    assert isinstance(layer, rn.Recurrent)
    w = layer.arrays
    for gate in range(4):
        rows = slice(gate * UNITS, gate * UNITS + UNITS)
        np.testing.assert_array_equal(w["weight_ih_l0"][rows], tg.normal(7 + gate, UNITS, INPUTS))
        np.testing.assert_array_equal(w["weight_hh_l0"][rows], tg.normal(11 + gate, UNITS, UNITS))
        np.testing.assert_array_equal(w["bias_ih_l0"][rows], tg.normal(15 + gate, UNITS))


def test_coupled_gates_are_one_and_its_complement(written: Any) -> None:
    """i = 1 - f, and 1 - sigmoid(a) = sigmoid(-a)."""
    model = rn.load(written(plain(coupled=True)))
    inside = model.trace(tg.normal(1, STEPS, BATCH, INPUTS))
    np.testing.assert_allclose(inside["i_l0"], 1 - inside["f_l0"], atol=1e-6)


def test_a_bound_of_the_cell_is_kept(written: Any) -> None:
    (layer,) = rn.load(written(plain(tg.options(CELL_CLIP=10.0)))).spec.layers
    assert isinstance(layer, rn.Recurrent)
    assert layer.cell_clip == 10


def with_norm(file: File) -> None:
    """One of the four inputs of a layer normalisation inside the cell."""
    operator = file.main.operators[0].fields
    inputs = operator[schema.Operator.INPUTS]
    inputs[-1] = file.main.constant(np.ones(UNITS))


def refused(fields: dict[int, Any], change: Any = None, **own: Any) -> File:
    file = plain(fields, **own)
    if change is not None:
        change(file)
    return file


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (refused(tg.options(), with_norm), "layer normalisation inside the cell is not supported"),
        (refused(tg.options(PROJ_CLIP=1.0), projected=3), r"proj_clip=1: bounds of a projection"),
        (refused(tg.options("RELU6")), "activation RELU6 of a cell is not supported"),
        (refused(tg.options("NONE")), "activation NONE of an LSTM"),
        (
            refused(tg.options() | {UnidirectionalLstm.DIAGONAL: ("bool", True)}),
            "diagonal_recurrent_tensors is not supported",
        ),
    ],
)
def test_what_is_not_read_is_refused_by_name(file: File, message: str, written: Any) -> None:
    where = "operator UNIDIRECTIONAL_SEQUENCE_LSTM of 't[0-9]+': "
    with pytest.raises(rn.UnsupportedError, match=rf"m\.tflite: {where}.*{message}"):
        rn.load(written(file))


@pytest.mark.parametrize("op", ["SVDF", "TOPK_V2", "MyOwnOperator"])
def test_an_operator_that_is_not_read_is_named_and_may_be_left_out(op: str, written: Any) -> None:
    file = plain()
    g = file.main
    (y,) = g.outputs
    g.outputs = [g.add(op, [y], g.tensor((BATCH, STEPS, UNITS), name="made"))]
    path = written(file)
    with pytest.raises(rn.UnsupportedError, match=f"operator {op} of 'made': .*not supported"):
        rn.load(path)
    label = f"UNIDIRECTIONAL_SEQUENCE_LSTM t{y}"
    for options in ({"between": ("x", f"t{y}")}, {"between": (None, f"t{y}")}, {"node": label}):
        (layer,) = rn.load(path, **options).spec.layers
        assert isinstance(layer, rn.Recurrent)
    with pytest.raises(rn.OptionError, match=f"no recurrent node is called so.*{label}"):
        rn.load(path, node="lstm")
    with pytest.raises(rn.OptionError, match="the graph has no tensor 'y'"):
        rn.load(path, between=("x", "y"))


def test_a_loop_that_is_no_cell_says_so(written: Any) -> None:
    file = tg.loop("rnn", tg.put_by_cuts, "all")
    body = file.graphs[2]
    tanh = next(o for o in body.operators if o.fields.get(3) is None and len(o.fields[1]) == 1)
    tanh.fields = dict(tanh.fields) | {
        schema.Operator.OPCODE_INDEX: ("uint32", file.code("EXP", 1))
    }
    with pytest.raises(rn.UnsupportedError, match=r"WHILE .*a loop is read where .*interpreter"):
        rn.load(written(file))


@pytest.mark.parametrize("put", [tg.put_by_cuts, tg.put_by_update])
def test_a_loop_over_a_part_of_a_sequence_is_none_of_a_layer(put: Any, written: Any) -> None:
    file = tg.loop("rnn", put, "all", steps=STEPS - 1)
    with pytest.raises(rn.UnsupportedError, match="4 steps, whose outputs go into a tensor of 5"):
        rn.load(written(file))
    file = tg.loop("rnn", put, "last", steps=STEPS - 1)
    with pytest.raises(rn.UnsupportedError, match="4 steps"):
        rn.load(written(file))


def test_steps_that_do_not_count_from_0(written: Any) -> None:
    file = tg.loop("rnn", tg.put_by_cuts, "all")
    outer = next(one for one in file.main.operators if len(one.fields[schema.Operator.INPUTS]) == 6)
    outer.fields[schema.Operator.INPUTS][1] = file.main.constant(1, "i4")
    with pytest.raises(rn.UnsupportedError, match="do not count from a constant 0"):
        rn.load(written(file))


def test_a_loop_that_reads_one_step_again_and_again(written: Any) -> None:
    file = tg.loop("rnn", tg.put_by_cuts, "all")
    body = file.graphs[2]
    code = file.code("GATHER", 1)
    index = schema.Operator.OPCODE_INDEX
    gather = next(one for one in body.operators if one.fields[index] == ("uint32", code))
    gather.fields[schema.Operator.INPUTS][1] = body.constant(0, "i4")
    with pytest.raises(rn.UnsupportedError, match="a loop is read where"):
        rn.load(written(file))


def test_what_a_file_says_of_itself(written: Any) -> None:
    file = plain()
    names = [Table({schema.TensorMap.NAME: name, schema.TensorMap.TENSOR_INDEX: ("uint32", i)})
             for name, i in (("audio", 0), ("probability", file.main.outputs[0]))]  # fmt: skip
    file.signatures = [
        Table(
            {
                schema.Signature.INPUTS: names[:1],
                schema.Signature.OUTPUTS: names[1:],
                schema.Signature.SIGNATURE_KEY: "serving_default",
            }
        )
    ]
    found = formats.strings(written(file))
    assert found["producer"] == "made by a test"
    assert found["signature serving_default"] == "audio -> probability"


def test_it_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(rn.UnsupportedError, match=r"writing the format tflite .* \.onnx"):
        rn.LSTM(3, 4).model.save(tmp_path / "m.tflite")


def test_neither_onnx_nor_tensorflow_is_imported(written: Any) -> None:
    paths = [written(plain())]
    loop = tg.loop("gru", tg.put_by_update, "all").write(paths[0].with_name("loop.tflite"))
    code = (
        "import sys, rnn_native as rn\n"
        "for name in ('onnx', 'tensorflow', 'flatbuffers', 'google'):\n"
        "    sys.modules[name] = None\n"
        "for path in sys.argv[1:]:\n"
        "    rn.load(path)\n"
    )
    command = [sys.executable, "-P", "-c", code, *map(str, [*paths, loop])]
    subprocess.run(command, check=True)


# Hostile files


def content() -> bytes:
    return plain().content()


@pytest.mark.parametrize("length", [0, 3, 4, 7, 8, 11, 12])
def test_a_file_that_is_cut_short(length: int, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content()[:length])
    with pytest.raises(rn.FormatError):
        rn.load(path)


def test_every_cut_is_a_model_or_an_error_of_ours(tmp_path: Path) -> None:
    data, path = content(), tmp_path / "m.tflite"
    for length in range(0, len(data), 61):
        path.write_bytes(data[:length])
        with pytest.raises(rn.RnnError):
            rn.load(path)


def test_another_file_is_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"PK\3\4" + b"\0" * 100)
    with pytest.raises(rn.FormatError, match="not a file of TFL3"):
        rn.load(path)


def test_a_table_that_is_named_many_times_is_counted_each_time(tmp_path: Path) -> None:
    """Vectors of tables that are all one and the same, which has a vector of the same kind."""
    inner = Table({schema.SubGraph.TENSORS: [Table({})] * 1})
    data = bytearray(Flat(Table({schema.Model.VERSION: ("uint32", 3),
                                 schema.Model.SUBGRAPHS: [inner]}), b"TFL3").data)  # fmt: skip
    # a vector of 100000 references, each to the subgraph, in the place of the one
    root = struct.unpack_from("<I", data, 0)[0]
    vtable = root - struct.unpack_from("<i", data, root)[0]
    field = root + struct.unpack_from("<H", data, vtable + 4 + 2 * schema.Model.SUBGRAPHS)[0]
    vector = field + struct.unpack_from("<I", data, field)[0]
    table = vector + 4 + struct.unpack_from("<I", data, vector + 4)[0]
    at, count = len(data), 100_000
    data += struct.pack("<I", count)
    for index in range(count):
        here = at + 4 + 4 * index
        data += struct.pack("<I", (table - here) % 2**32)
    struct.pack_into("<I", data, field, at - field)
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    begin = time.perf_counter()
    with pytest.raises(rn.FormatError, match=r"refers to|times over"):
        rn.load(path)
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize("length", [2**16, 2**31 - 1, 2**32 - 1])
def test_a_vector_that_is_longer_than_the_file(length: int, tmp_path: Path) -> None:
    data = bytearray(content())
    shape = struct.pack("<Iiii", 3, BATCH, STEPS, INPUTS)
    at = data.index(shape)
    struct.pack_into("<I", data, at, length)
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    with pytest.raises(rn.FormatError, match=r"refers to .* bytes"):
        rn.load(path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({schema.Tensor.SHAPE: np.array([4, 5], "<i4")}, "FLOAT of shape .* takes 80 bytes"),
        ({schema.Tensor.SHAPE: np.array([2**31 - 1] * 3, "<i4")}, "takes"),
        (
            {
                schema.Tensor.SHAPE: np.array([0, 2**31 - 1, 2**31 - 1, 9], "<i4"),
                schema.Tensor.BUFFER: ("uint32", 0),
            },
            "too big",
        ),
        ({schema.Tensor.TYPE: ("int8", 99)}, "element type 99"),
        ({schema.Tensor.BUFFER: ("uint32", 999)}, "refers to buffer 999"),
    ],
)
def test_a_constant_that_is_none(fields: dict[int, Any], message: str, written: Any) -> None:
    file = plain()
    weight = file.main.tensors[3]  # behind x and the states
    weight.fields = dict(weight.fields) | fields
    with pytest.raises(rn.RnnError, match=message):
        rn.load(written(file))


def test_scales_that_are_as_many_as_no_axis(written: Any) -> None:
    file = plain()
    g = file.main
    weight = g.constant(np.ones((UNITS, INPUTS)), "i1", scale=([0.5] * 3, [0] * 3, 0))
    g.operators[0].fields[schema.Operator.INPUTS][1] = weight
    with pytest.raises(rn.FormatError, match="3 scales along dimension 0"):
        rn.load(written(file))


def test_a_graph_that_makes_a_tensor_of_itself(written: Any) -> None:
    file = plain()
    g = file.main
    (y,) = g.outputs
    one, other = g.tensor((BATCH, STEPS, UNITS)), g.tensor((BATCH, STEPS, UNITS))
    g.add("ADD", [y, other], one)
    g.add("ADD", [y, one], other)
    g.outputs = [one]
    with pytest.raises(rn.FormatError, match="made by nothing before it"):
        rn.load(written(file))


def test_a_condition_of_itself(written: Any) -> None:
    file = tg.loop("rnn", tg.put_by_cuts, "all")
    condition = file.graphs[1]
    (end,) = condition.outputs
    both = condition.operators[-1].fields
    both[schema.Operator.INPUTS][:] = end
    with pytest.raises(rn.RnnError, match="number of steps"):
        rn.load(written(file))


def test_a_loop_in_itself(written: Any) -> None:
    """A body that has a loop of the same graph again, which counts from 0 as well."""
    file = tg.loop("rnn", tg.put_by_cuts, "all")
    body = file.graphs[2]
    outer = next(one for one in file.main.operators if len(one.fields[schema.Operator.INPUTS]) == 6)
    zero = body.constant(0, "i4")
    inputs = [zero, zero, *body.inputs[2:]]
    made = [body.tensor(()) for _ in inputs]
    body.operators.append(
        Table(
            dict(outer.fields)
            | {
                schema.Operator.INPUTS: np.array(inputs, "<i4"),
                schema.Operator.OUTPUTS: np.array(made, "<i4"),
            }
        )
    )
    body.outputs = [*body.outputs[:3], made[3], *body.outputs[4:]]
    with pytest.raises(rn.UnsupportedError, match=r"WHILE .* a loop inside of a loop"):
        rn.load(written(file))


def test_many_loops_cost_what_the_file_has(written: Any) -> None:
    """Each of them with the same large body, whose operators are counted each time."""
    file = tg.loop("lstm", tg.put_by_cuts, "all")
    g, body = file.main, file.graphs[2]
    outer = next(one for one in g.operators if len(one.fields[schema.Operator.INPUTS]) == 7)
    state = body.outputs[3]
    for _ in range(3000):
        state = body.add("TANH", [state], body.tensor(tg.ROW))
    body.outputs[3] = state
    ends = []
    for _ in range(1000):
        made = [g.tensor(()) for _ in outer.fields[schema.Operator.OUTPUTS]]
        fields = dict(outer.fields) | {schema.Operator.OUTPUTS: np.array(made, "<i4")}
        g.operators.append(Table(fields))
        ends.append(made[3])
    g.outputs = ends
    path = written(file)
    begin = time.perf_counter()
    with pytest.raises(rn.FormatError, match="steps of calculation"):
        rn.load(path)
    assert time.perf_counter() - begin < 20
