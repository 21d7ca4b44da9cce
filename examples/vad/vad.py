"""Marks where somebody speaks in a WAV file, with a trained voice activity detector run live.

    python examples/vad/vad.py --out build/demo-vad
    python examples/vad/vad.py --input my.wav

README.md beside this file tells what it needs. Exit status: 0 where all is well, 1 where rnn_native
and onnxruntime disagree, 2 where something is missing or cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from detectors import CHUNK, RATE, OnnxRuntime, RnnNative, Signal, chunks_of, model_path
from plots import save_picture
from segments import Segment, segments_of
from tqdm import tqdm

DENOISE = Path(__file__).parents[1] / "denoise"
sys.path.append(str(DENOISE))
from audio import read_wav  # noqa: E402  # the WAV reader of the other example

SPEECH = DENOISE / "speech.wav"
TOLERANCE = 2e-5  # of probabilities
RUNS = 5

Detector = RnnNative | OnnxRuntime


def live(detector: Detector, signal: Signal, *, progress: bool = False) -> Signal:
    """The probability of speech of each chunk, as sound comes in: 32 ms at a time."""
    detector.reset()
    bar = tqdm(chunks_of(signal), "listening", unit="chunk", disable=not progress)
    return np.array([detector.step(chunk) for chunk in bar], np.float32)


def seconds_of(detector: Detector, signal: Signal, whole: bool) -> float:
    """The median time of a run."""
    chunks = chunks_of(signal)
    times = []
    for _ in range(RUNS):
        detector.reset()
        start = perf_counter()
        if whole:
            detector.batch(chunks)
        else:
            for chunk in chunks:
                detector.step(chunk)
        times.append(perf_counter() - start)
    return median(times)


def report_segments(segments: list[Segment], seconds: float) -> None:
    for segment in segments:
        print(f"  {segment.start:7.2f} s to {segment.end:7.2f} s")
    spoken = sum(segment.end - segment.start for segment in segments)
    print(f"{len(segments)} stretches of speech, {spoken:.1f} s of {seconds:.1f} s")


def report_speed(native: RnnNative, other: OnnxRuntime, signal: Signal) -> None:
    count = len(chunks_of(signal))
    print(f"\none thread, microseconds for each {1000 * CHUNK / RATE:.0f} ms of sound:")
    for way in ("chunk by chunk", "whole file"):
        ours, theirs = (
            1e6 * seconds_of(detector, signal, way == "whole file") / count
            for detector in (native, other)
        )
        print(
            f"  {way:15}  rnn_native {ours:6.1f}  onnxruntime {theirs:6.1f}"
            f"  {theirs / ours:5.1f} times as fast"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--input", type=Path, default=SPEECH, help="any WAV file")
    parser.add_argument("--out", type=Path, default=Path("build/demo-vad"), help="a folder")
    options = parser.parse_args()
    try:
        signal = read_wav(options.input).astype(np.float32)
        path = model_path()
    except (OSError, ValueError) as error:
        print(f"vad: {error}", file=sys.stderr)
        return 2
    native, other = RnnNative(path), OnnxRuntime(path)
    print(f"{options.input.name}: {signal.size / RATE:.1f} s; {path.name}: {native.model}\n")
    speech = live(native, signal, progress=sys.stderr.isatty())
    segments = segments_of(speech, CHUNK / RATE)
    report_segments(segments, signal.size / RATE)

    apart = float(np.abs(speech - live(other, signal)).max())
    same = np.array_equal(speech, native.batch(chunks_of(signal)))
    print(f"\nlargest difference to onnxruntime: {apart:.1e} (at most {TOLERANCE:.0e})")
    print(f"chunk by chunk and whole file have {'the same bits' if same else 'OTHER BITS'}")
    report_speed(native, other, signal)

    options.out.mkdir(parents=True, exist_ok=True)
    save_picture(options.out / "speech.png", signal, speech, segments)
    print(f"\n{options.out / 'speech.png'} shows it")
    return 0 if same and apart <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
