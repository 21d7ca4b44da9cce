"""The process of one build whose bits ``compare_bits.py`` compares.

    PYTHON -P tools/bits_worker.py FOLDER

FOLDER has the serving.py of who compares. Of the build itself only what is public is used; what it
lacks is not asked of it (see ``features``).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

SECONDS = 60
"""Of processor time for one item: a file of the corpus may be one that an older build hangs on."""
Parts = dict[str, Callable[[], Any]]
"""What is compared of an item, by name: calls that give arrays, bytes, or raise."""


def layers(rn: ModuleType) -> dict[str, Any]:
    """The classes of layers by their names, of which some have no public one."""
    kinds = getattr(importlib.import_module(f"{rn.__name__}.spec"), "LAYERS", {})
    return {kind.__name__: kind for kind in kinds.values()}


def features(rn: ModuleType) -> set[str]:
    """What this build has: public names, parameters and methods, such as ``Recurrent.clip``, and
    the functions of gates and layers."""
    functions = importlib.import_module(f"{rn.__name__}.activations").CONSTANTS
    found = {f"function {name}" for name in functions}
    for name in [*rn.__all__, "train.Network", *layers(rn)]:
        thing: Any = rn
        for part in name.split("."):
            thing = layers(rn).get(part) or getattr(thing, part)
        found.add(name)
        if callable(thing):
            with suppress(ValueError):
                found |= {f"{name}.{given}" for given in inspect.signature(thing).parameters}
        if inspect.isclass(thing):
            found |= {f"{name}.{attribute}" for attribute in dir(thing) if attribute[0] != "_"}
    return found


def decode(rn: ModuleType, value: Any, arrays: Any) -> Any:
    """What ``bits_items.encode`` made JSON of."""
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "tuple" in value:
        return tuple(decode(rn, part, arrays) for part in value["tuple"])
    fields = {name: decode(rn, part, arrays) for name, part in value["fields"].items()}
    if not value["type"]:
        return fields
    return (layers(rn).get(value["type"]) or getattr(rn, value["type"]))(**fields)


def plain_input(spec: Any, time: int = 7, batch: int = 3) -> Any:
    """Numbers within -1..1, or indices, that every NumPy makes alike."""
    if spec.takes_indices:
        return np.arange(time * batch).reshape(time, batch) * 37 % spec.input_size
    count = time * batch * spec.input_size
    values = (np.arange(count) * 37 % 200 - 100).astype(np.float32) / np.float32(100)
    return values.reshape(time, batch, spec.input_size)


def parts_of(
    rn: ModuleType, spec: Any, x: Any, state: Any, lengths: Any, options: dict[str, Any]
) -> Parts:
    """All that a model does. x is [time, batch, ...]."""
    made: list[Any] = []

    def model() -> Any:
        if not made:
            made.append(rn.Model(spec, **options))
        return made[0]

    def given() -> Any:
        return np.swapaxes(x, 0, 1) if options.get("batch_first") else x

    def streamed() -> Any:
        stream = model().stream(x.shape[1])
        return [stream.step(x_t).copy() for x_t in x], stream.state

    def saved(name: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            model().save(path)
            return path.read_bytes()

    def gradients(**dropout: Any) -> Any:
        known = {name: options[name] for name in ("dtype", "num_threads") if name in options}
        net = rn.train.Network(spec, **known)
        y, last, tape = net.forward(x, state, lengths, **dropout)
        dy = (np.arange(y.size) % 7 - 3).astype(y.dtype).reshape(y.shape) / 4
        grads = net.backward(tape, dy)
        return y, last, grads.x, grads.state, dict(grads.weights)

    parts: Parts = {
        "outputs": lambda: model()(given(), state, lengths),
        "Model.trace": lambda: model().trace(given(), state, lengths),
        "Model.stream": streamed,
        "safetensors": lambda: saved("model.safetensors"),
        "npz": lambda: saved("model.npz"),
        "train.Network": gradients,
    }
    if any(layer.num_layers > 1 for layer in spec.recurrents):
        parts["train.Network dropout"] = lambda: gradients(dropout=0.25, seed=1)
    return parts


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays of a result, by a name that says where."""
    if isinstance(value, (tuple, list)):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], f"{name}[{key}]")
    elif isinstance(value, bytes):
        yield name, np.frombuffer(value, np.uint8)
    elif value is not None:
        yield name, np.asarray(value)


class Worker:
    def __init__(self) -> None:
        import rnn_native

        self._rn = rnn_native
        with suppress(ImportError):
            import resource

            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, hard))

    def hello(self) -> dict[str, Any]:
        config = self._rn.show_config(mode="dicts")
        return {
            "file": self._rn.__file__, "version": config["version"], "isa": config["isa"],
            "isas": config["isas_available"], "blas": config["blas"], "numpy": np.__version__,
            "features": sorted(features(self._rn)),
        }  # fmt: skip

    def item(self, item: dict[str, Any], parts: list[str], keep: str = "") -> dict[str, Any]:
        """By part: a digest of its bits, or ``refused`` or ``raised`` and why. ``parts``: those to
        leave out. ``keep``: an .npz to write the arrays into."""
        _bound()
        self._left_out = parts
        kept: dict[str, Any] = {}
        digests: dict[str, str] = {}
        for name, call in self._parts(item, digests).items():
            if name in parts:
                continue
            result = self._attempt(call)
            if isinstance(result, str):
                digests[name] = result
                continue
            hashed = hashlib.sha256()
            for where, array in leaves(result):
                hashed.update(f"{where} {array.dtype.str} {array.shape}".encode())
                hashed.update(np.ascontiguousarray(array).tobytes())
                kept[name + where] = array
            digests[name] = hashed.hexdigest()
        if keep:
            np.savez(keep, **kept)
        return {"parts": digests}

    def _parts(self, item: dict[str, Any], digests: dict[str, str]) -> Parts:
        """Of the model that is in the item; ``digests`` says why there is none."""
        rn = self._rn
        arrays = np.load(item["arrays"]) if item.get("arrays") else {}

        def read() -> Any:
            if "path" in item:
                given = decode(rn, item["options"], arrays)
                return rn.load(item["path"], format=item["format"], **given).spec
            return decode(rn, item["spec"], arrays)

        spec = self._attempt(read)
        digests["model"] = spec if isinstance(spec, str) else "made"
        if isinstance(spec, str):
            return {}
        call = {name: decode(rn, value, arrays) for name, value in item["call"].items()}
        x = call.get("x")
        x = plain_input(spec) if x is None else x
        return parts_of(rn, spec, x, call.get("state"), call.get("lengths"), item["model"])

    def _attempt(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except self._rn.RnnError:
            return "refused"
        except Exception as error:
            return f"raised {type(error).__name__}"


def _bound() -> None:
    with suppress(ImportError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + SECONDS, hard))


def _serve(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location("serving", folder / "serving.py")
    assert spec
    assert spec.loader
    serving = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serving)
    serving.main(Worker)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
