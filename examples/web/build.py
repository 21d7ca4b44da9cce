"""Builds the page: its files, the npm package, the two models and the sample, into one folder.

    python examples/web/build.py --package build/js/package --out build/web
    python -m http.server --directory build/web

The models come out of the Python packages that examples/denoise and examples/vad name; the sample
is the noisy speech of the former.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "vad"))
sys.path.insert(0, str(Path(__file__).parents[1] / "denoise"))

import detectors
import networks
from audio import read_wav, with_noise, write_wav
from denoise import SNR_DB, SPEECH

import rnn_native as rn

HERE = Path(__file__).resolve().parent


def keep_offline(out: Path) -> None:
    """Names every file, and the build, in the service worker."""
    worker = out / "offline.js"
    files = sorted(path for path in out.rglob("*") if path.is_file() and path != worker)
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    names = ["./", *(path.relative_to(out).as_posix() for path in files)]
    text = worker.read_text().replace("@BUILD@", digest.hexdigest()[:16])
    worker.write_text(text.replace("/*@FILES@*/", ", ".join(f'"{name}"' for name in names)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--package", type=Path, required=True, help="of js/build.py")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    out: Path = arguments.out
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(HERE / "site", out)
    kept = shutil.ignore_patterns("*.d.ts", "package.json", "README.md")
    shutil.copytree(arguments.package, out / "rnn-native", ignore=kept)
    (out / "models").mkdir()
    rn.load(networks.model_path()).save(out / "models/denoiser.safetensors")
    rn.load(detectors.model_path()).save(out / "models/detector.safetensors")
    write_wav(out / "sample.wav", with_noise(read_wav(SPEECH), SNR_DB)[1])
    keep_offline(out)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB; look at it with")
    print(f"  python3 -m http.server --bind 127.0.0.1 --directory {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
