"""Compares the bits of two installed builds of rnn_native: what a change that must change none did.

    python tools/compare_bits.py A B
    python tools/compare_bits.py A B --networks 1000 --seed 7 --isas avx2

A and B are Pythons, or folders of environments; they may be of different versions. This Python
needs the package with its extra ``test``, onnx and h5py. Compared are every file of
tests/fuzz/corpus, the trained models of tests/models that are installed here, and random networks
over all layers and options: whether a file is a model; outputs and states, of a stream as well;
traces; gradients; the bytes of saved files. Each build has a process for every instruction set
that both have. What only one of them knows is named and left out.

Writes the digests into --out. Exit status: 0 where all bits are the same, 1 where some differ, 2
where an argument is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import rnn_native as rn
from rnn_native import benchmark
from rnn_native.benchmark.child import Child, ChildError

HERE = Path(__file__).resolve().parent
NAMES = ("A", "B")
TOLD = 10  # differing items whose numbers are looked at
Digests = Mapping[str, Mapping[str, str]]
"""By item and part."""


@dataclass
class Difference:
    item: str
    parts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By part, what each build has; empty: nothing."""


def differences(a: Digests, b: Digests) -> list[Difference]:
    """The items that differ, in A's order; one that only one of them has differs."""
    found = []
    for item in [*a, *(name for name in b if name not in a)]:
        ours, theirs = a.get(item, {}), b.get(item, {})
        parts = {
            part: (ours.get(part, ""), theirs.get(part, ""))
            for part in [*ours, *(part for part in theirs if part not in ours)]
            if ours.get(part) != theirs.get(part)
        }
        if parts or item not in a or item not in b:
            found.append(Difference(item, parts))
    return found


def how_far(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """Of the arrays of an item, the first one that differs, and by how much."""
    for name in a:
        ours, theirs = np.asarray(a[name]), np.asarray(b.get(name))
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            return f"{name}: {ours.dtype} {ours.shape} and {theirs.dtype} {theirs.shape}"
        bits = [np.ascontiguousarray(one).view(np.uint8) for one in (ours, theirs) if one.size]
        if not bits or np.array_equal(*bits):
            continue
        size = ours.dtype.itemsize
        differ = (bits[0].reshape(-1, size) != bits[1].reshape(-1, size)).any(axis=1)
        at = np.unravel_index(int(differ.argmax()), ours.shape)
        with np.errstate(all="ignore"):
            most = np.nanmax(np.abs(ours.astype(float) - theirs.astype(float)), initial=0)
        place = ", ".join(map(str, at))
        return (
            f"{name}: {differ.sum()} of {ours.size} numbers, first [{place}]: {ours[at]!r} and "
            f"{theirs[at]!r}; largest difference {most:.3g}"
        )
    return ""


def interpreter(path: Path) -> Path:
    for file in (path, path / "bin/python", path / "Scripts/python.exe"):
        if file.is_file():
            return file.absolute()
    raise rn.OptionError(f"expected a Python or the folder of an environment, got {path}")


class Builds:
    """A process of each build, which is started again if it dies."""

    def __init__(self, pythons: Sequence[Path], isa: str | None, out: Path) -> None:
        self._commands = [
            [str(p), "-P", str(HERE / "bits_worker.py"), str(Path(benchmark.__file__).parent)]
            for p in pythons
        ]
        self._variables = {} if isa is None else {"RNN_NATIVE_ISA": isa}
        self._out = out
        self._stack = ExitStack()
        self._children = [self._start(index) for index in range(2)]

    def __enter__(self) -> Builds:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, index: int) -> Child:
        log = self._out / f"{NAMES[index]}.txt"
        child = Child(NAMES[index], self._commands[index], 2, [], log, self._variables)
        return self._stack.enter_context(child)

    def hello(self) -> list[dict[str, Any]]:
        return [child.ask("hello") for child in self._children]

    def item(
        self, item: Mapping[str, Any], left_out: Sequence[str], keep: Sequence[str] = ("", "")
    ) -> list[dict[str, str]]:
        """The digests of each; a process that dies is a result as well."""
        found = []
        for index in range(2):
            try:
                reply = self._children[index].ask(
                    "item", item=item, parts=list(left_out), keep=keep[index]
                )
                found.append(reply["parts"])
            except ChildError as error:
                found.append({"model": str(error)})
                self._children[index] = self._start(index)
        return found


def common(told: Sequence[Mapping[str, Any]]) -> tuple[set[str], dict[str, str]]:
    """The features that both have, and of each other one who lacks it."""
    a, b = (set(each["features"]) for each in told)
    return a & b, dict.fromkeys(b - a, "A") | dict.fromkeys(a - b, "B")


def compare(
    builds: Builds, items: Sequence[Mapping[str, Any]], features: set[str], told: str
) -> tuple[list[dict[str, dict[str, str]]], Counter[str]]:
    """The digests of each build, and how many items lacked which feature."""
    digests: list[dict[str, dict[str, str]]] = [{}, {}]
    skipped: Counter[str] = Counter()
    parts = [p for p in ("Model.trace", "Model.stream", "train.Network") if p not in features]
    skipped.update(dict.fromkeys(parts, len(items)))
    if "train.Network" in parts:
        parts.append("train.Network dropout")
    for item in tqdm(items, told, mininterval=1):
        if lacking := [name for name in item["needs"] if name not in features]:
            skipped.update(lacking)
            continue
        for found, reply in zip(digests, builds.item(item, parts), strict=True):
            found[item["name"]] = reply
    return digests, skipped


def tell(
    builds: Builds, found: Sequence[Difference], items: Mapping[str, Any], folder: Path
) -> None:
    """The first differences, with their numbers, of another run of both."""
    for difference in found[:TOLD]:
        keep = [str(folder / f"kept-{name}.npz") for name in NAMES]
        for path in keep:
            Path(path).unlink(missing_ok=True)
        again = builds.item(items[difference.item], [], keep)
        parts = [_part(part, texts) for part, texts in difference.parts.items()]
        print(f"  {difference.item}: {'; '.join(parts)}")
        for place, (name, reply) in enumerate(zip(NAMES, again, strict=True)):
            changed = [p for p, texts in difference.parts.items() if reply.get(p) != texts[place]]
            if changed:
                print(f"    {name}'s own bits change from run to run: {', '.join(changed)}")
        if all(Path(path).exists() for path in keep):
            with np.load(keep[0]) as a, np.load(keep[1]) as b:
                if far := how_far(a, b):
                    print(f"    {far}")
    if len(found) > TOLD:
        print(f"  and {len(found) - TOLD} more")


def _part(part: str, texts: tuple[str, str]) -> str:
    """Its name and, unless both have bits, what became of it."""
    said = [text if len(text) < 64 else "has bits" for text in texts]
    if said == ["has bits"] * 2:
        return part
    return f"{part}: {' and '.join(text or 'nothing' for text in said)}"


def run(arguments: argparse.Namespace) -> int:
    import bits_items

    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    pythons = [interpreter(path) for path in (arguments.a, arguments.b)]
    with Builds(pythons, None, out) as builds:
        told = builds.hello()
    if told[0]["file"] == told[1]["file"]:
        raise rn.OptionError(f"expected two builds, got one: both import {told[0]['file']}")
    for name, each in zip(NAMES, told, strict=True):
        print(f"{name}: {each['version']}, {each['file']}, NumPy {each['numpy']}, {each['blas']}")
    features, lacking = common(told)
    matmuls = ["blas"] if told[0]["blas"] and told[0]["blas"] == told[1]["blas"] else []
    isas = [isa for isa in told[0]["isas"] if isa in told[1]["isas"]]
    if unknown := [isa for isa in arguments.isas or () if isa not in isas]:
        raise rn.OptionError(f"--isas: both builds have {', '.join(isas)} here, not {unknown[0]}")
    status = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        missing: list[str] = []
        items = [
            *bits_items.corpus(folder),
            *bits_items.models(folder, arguments.models, missing),
            *bits_items.networks(folder, arguments.networks, arguments.seed, matmuls),
        ]
        for package in sorted(set(missing)):
            print(f"left out: {package} is not installed here")
        for isa in arguments.isas or isas:
            with Builds(pythons, isa, out) as builds:
                digests, skipped = compare(builds, items, features, isa)
                for name, each in zip(NAMES, digests, strict=True):
                    (out / f"{isa}-{name}.json").write_text(json.dumps(each, indent=1) + "\n")
                for name, count in skipped.items():
                    who = f"{lacking[name]} has no" if name in lacking else "both lack"
                    print(f"skipped: {who} {name}: {count} items")
                found = differences(*digests)
                print(f"{isa}: {len(digests[0])} items, {len(found)} differ")
                tell(builds, found, {item["name"]: item for item in items}, folder)
            status |= bool(found)
    return status


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("a", type=Path, metavar="A", help="a Python, or the folder of its environment")
    add("b", type=Path, metavar="B", help="the other one")
    add("--networks", type=int, default=300, help="random ones; default 300")
    add("--seed", type=int, default=1, help="of the random networks; default 1")
    add("--models", type=Path, nargs="*", default=[], help="files of more models")
    add("--isas", type=lambda text: text.split(","), help="default all that both have here")
    add("--out", type=Path, default=Path("build/bits"), help="folder; default build/bits")
    arguments = parser.parse_args(given)
    if arguments.networks < 1:
        parser.error("argument --networks: expected at least 1")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    try:
        return run(arguments)
    except (rn.RnnError, OSError) as error:
        print(f"compare_bits.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
