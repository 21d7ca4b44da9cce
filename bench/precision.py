"""What reduced precision costs real networks, in the measure of their own task.

    python bench/precision.py [--models NAME ...] [--types NAME ...] [--peers]
    python bench/precision.py --peers --write docs/precision.md

Each network of bench/real_models runs in float32, in each type, and as rn.quantize makes it int8 on
inputs that its task has not. With ``--peers`` the same .onnx
also runs in OpenVINO with bfloat16 and in onnxruntime after its quantize_dynamic to int8; of a
network of another format it is what ``Model.save`` writes. No number is a time, so a busy machine
will do. All goes into build/precision/precision.json, and with ``--write`` into a page, between
<!-- real models --> and <!-- /real models -->. Packages: bench/requirements-precision.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from tempfile import TemporaryDirectory

import machine
import real_models
from real_models import table, ways
from real_models.table import Results

import rnn_native as rn

OUT = Path("build/precision")


def measure(name: str, chosen: Sequence[ways.Way], amount: int | None) -> Results | None:
    """None, and a word on stderr, where a package is missing."""
    try:
        model = real_models.model(name)
        for package in model.needs:
            distribution(package)
        asked = model.at_most(amount)
        task = model.prepare(asked)
    except (PackageNotFoundError, ImportError) as error:
        print(f"{name}: {error}: see bench/requirements-precision.txt", file=sys.stderr)
        return None
    results = Results(model, asked)
    plain = None
    for way in (ways.ours(ways.FLOAT32), *chosen):
        try:
            with TemporaryDirectory() as folder:
                runs = {}
                for part, network in task.parts.items():
                    (Path(folder) / part).mkdir()
                    runs[part] = way.make(network, Path(folder) / part)
                answer = task.answer(runs)
        except (ways.NotHere, ImportError) as error:
            results.missing[way.name] = str(error)
            continue
        plain = answer if plain is None else plain
        results.values[way.name] = [float(value) for value in task.judge(plain, answer)]
    return results


def versions() -> dict[str, str]:
    found = {"rnn_native": rn.__version__}
    for package in ("onnxruntime", "openvino", *_packages()):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _packages() -> list[str]:
    lines = (Path(__file__).parent / "requirements-precision.txt").read_text().splitlines()
    return [line.partition("==")[0] for line in lines if "==" in line]


def write(page: Path, text: str, mark: str) -> None:
    """Puts ``text`` between the page's two marks."""
    before, rest = page.read_text().split(f"<!-- {mark} -->\n")
    _, after = rest.split(f"<!-- /{mark} -->\n")
    page.write_text(f"{before}<!-- {mark} -->\n{text}\n<!-- /{mark} -->\n{after}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    names = real_models.NAMES
    parser.add_argument("--models", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--types", nargs="+", choices=ways.NAMES, default=[*ways.NAMES])
    parser.add_argument("--peers", action="store_true", help="OpenVINO and onnxruntime as well")
    parser.add_argument("--amount", type=int, help="at most so many words, seconds, pieces")
    parser.add_argument("--speech", nargs="+", type=Path, default=[], help="more voices for silero")
    parser.add_argument("--out", type=Path, default=OUT, help="a folder")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="puts the table there")
    options = parser.parse_args()
    if options.amount is not None and options.amount < 1:
        parser.error(f"--amount: expected 1 or more, got {options.amount}")
    if options.speech:
        from real_models import sound

        for path in options.speech:
            sound.add(path)

    chosen = [ways.ours(name) for name in options.types]
    controls = [way for way in ways.PEERS if options.peers and way.bits == 32]
    peers = [way for way in ways.PEERS if options.peers and way.bits < 32]
    results = []
    for name in options.models:
        print(f"{name} ...", file=sys.stderr, flush=True)
        if (found := measure(name, [*chosen, *controls, *peers], options.amount)) is not None:
            results.append(found)
    if not results:
        return 1
    text = table.table(results, [*chosen, *peers])
    print(text)
    for line in table.reasons(results):
        print(line)
    options.out.mkdir(parents=True, exist_ok=True)
    told = {
        "machine": machine.describe(),
        "isa": rn.show_config("dicts")["isa"],
        "versions": versions(),
        "models": [result.plain() for result in results],
    }
    (options.out / "precision.json").write_text(json.dumps(told, indent=1) + "\n")
    if options.write:
        write(options.write, text, "real models")
    return 0


if __name__ == "__main__":
    sys.exit(main())
