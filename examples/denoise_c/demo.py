"""Runs the denoiser in C on the noisy speech of examples/denoise, and compares it with Python's.

    python examples/denoise_c/demo.py --out build/demo-c build/demo-c/program/denoise

An emulator and its options may come before the program. Needs what examples/denoise needs. Exit
status: 0 where all is well, 1 where the two outputs differ by more than they may, 2 where something
is missing or the program failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "denoise"))

from audio import read_wav, with_noise, write_wav
from closeness import allowed
from denoise import SNR_DB, SPEECH, denoise_stream
from networks import RnnNative, model_path
from scipy.io import wavfile


def compare(out: Path, network: RnnNative) -> bool:
    """Whether the program's output is Python's of the same input; prints how far it is."""
    noisy = read_wav(out / "noisy.wav")
    write_wav(out / "cleaned-python.wav", denoise_stream(network, noisy))
    ours, theirs = (wavfile.read(out / f"cleaned-{who}.wav")[1] for who in ("c", "python"))
    if ours.shape != theirs.shape:
        print(f"FAILED: {theirs.size:,} samples by Python, {ours.size:,} by C")
        return False
    difference, bound = np.abs(ours.astype(float) - theirs), allowed(noisy)
    print(
        f"against Python     {np.count_nonzero(difference):,} of {ours.size:,} samples differ, by "
        f"at most {difference.max():.0f} of 32768; allowed is up to {bound.max():.1f}"
    )
    good = bool((difference <= bound).all())
    if not good:
        print(f"FAILED: {np.count_nonzero(difference > bound):,} samples differ by more")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description="The denoiser in C, compared with Python's.")
    parser.add_argument("--out", type=Path, default=Path("build/demo-c"), metavar="DIR")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the denoiser, and its options")
    args = parser.parse_args()
    if not args.program:
        parser.error("expected the program to run")
    try:
        network = RnnNative(model_path())
        args.out.mkdir(parents=True, exist_ok=True)
        write_wav(args.out / "noisy.wav", with_noise(read_wav(SPEECH), SNR_DB)[1])
        network.model.save(args.out / "nsnet2.safetensors")
        files = [args.out / name for name in ("nsnet2.safetensors", "noisy.wav", "cleaned-c.wav")]
        files[-1].unlink(missing_ok=True)
        subprocess.run([*args.program, *files], check=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"demo.py: {error}", file=sys.stderr)
        return 2
    return 0 if compare(args.out, network) else 1


if __name__ == "__main__":
    sys.exit(main())
