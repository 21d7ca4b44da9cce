"""The peers, one module each (see ``rnn_native.benchmark.worker.Runtime``).

Asked for a reduced precision, each adds the forms that it has of that to those of float32; the
fastest of all is measured.

Input and output buffers are in place before the clock starts, wherever a runtime can work in
place. For one step the peers start from the same given states each time and leave the new ones in
their output buffers: what it takes to feed those back is not charged to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rnn_native.benchmark.worker import Form

PEERS = {
    "torch": "runtimes.torch_nn",
    "onnxruntime": "runtimes.onnx_graph",
    "openvino": "runtimes.openvino_cpu",
    "jax": "runtimes.jax_scan",
    "litert": "runtimes.litert_step",
    "numpy": "runtimes.numpy_loop",
}
"""Module of each peer, by the name that the command line takes."""

PEERS_OF = {"int8": {"openvino_static": "runtimes.openvino_static"}}
"""Those that take part in one precision only."""

STEPS_ONLY = ("litert",)


def peers_of(precision: str) -> dict[str, str]:
    return PEERS | PEERS_OF.get(precision, {})


def or_reason(name: str, make: Callable[[], Mapping[str, Form]]) -> Mapping[str, Form]:
    """What ``make`` gives; where it fails, a form that fails in the same way, so that the results
    say why there is none of these and the others are measured."""
    try:
        return make()
    except Exception as error:
        failure = error  # the name of an except clause is gone behind it

    def fail() -> None:
        raise failure

    return {name: Form(fail, lambda _: [])}
