"""OpenVINO: the ONNX graph compiled for latency in float32, input and output buffers in place.

Its CPU plugin takes the graph's transpositions away where it can run time first. Forms: one
infer call, and the start_async and wait that it consists of.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino

from rnn_native.benchmark.worker import Form, Task
from runtimes.onnx_graph import arrays_of, build


def version() -> str:
    return str(openvino.__version__).split("-")[0]


def prepare(task: Task) -> Mapping[str, Form]:
    layer = task.layer
    time, batch, _ = task.x.shape
    core = openvino.Core()
    graph = io.BytesIO(build(layer, time, batch, task.states is not None))
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": task.threads,
        "NUM_STREAMS": 1,
    }
    compiled = core.compile_model(core.read_model(graph), "CPU", config)
    request = compiled.create_infer_request()
    kept = [openvino.Tensor(x, shared_memory=True) for x in (task.x, *(task.states or ()))]
    for number, tensor in enumerate(kept):
        request.set_input_tensor(number, tensor)
    outputs = [request.get_output_tensor(number).data for number in range(len(compiled.outputs))]

    def start_and_wait() -> None:
        request.start_async()
        request.wait()

    def arrays(_: Any, keep: Any = (kept, compiled)) -> list[Any]:
        return arrays_of(layer, [np.asarray(output) for output in outputs])

    return {"infer": Form(request.infer, arrays), "async": Form(start_and_wait, arrays)}
