"""What client and server say to each other: JSON in text messages, sound and answers in binary.

The client begins with one of

    {"format": "int16"}                          a stream, which ends with its connection
    {"format": "int16", "resume": true}          one that can go on after a break
    {"resume": TOKEN, "answered": 120}           goes on; the answers of 120 steps have come

and the server answers with a :class:`Welcome`. From then on binary messages are

    to the server    samples, mono, little-endian, in the format that was said, as many as one likes
    to the client    the first step as uint64, then the answers of this step and those behind it

and the client may say ``{"answered": 150}``, in steps, and ``{"end": 76800}``, in samples of the
whole stream; the server ``{"saved": 140}``, in steps.
README.md beside this file tells what each is for.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMATS: dict[str, np.dtype[Any]] = {"int16": np.dtype("<i2"), "float32": np.dtype("<f4")}
FULL_SCALE = 32768.0  # of int16, which is 1.0 of float32

# RFC 6455 and the registry that it opened
ENDED = 1000
WRONG_TYPE = 1003
WRONG_DATA = 1007
POLICY = 1008
RESTART = 1012
TRY_AGAIN = 1013
NO_STREAM = 4404  # of this service's own: the stream of a token is not there any more

_STEP = struct.Struct("<Q")


class RefusedError(Exception):
    """What was said cannot be accepted: the connection closes with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Hello:
    """How a client begins."""

    format: str | None = None  # of a new stream
    resume: bool | str = False  # the token of a stream that goes on; True: a new one that can
    answered: int = 0  # steps whose answers have come


@dataclass(frozen=True)
class Welcome:
    """What the server tells of a stream."""

    network: str
    rate: int  # samples a second
    window: int  # samples of a step
    values: int  # float32 or PCM values of a step's answer
    late: int  # steps that an answer is behind its samples
    format: str
    answers: str  # the type of a value: a key of FORMATS
    token: str | None  # for ``resume``; None: this stream ends with its connection
    step: int  # the client goes on with sample step * window
    keep: int  # steps that the server goes ahead of what the client says it has; 0: without limit
    saved: int | None  # a server that is killed goes on here or later; None: it forgets all


def json_of(message: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        raise RefusedError(WRONG_DATA, "expected JSON in a text message") from None
    if not isinstance(value, dict):
        raise RefusedError(WRONG_DATA, f"expected a JSON object, got {type(value).__name__}")
    return value


def _count(said: dict[str, Any], name: str, of: str) -> int:
    value = said[name]
    if type(value) is not int or not 0 <= value < 2**53:
        raise RefusedError(POLICY, f"{name}: expected a count of {of}")
    return value


def read_hello(message: str | bytes) -> Hello:
    """The first message of a client; raises ``RefusedError``."""
    if isinstance(message, bytes):
        raise RefusedError(
            WRONG_TYPE, 'expected {"format": "int16"} in a text message first, got sound'
        )
    said = json_of(message)
    if unknown := sorted(set(said) - {field.name for field in fields(Hello)}):
        raise RefusedError(POLICY, f"expected format, resume and answered, got {unknown[0][:40]!r}")
    resume = said.get("resume", False)
    if isinstance(resume, str):
        if "format" in said:
            raise RefusedError(POLICY, "format: a stream that goes on keeps its own")
        return Hello(None, resume, _count({"answered": 0, **said}, "answered", "steps"))
    if not isinstance(resume, bool) or "answered" in said:
        raise RefusedError(POLICY, "resume: expected true, or a token with the steps answered")
    format = said.get("format")
    if not isinstance(format, str) or format not in FORMATS:
        raise RefusedError(WRONG_TYPE, f"format: expected one of {', '.join(FORMATS)}")
    return Hello(format, resume)


def read_control(message: str) -> tuple[str, int]:
    """A later text message of a client: "answered" and steps, or "end" and samples."""
    said = json_of(message)
    for name, of in (("answered", "steps"), ("end", "samples")):
        if set(said) == {name}:
            return name, _count(said, name, of)
    raise RefusedError(POLICY, 'expected {"answered": STEPS} or {"end": SAMPLES}')


def check_samples(message: bytes, format: str) -> None:
    """Raises ``RefusedError`` where a message is not whole samples, each of them a number."""
    dtype = FORMATS[format]
    if len(message) % dtype.itemsize:
        raise RefusedError(
            WRONG_DATA, f"expected whole samples of {format}, got {len(message)} bytes"
        )
    if dtype.kind == "f" and not np.isfinite(np.frombuffer(message, dtype)).all():
        raise RefusedError(WRONG_DATA, "expected finite samples, got NaN or infinity")


def samples_of(data: bytes, format: str) -> NDArray[np.float32]:
    """Samples as float32, full scale 1."""
    samples = np.frombuffer(data, FORMATS[format])
    if format == "int16":
        return samples.astype(np.float32) / np.float32(FULL_SCALE)
    return samples.astype(np.float32, copy=False)


def encoded(values: NDArray[np.float32], format: str) -> bytes:
    """Values as little-endian float32, or as int16 of full scale 1, clipped."""
    if format == "int16":
        values = np.rint(np.clip(values * np.float32(FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1))
    return values.astype(FORMATS[format]).tobytes()


def say(**what: Any) -> str:
    return json.dumps(what, separators=(",", ":"))


def welcome_text(welcome: Welcome) -> str:
    return say(**asdict(welcome))


def read_welcome(message: str | bytes) -> Welcome:
    return Welcome(**json.loads(message))


def answer(step: int, values: bytes | memoryview) -> bytes:
    """Answers of ``step`` and those behind it, as a message."""
    return _STEP.pack(step) + values


def read_answer(message: bytes) -> tuple[int, bytes]:
    """The first step of a message, and its answers."""
    return _STEP.unpack_from(message)[0], message[_STEP.size :]
