"""Arguments that several commands take, and the model file with the options of its format."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ..errors import OptionError
from ..formats import FORMATS, beside, calling, naming, read_all
from ..formats.chain.text import split
from ..spec import AvgPool, Last, Layer, MaxPool, ModelSpec


def count(text: str) -> int:
    """An integer of at least 1."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")


def boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return text == "true"


def chain(text: str) -> list[str | Layer]:
    """``emb,lstm,last,fc:relu``: what ``chain=`` of rn.load takes, layers of ours in small letters,
    ``maxpool(2)``. A module that is called like one of these is written with a dot behind it."""
    items: list[str | Layer] = []
    for item in split(text):
        match = _LAYER.fullmatch(item)
        if match is None:
            items.append(item)
            continue
        try:
            numbers = [int(number) for number in (match["numbers"] or "").split(",") if number]
            items.append(_LAYERS[match["name"]](*numbers))
        except (TypeError, ValueError) as error:  # RnnErrors are ValueErrors
            raise argparse.ArgumentTypeError(f"{item}: {error}") from None
    return items


_LAYERS: Final[Mapping[str, Callable[..., Layer]]] = MappingProxyType(
    {"last": Last, "maxpool": MaxPool, "avgpool": AvgPool}
)
_LAYER = re.compile(rf"(?P<name>{'|'.join(_LAYERS)})(\((?P<numbers>[\d, ]*)\))?")


def stated(text: str) -> tuple[str, Any]:
    """NAME=VALUE: a number, true, false, null, or lists of these."""
    name, found, value = text.partition("=")
    try:
        if not found or not name:
            raise ValueError
        return name, json.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected NAME=VALUE, of a number or lists of numbers, got {text!r}"
        ) from None


# What argparse has to know of an option that takes more than one plain word.
_SPECIAL: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "reset_after": {"type": boolean, "metavar": "true|false"},
        "between": {"nargs": 2, "metavar": ("IN", "OUT")},
        "chain": {"type": chain, "metavar": "MODULE,..."},
        "given": {"action": "append", "type": stated, "metavar": "NAME=VALUE"},
        "shapes": {"action": "append", "type": stated, "metavar": "NAME=[N,...]"},
    }
)
_MEANING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "prefix": "which module of the file, such as encoder.lstm",
        "cell": "what the weights must be: rnn, gru or lstm",
        "nonlinearity": "of an RNN; tanh where it is not given",
        "reset_after": "of a GRU; true where it is not given",
        "output_nonlinearity": "of an RNN with an output layer; sigmoid where it is not given",
        "chain": "the modules that run, in their order, such as emb,lstm,last,fc:relu,out",
        "node": "the recurrent node or layer to take out",
        "between": "take out what lies between these two tensors, or layers",
        "given": "the value of an input of the graph, such as sr=16000; again for others",
        "shapes": "sizes of an input that FILE leaves open, or null; again for others",
        "config": "the JSON of a model whose weights are in FILE",
        "activation": "of the recurrent layers, where FILE has weights alone",
        "recurrent_activation": "of their gates, where FILE has weights alone",
    }
)


def add_file(
    parser: argparse.ArgumentParser, metavar: str = "FILE", nargs: str | None = None
) -> None:
    """FILE, and every option with which ``rn.load`` reads one, as the registry has them."""
    parser.add_argument(
        "file", type=Path, nargs=nargs, metavar=metavar, help="any file that rn.load reads"
    )
    group = parser.add_argument_group(f"how {metavar} is read")
    group.add_argument(
        "--format",
        choices=list(FORMATS),
        help="in the place of what its suffix says",
    )
    owners: dict[str, list[str]] = {}
    for name, entry in FORMATS.items():
        for option in entry.options:
            owners.setdefault(option, []).append(name)
    for option, names in owners.items():
        special = dict(_SPECIAL.get(option, {"metavar": "NAME"}))
        special.setdefault("metavar", "NAME")
        meaning = _MEANING.get(option, f"the option {option} of rn.load")
        group.add_argument(
            f"--{option.replace('_', '-')}",
            dest=f"read_{option}",
            help=f"{meaning} ({', '.join(names)})",
            **special,
        )


def reader_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of the format that were given, as ``rn.load`` takes them."""
    given = {
        name.removeprefix("read_"): tuple(value) if isinstance(value, list) else value
        for name, value in vars(arguments).items()
        if name.startswith("read_")
    }
    for name in ("given", "shapes"):
        if given.get(name) is not None:
            given[name] = dict(given[name])
    return {name: value for name, value in given.items() if value is not None}


def read_file(arguments: argparse.Namespace) -> tuple[ModelSpec, calling.Calling]:
    """The model in FILE and how it is called; errors as of ``formats.read``."""
    spec, said, _ = read_strings(arguments)
    return spec, said


def read_strings(
    arguments: argparse.Namespace,
) -> tuple[ModelSpec, calling.Calling, Mapping[str, str]]:
    """The same, and what else there is to tell of FILE and of how it was read."""
    spec, strings = read_all(arguments.file, arguments.format, **reader_options(arguments))
    with naming(arguments.file):
        return spec, calling.from_strings(strings), strings


def refuse_to_overwrite(
    name: str, path: Path | None, arguments: argparse.Namespace, kept: Mapping[str, Path | None]
) -> None:
    """``OptionError`` where the file to be written, by the name of its argument, is also one of
    those that are to stay: ``kept``, by theirs, and whatever the model is read from."""
    if path is None:
        return
    config = reader_options(arguments).get("config")
    kept = {**kept, "--config": None if config is None else Path(config)}
    for other, there in kept.items():
        if there is not None and _the_same(path, there):
            raise OptionError(f"{name}: {path} is also {other}; choose another file")
    if path.exists() and arguments.file.exists():
        for there in beside(arguments.file, arguments.format):
            if _the_same(path, there):
                raise OptionError(
                    f"{name}: {path} holds tensors of {arguments.file}; choose another file"
                )


def _the_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # at least one is not there; a null character
        return one.absolute() == other.absolute()


def add_dtype(parser: argparse.ArgumentParser, meaning: str) -> None:
    parser.add_argument("--dtype", choices=("float32", "float64"), help=meaning)
