"""What reduced precision costs real networks: in phonemes, tags, decibels and stretches of speech.

Less of what bench/precision.py reports, of the same networks and data. What is asked of them are
the goals of docs/precision.md, but where a comment says why not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime", reason="examples/vad and examples/denoise import it")
pytest.importorskip("scipy")

import drift
import real_models
from long_runs import growth, networks
from real_models import ways, words
from real_models.model import Task

pytestmark = pytest.mark.models

STORED = ("float16", "bfloat16")
SIXTEEN = (*STORED, "bfloat16-compute")
TYPES = (*SIXTEEN, "int8")
WAYS = (*TYPES, ways.CALIBRATED)
AMOUNTS = {"g2p_en": 1000, "g2p_fa": 1000, "uzmorph": 1000, "nsnet2": 4}


def answer(task: Task, way: ways.Way, folder: Path) -> Any:
    runs = {}
    for name, part in task.parts.items():
        (folder / way.name / name).mkdir(parents=True)
        try:
            runs[name] = way.make(part, folder / way.name / name)
        except ways.NotHere as reason:
            pytest.skip(f"{way.name}: {reason}")
    return task.answer(runs)


@pytest.fixture(scope="module")
def asked() -> Callable[[str], tuple[Task, Any]]:
    """A network's task, and what it answers in float32."""
    known: dict[str, tuple[Task, Any]] = {}

    def ask(name: str) -> tuple[Task, Any]:
        if name not in known:
            try:
                task = real_models.model(name).prepare(AMOUNTS[name])
            except PackageNotFoundError as error:
                pytest.skip(f"{error} is not installed: tests/models/requirements-models.txt")
            float32 = ways.ours(ways.FLOAT32)
            plain = {part: float32.make(it, Path()) for part, it in task.parts.items()}
            known[name] = task, task.answer(plain)
        return known[name]

    return ask


# The goals are 99.5 % with 16 bits and 99 % with 8. Where n of 1000 words are expected to change,
# n +- sqrt(n) do, and others on another instruction set. bench/precision.py finds 0.3 % and less
# with stored weights; 0.5 % with products in bfloat16; with int8 0.8 % of g2p-fa's words, and 1.3
# to 1.9 % of g2p_en's, more than its goal, by the rounding of weights alone: names are among them,
# of which the network is not sure. With integers chosen on other words it is 0.8 and 0.9 to 1.1 %.
# Of 5, 8, 11 and 19 words three deviations are 7, 8, 10 and 13.
SAME = {"float16": 99.5, "bfloat16": 99.5, "bfloat16-compute": 98.8, "int8": 98.4}
SAME |= {ways.CALIBRATED: SAME["int8"]}
SAME_G2P_EN = SAME | {"int8": 96.8, ways.CALIBRATED: 97.9}


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("model", ["g2p_en", "g2p_fa"])
def test_words_have_the_same_phonemes(model: str, name: str, asked: Any, tmp_path: Path) -> None:
    task, plain = asked(model)
    same, *right = task.judge(plain, answer(task, ways.ours(name), tmp_path))
    assert same >= (SAME_G2P_EN if model == "g2p_en" else SAME)[name]
    if right:  # what becomes another word is as often right as before, but for chance
        (before,) = task.judge(plain, plain)[1:]
        assert right[0] >= before - 1
        assert before > 50  # a list that the network cannot say would prove nothing


@pytest.mark.parametrize("amount", [7, 1000])
def test_integers_are_chosen_on_other_words(amount: int) -> None:
    try:
        said = words.dictionary()
        asked = words.english(said, amount)
        pairs = [
            (asked, words.english(said, amount, besides=asked)),
            (words.persian(amount), words.persian(amount, behind=amount)),
            words.uzbek(amount),
        ]
    except PackageNotFoundError as error:
        pytest.skip(f"{error} is not installed: tests/models/requirements-models.txt")
    for ours, others in pairs:
        assert len(ours) == len(others) == amount
        assert not set(ours) & set(others)


@pytest.mark.parametrize("name", WAYS)
def test_letters_have_the_same_tags(name: str, asked: Any, tmp_path: Path) -> None:
    task, plain = asked("uzmorph")
    letters, _ = task.judge(plain, answer(task, ways.ours(name), tmp_path))
    assert letters >= (99.8 if name in SIXTEEN else 99.5)
    assert len(set(plain)) > 100  # words are told apart


@pytest.mark.parametrize("name", WAYS)
def test_denoised_speech_is_as_near_to_the_clean_one(name: str, asked: Any, tmp_path: Path) -> None:
    task, plain = asked("nsnet2")
    _, apart = task.judge(plain, answer(task, ways.ours(name), tmp_path))
    assert 0 < apart <= (0.05 if name in SIXTEEN else 0.2)  # dB
    assert len(set(np.round(plain))) == len(plain)  # each level of noise is another task


@pytest.fixture(scope="module")
def speech(package_file: Any) -> dict[str, Any]:
    """The recording of examples/denoise, clean and in noise, as chunks for the detector."""
    package_file("faster-whisper", "faster_whisper/assets/silero_vad_v6.onnx")
    from real_models import nsnet2, silero, sound

    clean = nsnet2.read_wav(sound.SPEECH)
    sounds = {f"{snr} dB": nsnet2.with_noise(clean, snr)[1] for snr in (20.0, 10.0, 5.0, 0.0)}
    return {name: silero.chunks(it)[:, None] for name, it in {"clean": clean, **sounds}.items()}


@pytest.mark.parametrize("name", WAYS)
def test_speech_is_found_in_the_same_stretches(name: str, speech: Any, tmp_path: Path) -> None:
    """To the chunk with 16 bits, in ten seconds each; in ten harder minutes some are not. int8
    hears as many stretches, whose ends may be elsewhere."""
    from real_models import silero

    task = Task({"it": silero.network()}, lambda runs: runs["it"], silero.judge)
    runs = [answer(task, ways.ours(each), tmp_path) for each in (ways.FLOAT32, name)]
    for chunks in speech.values():
        found = [np.asarray(run(chunks)[0], np.float64)[:, 0, 0] for run in runs]
        largest, mean, stretches, moved = silero.judge(*found)
        expected = silero.judge(found[0], found[0])[2]
        assert expected >= 2
        assert stretches == expected
        assert moved == 0 or name not in SIXTEEN
        assert 0 < mean < largest < 0.5  # an other answer to whether it is speech


@pytest.mark.parametrize("model", ["g2p_en", "g2p_fa", "uzmorph", "nsnet2"])
def test_peers_get_the_same_networks_and_questions(model: str, asked: Any, tmp_path: Path) -> None:
    """In float32 onnxruntime answers as we do, so that what its int8 says is its int8."""
    task, plain = asked(model)
    (theirs,) = (way for way in ways.PEERS if way.name == "onnxruntime float32")
    got = answer(task, theirs, tmp_path)
    if model == "nsnet2":
        np.testing.assert_allclose(got, plain, rtol=0, atol=1e-3)  # dB
    else:
        assert got == plain


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_differences_do_not_grow_with_time(cell: str) -> None:
    """Of random networks that forget: the same input eight times, without a reset."""
    _, make = networks.NETWORKS[cell]
    found = drift.follow(make(500), TYPES)
    assert {"float64", "float16", "bfloat16", "int8"} <= found["types"].keys()
    for name, parts in found["types"].items():
        for it in parts.values():
            assert growth.verdict(it["power"]) == "bounded", name
            assert 0 < it["rms of rounds"][-1] <= it["largest"]


def test_growth_tells_a_random_walk_from_a_bound() -> None:
    """Noise and its sums, of 400 numbers a step."""
    noise = np.random.default_rng(0).standard_normal((4096, 400))
    ends = growth.edges(len(noise))[1:]
    for steps, expected in ((noise, "bounded"), (noise.cumsum(axis=0), "random walk"),
                            (noise.cumsum(axis=0).cumsum(axis=0), "grows faster")):  # fmt: skip
        difference, at = growth.Difference(), 0
        for end in ends:
            difference.add(steps[at:end], np.zeros_like(steps[at:end]))
            difference.end_block()
            at = end
        assert growth.verdict(growth.exponent(ends, difference.rms)) == expected
        assert max(difference.most) == np.abs(steps).max()
