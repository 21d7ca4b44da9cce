"""The peers, one module each (see ``rnn_native.benchmark.worker.Runtime``).

Input and output buffers are in place before the clock starts, wherever a runtime can work in
place. For one step the peers start from the same given states each time and leave the new ones in
their output buffers: what it takes to feed those back is not charged to them.
"""

from __future__ import annotations

PEERS = {
    "torch": "rnn_native.benchmark.runtimes.pytorch",
    "onnxruntime": "runtimes.onnx_graph",
    "openvino": "runtimes.openvino_cpu",
    "jax": "runtimes.jax_scan",
    "litert": "runtimes.litert_step",
    "numpy": "runtimes.numpy_loop",
}
"""Module of each peer, by the name that the command line takes."""

STEPS_ONLY = ("litert",)
