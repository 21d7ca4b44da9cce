"""Trained networks whose files no other runtime reads as they are: PyTorch's and Keras's weights.

Their peers are PyTorch's own modules of the same weights, where it has them all, and onnxruntime on
the .onnx file that ``model.save`` writes; what counts is the faster of those with right numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rnn_native as rn
from rnn_native.benchmark.runtimes import onnx_file
from rnn_native.benchmark.worker import TOLERANCE, Task, largest_error

Call = Callable[[], Any]


@dataclass(frozen=True)
class ModelFile:
    """A file in a package, and how many steps and rows of random input it is given."""

    package: str
    file: str
    time: int
    batch: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


MODEL_FILES: Mapping[str, ModelFile] = {
    "uzmorph": ModelFile(
        "uzmorph-nn", "uzmorph_nn/data/morph_bilstm.pth", 30,
        options={"chain": ["char_embeddings", "lstm", "hidden2tag"]},
    ),
    "g2p-fa": ModelFile(
        "g2p-fa", "g2p_fa/data/weights", 30,
        options={"format": "torch", "prefix": "encoder", "chain": ["embedding", "rnn"]},
    ),
    "g2pM": ModelFile(
        "g2pM", "g2pM/np_ckpt.pkl", 20,
        options={"chain": ["embedding", "lstm", "logit_layer.0:relu", "logit_layer.2"]},
    ),
    "metapredict": ModelFile(
        "metapredict", "metapredict/backend/networks/metapredict_network_v3_200epochs_nl2_hs20.pt",
        400, options={"chain": ["lstm", "fc"], "prefix": "module"},
    ),
    "dgaintel": ModelFile("dgaintel", "dgaintel/domain_classifier_model.h5", 82),
    "nakdimon": ModelFile("nakdimon", "nakdimon/Nakdimon.h5", 80),
}  # fmt: skip


def _load(case: ModelFile) -> rn.ModelSpec:
    path = str(distribution(case.package).locate_file(case.file))
    spec = rn.load(path, **case.options).spec
    if spec.mask_value is None:
        return spec
    # No step of the input is padding, and no .onnx file finds it.
    return rn.ModelSpec(nodes=spec.nodes, inputs=spec.inputs, outputs=spec.outputs)


def _pytorch(folder: Path, spec: rn.ModelSpec, x: Any) -> Any:
    from rnn_native.benchmark.runtimes import pytorch

    rn.Model(spec).save(folder / "model.safetensors")
    return pytorch.prepare(Task(str(folder / "model.safetensors"), x, None, 1))


def _onnxruntime(folder: Path, spec: rn.ModelSpec, x: Any) -> Any:
    rn.Model(spec).save(folder / "model.onnx")
    return onnx_file.prepare(Task(str(folder / "model.onnx"), x, None, 1))


@contextmanager
def _inference() -> Iterator[None]:
    try:
        import torch
    except ImportError:
        yield
        return
    with torch.inference_mode():
        yield


def _several(spec: rn.ModelSpec, folder: Path, x: Any, want: Mapping[str, Any]) -> dict[str, Call]:
    """onnxruntime's call where there are several outputs, which it gives by name."""
    rn.Model(spec).save(folder / "model.onnx")
    session = onnx_file.session(str(folder / "model.onnx"), 1)
    (given,) = session.get_inputs()
    call = partial(session.run, list(want), {given.name: x})
    if largest_error(call(), list(want.values())) > TOLERANCE:
        return {}
    return {"onnxruntime": call}


def measure_file(
    name: str, turns: Callable[[Call, Call], tuple[float, float, float]]
) -> Iterator[str]:
    """A row of the table for each peer; ``turns`` gives seconds of ours and its, and the ratio."""
    case = MODEL_FILES[name]
    spec = _load(case)
    model = rn.Model(spec, num_threads=1)
    rng = np.random.default_rng(0)
    (given,) = spec.inputs.values()
    x: Any = rng.integers(1, given.features, (case.time, case.batch))
    if not given.indices:
        x = rng.standard_normal((case.time, case.batch, given.features)).astype(np.float32)
    y, _ = model(x)
    with TemporaryDirectory() as folder, _inference():
        peers: dict[str, Call] = {}
        if isinstance(y, dict):
            peers = _several(spec, Path(folder), x, y)
        else:
            for runtime, prepare in (("PyTorch", _pytorch), ("onnxruntime", _onnxruntime)):
                try:
                    forms = prepare(Path(folder), spec, x)
                except (KeyError, rn.UnsupportedError):  # it has no such layer
                    continue
                for form in forms.values():
                    try:
                        right = largest_error(form.arrays(form.call()), [y]) <= TOLERANCE
                    except ValueError:  # an output that is not y
                        continue
                    if right:
                        peers[runtime] = form.call
        for runtime, call in peers.items():
            own, other, ratio = turns(lambda: model(x), call)
            scale = 1e6 / case.time
            yield f"| {name} | {runtime} | {own * scale:.2f} | {other * scale:.2f} | {ratio:.2f} |"
