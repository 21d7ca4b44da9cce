"""The streaming denoiser in C gives what the one in Python gives, and names what it cannot read.

The network here is a small one of random weights; tests/models has the trained one.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from denoise_program import EXAMPLE, Builder
from numpy.typing import NDArray

import rnn_native as rn

sys.path += [str(EXAMPLE), str(EXAMPLE.parent / "denoise")]

from closeness import allowed
from features import BINS, HOP, FrameByFrame, Signal, padded

Samples = NDArray[np.int16]
RNG = np.random.default_rng(0)


def wav(
    samples: Samples | bytes,
    *,
    code: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
) -> bytes:
    data = samples if isinstance(samples, bytes) else samples.astype("<i2").tobytes()
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits)
    return riff(chunk(b"fmt ", form), chunk(b"data", data))


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def some_sound(samples: int) -> Samples:
    """Noise whose loudness goes up and down over four orders of magnitude."""
    loudness = 10 ** (4 * np.sin(np.arange(samples) / 900) ** 2)
    return np.round(RNG.uniform(-1, 1, samples) * loudness).astype(np.int16)


@dataclass
class Denoiser:
    program: Path
    folder: Path
    model: rn.Model

    def run(self, recording: bytes, *options: str) -> subprocess.CompletedProcess[str]:
        """With the bytes of a WAV file; ``output`` has what it wrote."""
        (self.folder / "in.wav").write_bytes(recording)
        self.output.unlink(missing_ok=True)
        files = ["network.safetensors", "in.wav", self.output.name]
        return subprocess.run(
            [self.program, *options, *files],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
        )

    @property
    def output(self) -> Path:
        return self.folder / "out.wav"

    def cleaned(self, samples: Samples) -> Samples:
        done = self.run(wav(samples))
        assert (done.returncode, done.stderr) == (0, "")
        written = self.output.read_bytes()
        cleaned = np.frombuffer(written[44:], "<i2")
        assert written == wav(cleaned)
        return cleaned

    def expected(self, samples: Samples) -> NDArray[np.float64]:
        """By Python; of one hop after the other, as examples/denoise does."""
        live = FrameByFrame(self.model.stream(batch=1).step)
        noisy = signal(samples)
        hops = [live.push(hop) for hop in padded(noisy).reshape(-1, HOP)]
        cleaned = np.concatenate(hops)[HOP:][: noisy.size]
        return np.round(np.clip(cleaned, -1, 1) * 32767)


def signal(samples: Samples) -> Signal:
    return samples / 32768


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def model() -> rn.Model:
    head = rn.Linear(RNG.normal(0, 2, (BINS, 24)), RNG.normal(2, 1, BINS), "sigmoid")
    return rn.Model(rn.ModelSpec((rn.GRU(BINS, 24).spec, head)))


def with_network(program: Path, model: rn.Model, folder: Path) -> Denoiser:
    model.save(folder / "network.safetensors")
    return Denoiser(program, folder, model)


@pytest.fixture(scope="module")
def denoiser(
    builder: Builder, model: rn.Model, tmp_path_factory: pytest.TempPathFactory
) -> Denoiser:
    program = builder.sanitized("denoise-sanitized")
    return with_network(program, model, tmp_path_factory.mktemp("denoise"))


@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, HOP + 1, 2 * HOP, 12_345])
def test_output_is_that_of_python(denoiser: Denoiser, samples: int) -> None:
    sound = some_sound(samples)
    cleaned, expected = denoiser.cleaned(sound), denoiser.expected(sound)
    assert cleaned.shape == expected.shape
    assert (np.abs(cleaned - expected) <= allowed(signal(sound))).all()
    if samples > 2 * HOP:  # or the bound would prove nothing
        assert np.abs(cleaned - sound.astype(float)).max() > 1000 * allowed(signal(sound)).max()


def test_full_scale_and_silence_are_those_of_python(denoiser: Denoiser) -> None:
    square = np.where(np.arange(4000) // 40 % 2, 32767, -32768).astype(np.int16)
    sound = np.concatenate([square, np.zeros(1000, np.int16), square])
    cleaned, expected = denoiser.cleaned(sound), denoiser.expected(sound)
    assert (np.abs(cleaned - expected) <= allowed(signal(sound))).all()


def test_chunks_that_are_not_needed_are_passed_over(denoiser: Denoiser) -> None:
    sound = some_sound(1000)
    plain = wav(sound)
    form = plain[20:36]
    other = riff(
        chunk(b"LIST", b"odd"),
        chunk(b"fmt ", form + b"\0\0"),
        chunk(b"fact", b"four"),
        chunk(b"data", plain[44:]),
        chunk(b"LIST", b"after"),
    )
    first = denoiser.cleaned(sound)
    assert denoiser.run(other).returncode == 0
    assert denoiser.output.read_bytes() == wav(first)


SOUND = some_sound(400)
BAD = {
    "empty": (b"", "expected a WAV file"),
    "text": (b"no sound in here" * 9, "expected a WAV file"),
    "rate": (wav(SOUND, rate=44_100), "expected 16000 samples a second, got 44100"),
    "stereo": (wav(SOUND, channels=2), "expected mono, got 2 channels"),
    "8 bits": (wav(SOUND, bits=8), "expected 16-bit PCM (format 1), got format 1 with 8 bits"),
    "float": (wav(SOUND, code=3, bits=32), "16-bit PCM (format 1), got format 3 with 32 bits"),
    "truncated": (wav(SOUND)[:-1], "expected 800 bytes in the chunk 'data', got 799: truncated"),
    "no samples": (wav(b""), "expected samples of 2 bytes, got 0 bytes"),
    "half a sample": (wav(b"odd"), "expected samples of 2 bytes, got 3 bytes"),
    "no data": (riff(wav(SOUND)[12:36]), "expected a chunk of samples, got the end of the file"),
    "no format": (riff(wav(SOUND)[36:]), "expected the format before the samples, got none"),
    "short format": (riff(chunk(b"fmt ", b"short")), "expected a format of 16 bytes, got 5"),
    "huge": (wav(SOUND)[:40] + b"\xff" * 4, "expected 4294967295 bytes in the chunk 'data', got 0"),
}


@pytest.mark.parametrize(("recording", "message"), BAD.values(), ids=BAD)
def test_bad_recordings_are_named_in_one_line(
    denoiser: Denoiser, recording: bytes, message: str
) -> None:
    done = denoiser.run(recording)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"denoise: in\.wav: [^\n]+\n", done.stderr)
    assert message in done.stderr
    assert not denoiser.output.exists()


def test_a_file_cut_anywhere_is_named_in_one_line(denoiser: Denoiser) -> None:
    whole = wav(SOUND)
    for length in range(0, 60):
        done = denoiser.run(whole[:length])
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), (length, done.stderr)


def test_a_changed_byte_of_the_header_is_run_or_named_in_one_line(denoiser: Denoiser) -> None:
    whole = wav(SOUND)
    for place in range(44):
        for value in (0x80, 0xFF):
            done = denoiser.run(whole[:place] + bytes([value]) + whole[place + 1 :])
            lines = len(done.stderr.splitlines())
            assert (done.returncode, lines) in ((0, 0), (1, 1)), (place, value, done.stderr)


def test_other_files_are_refused_by_name(denoiser: Denoiser, tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(wav(SOUND))
    rn.GRU(BINS, 5).model.save(tmp_path / "other.safetensors")
    denoiser.model.save(tmp_path / "network.safetensors")
    (tmp_path / "linked.wav").symlink_to("in.wav")

    def message(*files: str) -> str:
        done = subprocess.run(
            [denoiser.program, *files], cwd=tmp_path, capture_output=True, text=True, timeout=600
        )
        assert done.returncode != 0
        (line,) = done.stderr.splitlines()
        return line

    network = "network.safetensors"
    assert "usage: denoise" in message(network, "in.wav")
    assert "usage: denoise" in message("--loud", network, "in.wav", "out.wav")
    assert "none: cannot be read" in message("none", "in.wav", "out.wav")
    assert ".: cannot be read" in message(".", "in.wav", "out.wav")
    assert "RNNAT_ERROR_FORMAT" in message("in.wav", "in.wav", "out.wav")
    assert "expected a network of 161 features and as many gains a step, got 161 and 5" in message(
        "other.safetensors", "in.wav", "out.wav"
    )
    assert "none.wav: No such file" in message(network, "none.wav", "out.wav")
    assert "got an input's" in message(network, "in.wav", "linked.wav")
    assert "got an input's" in message(network, "in.wav", network)
    assert "no/out.wav: No such file" in message(network, "in.wav", "no/out.wav")
    assert (tmp_path / "in.wav").read_bytes() == wav(SOUND)


def test_what_it_prints(denoiser: Denoiser) -> None:
    done = denoiser.run(wav(some_sound(16_000)))
    (line,) = re.findall("^time per frame .*", done.stdout, re.MULTILINE)
    low, middle, high, most = (float(number) for number in re.findall(r"([\d.]+) us", line))
    assert 0 < low <= middle <= high <= most
    assert re.search(r"^latency +320 samples", done.stdout, re.MULTILINE)
    assert re.search(r"^real-time factor +\d", done.stdout, re.MULTILINE)


def test_live_sound_is_waited_for(denoiser: Denoiser) -> None:
    """A lower bound, which holds on the busiest machine: 20 hops and the one after them."""
    start = time.monotonic()
    assert denoiser.run(wav(some_sound(20 * HOP)), "--live").returncode == 0
    assert time.monotonic() - start >= 0.21


@pytest.mark.skipif(sys.platform != "linux", reason="replaces the heap as ELF allows it")
def test_no_frame_asks_for_memory(builder: Builder, model: rn.Model, tmp_path: Path) -> None:
    """Also not by the C library's files: four times the sound takes as many calls.

    (Both are long enough for glibc to sort their times, afterwards, in memory of the heap.)
    """
    heap = Path(__file__).with_name("counting_heap.c")
    counted = with_network(builder.program("denoise-counted", heap), model, tmp_path)
    calls = []
    for seconds in (3, 12):
        done = counted.run(wav(some_sound(16_000 * seconds)))
        assert done.returncode == 0
        calls.append(re.findall(r"heap: (\d+) calls", done.stderr))
    assert calls[0] == calls[1]
    assert int(calls[0][0]) > 0
