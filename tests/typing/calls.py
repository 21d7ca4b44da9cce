"""Calls as users write them, for mypy alone (``make lint``): it knows every option and its type.

A comment that ignores an error has to be needed: where mypy no longer sees the error, it complains.
"""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import rnn_native as rn

gru = rn.GRU(8, 16, 2, bidirectional=True, reset_after=False, return_sequences=False)
lstm = rn.LSTM(16, 16, proj_size=4, peephole=True, batch_first=True, num_threads=2)
rnn = rn.RNN(16, 16, 1, "relu", output_size=3, output_nonlinearity="softmax", dtype=np.float64)

rn.GRU(8, 16, hiden_size=3)  # type: ignore[call-arg]
rn.GRU(8, 16, peephole=True)  # type: ignore[call-arg]
rn.LSTM(8, 16, nonlinearity="tanh")  # type: ignore[call-arg]
rn.RNN(8, "16")  # type: ignore[arg-type]
rn.LSTM(8, 16, bidirectional="yes")  # type: ignore[arg-type]

head = rn.Linear(np.zeros((3, 16)), None, "softmax")
model = rn.Model([gru, lstm.spec, rn.Merge("sum", 2), head], batch_first=True)
rn.Model(gru)
rn.Model(gru.spec)
rn.Model(rn.ModelSpec((gru.spec,)))
rn.Model("model.onnx")  # type: ignore[arg-type]
rn.Model([gru, "head"])  # type: ignore[list-item]

made = rn.quantize([gru, lstm], "int8", [np.zeros((9, 2, 8))], keep=["0"], at_least=40.0)
assert_type(made, rn.quantizing.Quantized)
assert_type(made.model, rn.Model)
assert_type(made.sqnr, float | None)
rn.quantize(model, "float16", {"x": np.zeros((9, 2, 8))}, lengths=[9, 3], keep=1)
rn.quantize(model, "int8", np.zeros((9, 2, 8)), state=np.zeros((1, 2, 8)), rounding="nearest")
rn.quantize(model, weights="int8")  # type: ignore[call-arg]
rn.Model(model.spec, weight_dtype="int8", keep=("0",), compute=None)
rn.reference.run(model.spec, np.zeros((9, 2, 8)), weight_dtype="int8", compute=None)

assert_type(rn.load("model.onnx", node="lstm"), rn.Model)
rn.load("model.keras", between=("embedding", "dense"), reset_after=True, config="model.json")
rn.load("vad.onnx", given={"sr": 16000}, shapes={"input": (None, 576)})
rn.load("model.pt", prefix="encoder.", cell="gru", nonlinearity=None, verify=True)
rn.load("model.pt", chain=["emb", rn.LSTM(3, 4), rn.Last(), "fc:relu"])
assert_type(rn.read_arrays("model.pt"), dict[str, NDArray[Any]])
rn.read_arrays("model.pt", prefix="encoder")  # type: ignore[call-arg]
rn.load("model.pt", chain=[3])  # type: ignore[list-item]
rn.load("model.pt", prefx="encoder.")  # type: ignore[call-arg]
rn.load("model.pt", prefix=3)  # type: ignore[arg-type]

y, state = model(np.zeros((5, 1, 8)), lengths=[5], num_threads=1)
