"""OpenVINO: the ONNX graph compiled for latency in float32 and, where asked for, in bfloat16, input
and output buffers in place.

Its CPU plugin takes the graph's transpositions away where it can run time first. Forms: one
infer call, and the start_async and wait that it consists of.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from rnn_native.benchmark.worker import Form, Task
from runtimes import or_reason
from runtimes.onnx_graph import arrays_of, build


def version() -> str:
    return str(openvino.__version__).split("-")[0]


def configuration(task: Task, precision: str) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": task.threads,
        "NUM_STREAMS": 1,
    }


def prepare(task: Task) -> Mapping[str, Form]:
    forms = dict(_forms(task, "float32", "f32"))
    if task.precision == "bfloat16":
        forms |= or_reason("bfloat16, infer", lambda: _forms(task, "bfloat16", "bf16"))
    return forms


def _forms(task: Task, precision: str, hint: str) -> Mapping[str, Form]:
    time, batch, _ = task.x.shape
    core = openvino.Core()
    graph = io.BytesIO(build(task.layer, time, batch, task.states is not None))
    compiled = core.compile_model(core.read_model(graph), "CPU", configuration(task, hint))
    if (used := compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()) != hint:
        raise NotImplementedError(f"for this CPU it takes {used} in the place of {hint}")
    inputs = [task.x, *(task.states or ())]
    layer = task.layer
    return calls(compiled, inputs, partial(arrays_of, layer), precision)


def calls(
    compiled: Any,
    inputs: Sequence[NDArray[Any]],
    arrays_of_outputs: Callable[[list[NDArray[Any]]], Sequence[Any]],
    precision: str,
) -> Mapping[str, Form]:
    """Both ways of calling a compiled model, with inputs and outputs in place."""
    request = compiled.create_infer_request()
    kept = [openvino.Tensor(x, shared_memory=True) for x in inputs]
    for number, tensor in enumerate(kept):
        request.set_input_tensor(number, tensor)
    outputs = [request.get_output_tensor(number).data for number in range(len(compiled.outputs))]

    def start_and_wait() -> None:
        request.start_async()
        request.wait()

    def arrays(_: Any, keep: Any = (kept, compiled)) -> Sequence[Any]:
        return arrays_of_outputs([np.asarray(output) for output in outputs])

    prefix = "" if precision == "float32" else f"{precision}, "
    return {
        f"{prefix}infer": Form(request.infer, arrays, precision),
        f"{prefix}async": Form(start_and_wait, arrays, precision),
    }
