"""Models, inputs, and what Python's baseline kernels make of them, for the tests of js/.

    RNN_NATIVE_ISA=baseline python -P tests/js/golden.py OUT

OUT/cases.json lists the cases; arrays lie beside it, raw, little-endian. Inputs are far from where
numbers become denormal: WebAssembly keeps those, and x86-64 kernels take them for zero.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import rnn_native as rn
from rnn_native.spec import Input

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples/vad"), str(ROOT / "examples/denoise")]


class Golden:
    def __init__(self, out: Path) -> None:
        self.out = out
        self.rng = np.random.default_rng(0)
        self.cases: list[dict[str, Any]] = []

    def put(self, name: str, array: Any) -> dict[str, Any]:
        array = np.ascontiguousarray(array)
        kind = "int32" if array.dtype.kind == "i" else "float32"
        array.astype(kind).tofile(self.out / f"{name}.bin")
        return {"file": f"{name}.bin", "dtype": kind, "shape": list(array.shape)}

    def numbers(self, *shape: int) -> Any:
        return self.rng.standard_normal(shape).astype(np.float32)

    def add(self, name: str, model: rn.Model, inputs: dict[str, Any], **options: Any) -> None:
        """A whole run with lengths and a state where given, and the same as a stream."""
        model.save(self.out / f"{name}.safetensors")
        lengths, state = options.get("lengths"), options.get("state")
        given = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        results, last = model(given, state, lengths=lengths)
        outputs = results if isinstance(results, dict) else {"y": results}
        self.cases.append(
            {
                "name": name,
                "model": f"{name}.safetensors",
                "weightDtype": options.get("weight_dtype") or "float32",
                "batch": options["batch"],
                "inputs": {key: self.put(f"{name}.in.{key}", x) for key, x in inputs.items()},
                "lengths": lengths,
                "state": [self.put(f"{name}.s{i}", s) for i, s in enumerate(state or [])],
                "outputs": {key: self.put(f"{name}.out.{key}", y) for key, y in outputs.items()},
                "last": [self.put(f"{name}.l{i}", s) for i, s in enumerate(arrays_of(last))],
                "stream": options.get("stream", lengths is None and state is None),
            }
        )


def arrays_of(state: Any) -> list[Any]:
    if isinstance(state, np.ndarray):
        return [state]
    if isinstance(state, dict):  # of a graph, by node
        state = state.values()
    return [array for part in state for array in arrays_of(part)]


def chains(golden: Golden) -> None:
    numbers = golden.numbers
    for cell in (rn.RNN, rn.GRU, rn.LSTM):
        name = cell.__name__.lower()
        golden.add(name, cell(5, 19).model, {"x": numbers(23, 3, 5)}, batch=3)
        model = cell(5, 7, num_layers=2, bidirectional=True).model
        x = {"x": numbers(11, 2, 5)}
        golden.add(f"{name}-bidirectional", model, x, batch=2, lengths=[11, 4], stream=False)
        model = rn.Model(cell(12, 33).spec, weight_dtype="int8")
        golden.add(f"{name}-int8", model, {"x": numbers(9, 5, 12)}, batch=5, weight_dtype="int8")
    x, h, c = numbers(6, 1, 5), numbers(1, 1, 8), numbers(1, 1, 8)
    golden.add("continued", rn.LSTM(5, 8).model, {"x": x}, batch=1, state=(h, c))
    spec = rn.ModelSpec([rn.Embedding(numbers(30, 6)), rn.GRU(6, 9).spec])
    indices = golden.rng.integers(0, 30, (12, 2))
    golden.add("embedding", rn.Model(spec), {"x": indices}, batch=2)


def graphs(golden: Golden) -> None:
    numbers = golden.numbers
    nodes = {
        "a": (rn.GRU(3, 4).spec, ("left",)),
        "b": (rn.LSTM(2, 4).spec, ("right",)),
        "sum": (rn.Max(), ("a", "b")),
    }
    inputs = {"left": Input(3), "right": Input(2)}
    spec = rn.ModelSpec(nodes=nodes, inputs=inputs, outputs=("sum", "b"))
    x = {"left": numbers(8, 2, 3), "right": numbers(8, 2, 2)}
    golden.add("graph", rn.Model(spec), x, batch=2)


def real(golden: Golden) -> None:
    import detectors
    import features
    import networks
    from audio import read_wav

    sound = read_wav(ROOT / "examples/denoise/speech.wav")[:32000]
    noisy = (sound + 0.01 * golden.rng.standard_normal(sound.size)).astype(np.float32)
    model = rn.load(detectors.model_path(), num_threads=1)
    golden.add("silero", model, {"x": detectors.chunks_of(noisy)[:, None]}, batch=1)
    model = rn.load(networks.model_path(), num_threads=1)
    x = features.features_of(features.spectrum_of(noisy.astype(np.float64)))
    golden.add("nsnet2", model, {"x": x[:, None]}, batch=1)


def main() -> int:
    golden = Golden(Path(sys.argv[1]))
    golden.out.mkdir(parents=True, exist_ok=True)
    chains(golden)
    graphs(golden)
    real(golden)
    (golden.out / "cases.json").write_text(json.dumps(golden.cases, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
