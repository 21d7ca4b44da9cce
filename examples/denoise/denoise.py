"""Takes the noise out of speech with a trained GRU network, and checks every number on the way.

    python examples/denoise/denoise.py --out build/demo
    python examples/denoise/denoise.py --input my.wav --no-noise

README.md beside this file tells what it needs. Exit status: 0 where all is well, 1 where
rnn_native and onnxruntime disagree, 2 where something is missing or cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import onnxruntime
from audio import read_wav, si_sdr, with_noise, write_wav
from features import (
    HOP,
    RATE,
    Features,
    FrameByFrame,
    Signal,
    features_of,
    padded,
    signal_of,
    spectrum_of,
    with_gain,
)
from networks import OnnxRuntime, RnnNative, model_path
from plots import save_spectrograms
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import rnn_native as rn

SPEECH = Path(__file__).with_name("speech.wav")
SNR_DB = 6.0
TOLERANCE = 2e-5  # of the gains, which are between 0 and 1
RUNS = 5

Network = RnnNative | OnnxRuntime
Task = tuple[str, str]  # who and which way; "network" or "all"


def denoise_batch(network: Network, noisy: Signal) -> Signal:
    spectrum = spectrum_of(noisy)
    return signal_of(with_gain(spectrum, network.batch(features_of(spectrum))), noisy.size)


def denoise_stream(network: Network, noisy: Signal, *, progress: bool = False) -> Signal:
    """As live sound comes in: 10 ms at a time."""
    network.reset()
    live = FrameByFrame(network.step)
    blocks = padded(noisy).reshape(-1, HOP)
    bar = tqdm(blocks, "streaming", unit="frame", disable=not progress)
    return np.concatenate([live.push(block) for block in bar])[HOP:][: noisy.size]


def gains_batch(network: Network, features: Features) -> Features:
    return network.batch(features)


def gains_stream(network: Network, features: Features) -> Features:
    network.reset()
    gains = np.empty_like(features)
    for index in range(len(features)):
        gains[index] = network.step(features[index : index + 1])[0]
    return gains


def report_differences(native: RnnNative, other: OnnxRuntime, features: Features) -> bool:
    """Prints how far apart the gains are; True where all are within the tolerance."""
    ours, theirs = native.batch(features), other.batch(features)
    rows = [
        ("rnn_native batch", "onnxruntime batch", ours, theirs),
        ("rnn_native streaming", "rnn_native batch", gains_stream(native, features), ours),
        ("onnxruntime streaming", "onnxruntime batch", gains_stream(other, features), theirs),
    ]
    print(f"\nSame numbers: largest difference of {ours.size:,} gains, each between 0 and 1")
    good = True
    for left, right, a, b in rows:
        difference = float(np.abs(a - b).max()) if a.shape == b.shape else float("inf")
        close = difference <= TOLERANCE  # False for NaN too
        good &= close
        verdict = "ok" if close else f"FAILED, allowed is {TOLERANCE:.0e}"
        print(f"  {left:<21} against {right:<18} {difference:9.1e}   {verdict}")
    return good


def median_seconds(tasks: dict[Task, Callable[[], object]]) -> dict[Task, float]:
    """Each task's median time; they take turns, so that a busy machine is unfair to none."""
    for task in tasks.values():  # warm up
        task()
    times: dict[Task, list[float]] = {name: [] for name in tasks}
    for _ in tqdm(range(RUNS), "measuring", unit="round"):
        for name, task in tasks.items():
            start = perf_counter()
            task()
            times[name].append(perf_counter() - start)
    return {name: median(seconds) for name, seconds in times.items()}


def report_speed(networks: list[Network], noisy: Signal, features: Features) -> None:
    ways = (("batch", gains_batch, denoise_batch), ("streaming", gains_stream, denoise_stream))
    labels = []
    tasks: dict[Task, Callable[[], object]] = {}
    for way, gains, denoise in ways:
        for network in networks:
            label = f"{network.name} {way}"
            labels.append(label)
            tasks[label, "network"] = partial(gains, network, features)
            tasks[label, "all"] = partial(denoise, network, noisy)
    seconds = median_seconds(tasks)

    duration = noisy.size / RATE
    print(f"\nSpeed: one thread each, median of {RUNS} runs after a warm-up")
    print(f"  {'':<21} {'network only':>33}   {'end to end, with the STFTs':>33}")
    head = f"{'RTF':>10} {'x live':>9} {'us/frame':>12}"
    print(f"  {'':<21} {head}   {head}")
    for label in labels:
        columns = []
        for part in ("network", "all"):
            time = seconds[label, part]
            per_frame = time / len(features) * 1e6
            columns.append(f"{time / duration:10.4f} {duration / time:9.0f} {per_frame:12.1f}")
        print(f"  {label:<21} {'   '.join(columns)}")
    print(
        "  RTF: real-time factor, seconds of work per second of sound; a frame is 10 ms of sound.\n"
        "  onnxruntime streaming: the file restarts from zeros at each call, so this runs a\n"
        "  copy of it in memory with the two GRU states as inputs and outputs."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Speech denoising with rnn_native.")
    parser.add_argument("--input", type=Path, default=SPEECH, metavar="WAV", help="speech to use")
    parser.add_argument("--no-noise", action="store_true", help="the input is noisy already")
    parser.add_argument("--out", type=Path, default=Path("build/demo"), metavar="DIR")
    args = parser.parse_args()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # in step with the progress bars

    try:
        native, other = RnnNative(model_path()), OnnxRuntime(model_path())
        sound = read_wav(args.input)
        args.out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        print(f"denoise.py: {error}", file=sys.stderr)
        return 2
    clean, noisy = (None, sound) if args.no_noise else with_noise(sound, SNR_DB)
    features = features_of(spectrum_of(noisy))

    model = native.model
    print(
        f"NSNet2, {model.num_parameters:,} parameters: {args.input.name}, "
        f"{noisy.size / RATE:.1f} s, {len(features):,} frames"
        + ("" if clean is None else f", with noise at {SNR_DB:g} dB")
    )
    cleaned = denoise_stream(native, noisy, progress=True)
    before, after = "Noisy", "Cleaned by rnn_native, frame by frame"
    if clean is not None:
        levels = si_sdr(noisy, clean), si_sdr(cleaned, clean)
        before, after = f"{before}: SI-SDR {levels[0]:.1f} dB", f"{after}: {levels[1]:.1f} dB"
        print(
            f"\nCleaner speech: SI-SDR {levels[0]:.2f} dB noisy, {levels[1]:.2f} dB cleaned "
            f"({levels[1] - levels[0]:+.2f} dB)"
        )
    write_wav(args.out / "noisy.wav", noisy)
    write_wav(args.out / "cleaned.wav", cleaned)
    save_spectrograms(args.out / "spectrograms.png", {before: noisy, after: cleaned})

    with threadpool_limits(1):  # NumPy's and SciPy's BLAS too
        good = report_differences(native, other, features)
        report_speed([native, other], noisy, features)
    print(f"\nonnxruntime {onnxruntime.__version__}, NumPy {np.__version__}, and rnn_native:")
    rn.show_config()
    print(f"\nWrote noisy.wav, cleaned.wav and spectrograms.png to {args.out}")
    if not good:
        print("denoise.py: the numbers above differ by more than allowed", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
