"""Whole files of every format, to be mutated: of our own writers, and of the tests' builders."""

from __future__ import annotations

import itertools
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import flax_files as ff
import keras_files as kf
import numpy as np
import onnx
import tflite_graphs as tg
import torch_files as tf
from onnx import TensorProto, helper, numpy_helper
from tflite_files import File

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import Embedding, Linear, Merge, ModelSpec
from rnn_native.weight_types import WEIGHT_DTYPES

from . import amplifiers

_CORPUS: Final = Path(__file__).resolve().parents[1] / "corpus"
BESIDE: Final = {"weights.bin": bytes(range(256)) * 4}  # external data of ONNX
_OF_STATE_DICTS: Final[list[dict[str, Any]]] = [
    {}, {}, {}, {"prefix": "model.lstm."}, {"prefix": "model"}, {"cell": "gru"},
    {"nonlinearity": "relu"}, {"reset_after": False}, {"chain": ["model.lstm", "model.head:relu"]},
    {"chain": ["lstm:h_n"], "prefix": "model"}, {"chain": ["model.head:linear", "bn:tanh"]},
]  # fmt: skip
OPTIONS: Final[dict[str, list[dict[str, Any]]]] = {
    "safetensors": _OF_STATE_DICTS,
    "npz": _OF_STATE_DICTS,
    "torch": _OF_STATE_DICTS,
    "pickle": _OF_STATE_DICTS,
    "flax": [*_OF_STATE_DICTS, {"prefix": "params"}, {"chain": ["params.LSTMCell_0"]}],
    "onnx": [{}, {}, {}, {"node": "the gru"}, {"node": "y"}, {"between": ("x", "y")}],
    "keras": [{}, {}, {}, {"node": "a"}, {"between": ("a", "b")}, {"cell": "lstm"},
              {"node": "b", "recurrent_activation": "hard_sigmoid"}],
    "json": [{}, {}, {}, {"chain": ["lstm", "head:relu"]}, {"chain": [":Conv1d(stride=2)"]},
             {"node": "b"}, {"prefix": "lstm"}],
    "nam": [{}],
    "rnnoise": [{}],
    "tflite": [{}, {}, {}, {"node": "UNIDIRECTIONAL_SEQUENCE_LSTM t15"}, {"between": ("x", "t15")}],
}  # fmt: skip
"""What a file of a format may be read with."""


def seeds() -> dict[str, list[bytes]]:
    """Whole files by format."""
    found = _written()
    found["torch"] += _torch()
    found["pickle"] = _pickled()
    found["flax"] = [ff.packed({"params": {"LSTMCell_0": ff.cell()}, "step": 3, "l": [None, "x"]})]
    found["keras"] = _keras()
    found["onnx"] += [*_onnx(), *_quantised()]
    found["tflite"] = _tflite()
    return found | amplifiers.seeds()


def corpus(name: str) -> list[bytes]:
    """The files of the corpus, mutants all of them."""
    return [path.read_bytes() for path in sorted((_CORPUS / name).glob("*"))]


def _models() -> list[ModelSpec]:
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return rng.normal(0, 0.5, shape).astype("f4")

    both = rn.LSTM(3, 4, num_layers=2, bidirectional=True).spec
    begun = replace(rn.LSTM(3, 4, 2).spec, initial_state=(normal(2, 4), normal(2, 4)))
    return [
        ModelSpec((both, Merge("ave", 4), Linear(normal(2, 4), normal(2), "softmax"))),
        ModelSpec((Embedding(normal(5, 3)), rn.GRU(3, 4).spec, Linear(normal(2, 4)))),
        ModelSpec((rn.RNN(2, 3, nonlinearity="relu", dtype="float64").spec,)),
        ModelSpec((rn.LSTM(3, 4, proj_size=2).spec,)),
        ModelSpec((begun,)),
        ModelSpec(
            (
                rn.Conv2d(normal(4, 1, 2, 3), normal(4), positions=4, groups=2, padding="causal"),
                rn.Conv1d(normal(16, 1, 2), stride=2, groups=16, padding=(1, 0)),
                rn.Transpose(4, 4),
            )
        ),
        ModelSpec(
            nodes={
                "words": (Embedding(normal(5, 3)), "word"),
                "both": (rn.Add(), ("x", "words")),
                "gru": (rn.GRU(3, 2).spec, "both"),
                "label": (Linear(normal(2, 2), activation="softmax"), "gru.last"),
            },
            inputs={"x": 3, "word": (5, True)},
            outputs={"steps": "gru", "label": "label", "again": "gru"},
        ),
    ]


def _written() -> dict[str, list[bytes]]:
    """What we write, where the format takes the model."""
    found: dict[str, list[bytes]] = {"safetensors": [], "npz": [], "onnx": [], "torch": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        for spec in _models():
            for name, files in found.items():
                carries = formats.FORMATS[name].carries and spec.is_chain
                try:
                    rn.Model(spec).save(path, name, **({"golden": True} if carries else {}))
                except (rn.UnsupportedError, rn.OptionError):
                    continue
                files.append(path.read_bytes())
        for kind, name in itertools.product(WEIGHT_DTYPES, ("safetensors", "npz")):
            rn.Model(_models()[1], weight_dtype=kind).save(path, name)
            found[name].append(path.read_bytes())
        np.savez_compressed(path.with_suffix(".npz"), **_state_dict("model.lstm."))
        found["npz"].append(path.with_suffix(".npz").read_bytes())
    return found


def _state_dict(prefix: str) -> dict[str, Any]:
    return {prefix + name: array for name, array in rn.LSTM(3, 4).spec.arrays.items()}


def _torch() -> list[bytes]:
    named = tf.state_dict(_state_dict("model.lstm."))
    half = tf.state_dict({n: a.astype("f2") for n, a in _state_dict("").items()})
    nested = {"epoch": 3, "lr": 0.5, "names": ["a", None, True], "model": half, "opt": (1, {})}
    storage = tf.Storage.of("0", np.zeros(16 * 7, "f4"))
    views = {
        "weight_ih_l0": tf.tensor(storage, (16, 3), (7, 1), 4),
        "weight_hh_l0": tf.tensor(storage, (16, 4), (7, 1)),
    }
    values = (named, nested, views, _module(), _quantized(), _reparametrized())
    return [make(value) for make in tf.CONTAINERS.values() for value in values]


def _module() -> tf.Made:
    """A whole one, as torch.save writes it."""
    lstm = tf.state_dict(_state_dict(""))
    inner = tf.Made(
        tf.Name("torch.nn.modules.rnn", "RNN"),
        {"_parameters": lstm, "_buffers": {}, "_modules": {}, "mode": "RNN_RELU"},
    )
    return tf.Made(tf.Name("nets", "Net"), {"_parameters": {}, "_modules": {"lstm": inner}})


def _quantized() -> dict[str, Any]:
    """The packed weights of an LSTM, and a tensor with a scale for each channel."""
    scheme, rebuild = (
        tf.Name("torch", "per_tensor_affine"),
        tf.Name("torch._utils", "_rebuild_qtensor"),
    )

    def tensor(key: str, rows: int, columns: int, said: tuple[Any, ...]) -> tf.Call:
        storage = tf.Storage.of(key, np.ones((rows, columns), "i1"), "QInt8Storage")
        return tf.Call(rebuild, (storage, 0, (rows, columns), (columns, 1), said, False, {}))

    def packed(key: str, columns: int) -> tf.Made:
        weight = tensor(key, 16, columns, (scheme, 0.5, 3))
        state = (weight, tf.whole(f"{key}b", np.ones(16, "f4")))
        name = "__torch__.torch.classes.quantized.LinearPackedParamsBase"
        return tf.Made(tf.Name("torch", "ScriptObject"), (state, name))

    state = ("quantized_dynamic", [], [], [1], [packed("i", 3), packed("h", 4)])
    name = "__torch__.torch.classes.rnn.CellParamsBase"
    scales, zeros = tf.whole("s", np.ones(2)), tf.whole("z", np.zeros(2, int))
    each = (tf.Name("torch", "per_channel_affine"), scales, zeros, 0)
    return {
        "lstm._all_weight_values.0.param": tf.Made(tf.Name("torch", "ScriptObject"), (state, name)),
        "fc.weight": tensor("q", 2, 4, each),
    }


def _reparametrized() -> dict[str, Any]:
    arrays = _state_dict("model.lstm.")
    weight = arrays.pop("model.lstm.weight_hh_l0")
    arrays |= {"model.lstm.weight_hh_l0_g": weight[:, :1], "model.lstm.weight_hh_l0_v": weight}
    mask = arrays.pop("model.lstm.weight_ih_l0")
    parts = {"orig": mask, "mask": mask}
    return tf.state_dict(arrays | {f"model.lstm.weight_ih_l0_{n}": a for n, a in parts.items()})


def _pickled() -> list[bytes]:
    """Arrays of NumPy, of every protocol that is read."""
    named = _state_dict("model.lstm.") | {"epoch": 3, "ints": np.arange(3)}
    named |= {"model.head.weight": np.ones((2, 4)), "model.head.bias": np.ones(2, ">f4")}
    named |= {f"bn.running_{what}": np.ones(2) for what in ("mean", "var")}
    return [pickle.dumps(named, protocol) for protocol in (2, 3, 4, 5)]


def everything() -> tuple[Any, dict[str, Any]]:
    """A configuration of Keras with all that is read of one, and its weights."""
    inner = kf.sequential(kf.layer("Dense", "c", units=2, activation="relu"), name="inner")
    cells = [kf.layer("GRUCell", "x", units=4, recurrent_activation="sigmoid", reset_after=True)]
    stack = {"class_name": "StackedRNNCells", "config": {"name": "s", "cells": cells}}
    wide = kf.layer("Bidirectional", "a", "m", layer=kf.recurrent("LSTM", "x", 4), merge_mode=None)
    layers = [
        kf.start("in"),
        kf.layer("Masking", "m", "in", mask_value=0.5),
        wide,
        kf.layer("Add", "j", [("a", 0, 0), ("a", 0, 1)]),
        kf.layer("RNN", "b", "j", cell=stack, return_sequences=True, go_backwards=True),
        inner | {"name": "inner", "inbound_nodes": [[["b", 0, 0, {}]]]},
    ]
    weights = {
        "a": {f"{s}_x/{n}": a for s in ("forward", "backward") for n, a in kf.lstm(3, 4).items()},
        "b": {f"x/{n}": a for n, a in kf.lstm(4, 4, gates=3, bias=(2, 12)).items()},
        "inner": {f"c/{n}": a for n, a in kf.dense(4, 2).items()},
    }
    return kf.functional(layers, ["in"], ["inner"]), weights


def chain() -> tuple[Any, dict[str, Any]]:
    """A Sequential of Keras 3 and its weights by their groups."""
    config = kf.sequential(
        kf.recurrent("LSTM", "a", 4),
        kf.recurrent("SimpleRNN", "b", 3),
        kf.layer("TimeDistributed", "t", layer=kf.layer("Dense", "c", units=2, activation="tanh")),
    )
    weights = {
        "layers/lstm/cell": list(kf.lstm(3, 4).values()),
        "layers/simple_rnn/cell": list(kf.lstm(4, 3, gates=1).values()),
        "layers/time_distributed/layer": list(kf.dense(3, 2).values()),
    }
    return config, weights


def _keras() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m")
        config, weights = everything()
        paths = [
            kf.write_h5(path.with_suffix(".h5"), config, weights),
            kf.write_h5(
                path.with_suffix(".h4"),
                config,
                weights,
                libver="latest",
                chunks=True,
                compression="gzip",
                shuffle=True,
            ),
            kf.write_h5(
                path.with_suffix(".h3"), config, {**weights, **_empty(40)}, libver="latest"
            ),
            kf.write_h5(path.with_suffix(".hdf5"), None, {"a": kf.lstm(3, 4)}, "2.3.0"),
            kf.write_keras(path.with_suffix(".keras"), *chain()),
            kf.write_h5(path.with_suffix(".h1"), *kf.of_keras_1(), "1.2.2", own=kf.KERAS_1),
        ]
        return [*(one.read_bytes() for one in paths), kf.numbered(chain()[1])]


def _empty(count: int) -> dict[str, Any]:
    """Layers without weights, so many that newer layouts keep them in heaps."""
    return {f"dropout {number}": {} for number in range(count)}


def _onnx() -> list[bytes]:
    """Graphs with what exporters put around a recurrent node."""
    rng = np.random.default_rng(0)
    constants = {
        "W": rng.normal(0, 0.5, (2, 12, 3)).astype("f4"),
        "R": rng.normal(0, 0.5, (2, 12, 4)).astype("f4"),
        "B": rng.normal(0, 0.5, (2, 24)).astype("f4"),
        "shape": np.array([0, 0, -1]), "zero": np.array([0]), "one": np.array([1]),
        "M": rng.normal(0, 0.5, (8, 2)).astype("f4"), "last": np.array(-1), "half": np.array([4]),
    }  # fmt: skip
    node = helper.make_node
    gru = node("GRU", ["t", "W", "R", "B", "", "h"], ["Y", "Y_h"], "the gru", hidden_size=4,
               direction="bidirectional", linear_before_reset=1)  # fmt: skip
    before = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["n"], axis=0),
        node("Concat", ["two", "n", "half"], ["z"], axis=0),
        node("ConstantOfShape", ["z"], ["h"]),
        node("Constant", [], ["two"], value=numpy_helper.from_array(np.array([2]))),
        node("Transpose", ["x"], ["t"], perm=[0, 1, 2]),
        gru,
    ]
    merged = [
        node("Transpose", ["Y"], ["r"], perm=[0, 2, 1, 3]),
        node("Reshape", ["r", "shape"], ["j"]),
        node("MatMul", ["j", "M"], ["m"]),
        node("Softmax", ["m"], ["y"], axis=-1),
    ]
    last = [
        node("Slice", ["Y_h", "zero", "one", "zero"], ["f"]),
        node("Squeeze", ["f", "zero"], ["y"]),
    ]
    split = [node("Split", ["Y_h"], ["f", "g"], axis=0), node("Concat", ["f", "g"], ["y"], axis=2)]
    files = []
    for after in (merged, last, split):
        graph = helper.make_graph(
            [*before, *after],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["time", "batch", 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        files.append(model.SerializeToString())
        outside = next(t for t in model.graph.initializer if t.name == "W")
        outside.ClearField("raw_data")
        outside.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "weights.bin"), ("offset", "64"), ("length", "288")):
            entry = outside.external_data.add()
            entry.key, entry.value = key, value
        files.append(model.SerializeToString())
    inner = helper.make_graph(graph.node, "body", [], graph.output, graph.initializer)
    branch = node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)
    outer = helper.make_graph([branch], "g", graph.input, graph.output)
    files.append(onnx.helper.make_model(outer).SerializeToString())
    return files


def _quantised() -> list[bytes]:
    """Graphs of integers: an LSTM with products behind it, and operators of onnxruntime."""
    rng = np.random.default_rng(0)

    def integers(*shape: int) -> Any:
        return rng.integers(-9, 9, shape).astype(np.int8)

    constants = {
        "W": integers(2, 3, 16), "R": integers(2, 4, 16), "B": np.zeros((2, 32), "f4"),
        "s2": np.full(2, 0.1, "f4"), "z2": integers(2), "M": integers(8, 2), "s": np.float32(0.1),
        "z": np.int8(0), "shape": np.array([0, 0, -1]), "P": np.zeros((2, 1, 8), np.uint8),
        "blocks": np.ones(2, "f4"), "V": integers(2, 2), "axes": np.full(2, 0.2, "f4"),
    }  # fmt: skip
    node, theirs = helper.make_node, {"domain": "com.microsoft"}
    lstm = [
        node("DynamicQuantizeLSTM", ["x", "W", "R", "B", *[""] * 4, "s2", "z2", "s2", "z2"], ["Y"],
             "the gru", hidden_size=4, direction="bidirectional", **theirs),
        node("Transpose", ["Y"], ["t"], perm=[0, 2, 1, 3]), node("Reshape", ["t", "shape"], ["j"]),
    ]  # fmt: skip
    products = [
        node("DynamicQuantizeLinear", ["j"], ["q", "qs", "qz"]),
        node("MatMulInteger", ["q", "M", "qz"], ["i"]), node("Cast", ["i"], ["f"], to=1),
        node("Mul", ["qs", "axes"], ["both"]), node("Mul", ["f", "both"], ["y"]),
    ]  # fmt: skip
    ranges = [
        node("QuantizeLinear", ["j", "s", "z"], ["q"]),
        node("QLinearMatMul", ["q", "s", "z", "M", "axes", "z2", "s", "z"], ["m"]),
        node("QLinearAdd", ["m", "s", "z", "m", "s", "z", "s", "z"], ["a"], **theirs),
        node("DequantizeLinear", ["a", "s", "z"], ["y"]),
    ]
    blocks = [
        node("MatMulNBits", ["j", "P", "blocks"], ["n"], K=8, N=2, bits=4, block_size=16, **theirs),
        node("DynamicQuantizeMatMul", ["n", "V", "s"], ["y"], **theirs),
    ]
    files = []
    for after in (products, ranges, blocks):
        graph = helper.make_graph(
            [*lstm, *after],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["time", "batch", 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()],
        )
        imports = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        files.append(model.SerializeToString())
    return files


def _tflite() -> list[bytes]:
    """The fused operator behind an embedding and before a Dense of integers, loops, and a
    convolution."""
    loops = (("lstm", tg.put_by_cuts), ("gru", tg.put_by_update))
    files = [tg.loop(cell, put, "all") for cell, put in loops]
    whole = File()
    g = whole.main
    words = g.input(tg.BATCH, tg.STEPS, dtype="i4")
    found = g.tensor((tg.BATCH, tg.STEPS, tg.INPUTS))
    g.add("GATHER", [g.constant(tg.normal(4, 7, tg.INPUTS)), words], found, options={})
    y = tg.lstm(g, found, tg.options(CELL_CLIP=10.0), peephole=True, projected=3)
    weight = g.constant(np.ones((2, 3)), "i1", scale=([0.5, 0.25], [0, 0], 0))
    made = g.tensor((tg.BATCH, tg.STEPS, 2))
    g.add("FULLY_CONNECTED", [y, weight, -1], made, options={2: ("bool", True)})
    y = g.add("SOFTMAX", [made], g.tensor((tg.BATCH, tg.STEPS, 2)), options={0: ("float32", 1.0)})
    g.outputs = [y]
    plain = File()
    g = plain.main
    y = tg.lstm(g, g.input(tg.BATCH, tg.STEPS, tg.INPUTS), tg.options())
    wide = g.tensor((tg.BATCH, 1, tg.STEPS, tg.UNITS))
    g.add("EXPAND_DIMS", [y, g.constant(1, "i4")], wide)
    fields = {0: ("int8", 1), 1: ("int32", 1), 2: ("int32", 1)}
    made = g.tensor((tg.BATCH, 1, tg.STEPS - 2, 6))
    arrays = [g.constant(tg.normal(41, 6, 1, 3, tg.UNITS)), g.constant(tg.normal(42, 6))]
    g.add("CONV_2D", [wide, *arrays], made, options=fields)
    g.outputs = [g.add("SQUEEZE", [made], g.tensor((tg.BATCH, tg.STEPS - 2, 6)), options={})]
    return [file.content() for file in (*files, whole, plain)]
