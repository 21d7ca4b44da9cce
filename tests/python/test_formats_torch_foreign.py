"""Settings, callbacks, functions beside the weights of a file: stand-ins that nobody calls.

One is an error only where an array is wanted in its place, or is inside it.
"""

from __future__ import annotations

import argparse
import enum
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import assert_same_bits
from torch_files import (
    CONTAINERS,
    Call,
    Name,
    Pickle,
    Raw,
    Storage,
    state_dict,
    tensor,
    whole,
    zip_file,
)

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import pickled
from rnn_native.formats.torch import unpack

Container = Callable[..., bytes]
RNG = np.random.default_rng(17)
GRU = strategies.make_recurrent(RNG, "gru", 3, 4)
FC = {"weight": RNG.normal(size=(2, 4)), "bias": RNG.normal(size=2)}
TRAP = """
from pathlib import Path

def touch(*args, **kwargs):
    Path(__file__).with_name("touched").touch()
    return {}

class Touching:
    def __new__(cls, *args):
        touch()
        return object.__new__(cls)

    def __setstate__(self, state):
        touch()

    __call__ = __reduce__ = __hash__ = touch
"""


@pytest.fixture(params=list(CONTAINERS))
def container(request: pytest.FixtureRequest) -> Container:
    return CONTAINERS[request.param]


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module whose every call leaves a file: its path, which must stay without one."""
    (tmp_path / "trap.py").write_text(TRAP)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "touched"


TOUCH, TOUCHING = Name("trap", "touch"), Name("trap", "Touching")
CALLS = {
    "reduce": Call(TOUCH),
    "reduce with arguments": Call(TOUCH, ("touch me",)),
    "a class": Call(TOUCHING),
    "newobj": Raw(b"ctrap\nTouching\n)\x81"),
    "newobj_ex": Raw(b"ctrap\nTouching\n)}\x92"),
    "build": Raw(b"ctrap\nTouching\n)\x81}b"),
    "inst": Raw(b"(itrap\ntouch\n"),
    "obj": Raw(b"(ctrap\ntouch\no"),
    "stack_global": Raw(b"\x8c\x04trap\x8c\x05touch\x93)R"),
    "only named": TOUCH,
    "a module's class": Raw(b"(X\x06\0\0\0modulectrap\nTouching\nNNtQ)\x81}b"),
    "as a key": Raw(b"}ctrap\ntouch\nNs"),
    "in a set": Raw(b"\x8f(ctrap\ntouch\n\x90"),
    "as the state of a dict": Raw(b"ccollections\nOrderedDict\n)Rctrap\ntouch\nb"),
    "as a type": Call(
        Name("torch._tensor", "_rebuild_from_type_v2"), (TOUCH, TOUCHING, (), {})
    ),
    "as a factory": Call(Name("collections", "defaultdict"), (TOUCH,)),
}  # fmt: skip


@pytest.mark.parametrize("what", CALLS)
def test_what_would_call_is_inert(what: str, container: Container, trap: Path) -> None:
    """The weights are those of a file without it, nothing ran, and nothing was imported."""
    path = trap.with_name("model.pt")
    wanted = path.with_name("alone.pt")
    wanted.write_bytes(container({"net": state_dict(GRU.arrays)}))
    (want,) = formats.read(wanted, prefix="net").layers
    path.write_bytes(container({"net": state_dict(GRU.arrays), "x": CALLS[what]}))
    before = set(sys.modules)
    if what in ("inst", "obj"):
        with pytest.raises(rn.UnsupportedError, match=f"opcode {what.upper()}"):
            formats.read(path, prefix="net")
    else:
        (layer,) = formats.read(path, prefix="net").layers
        for name, array in want.arrays.items():
            assert_same_bits(layer.arrays[name], array)
    assert set(sys.modules) == before
    assert not trap.exists()
    assert "trap" not in sys.modules


@pytest.mark.parametrize("what", ["reduce", "newobj", "build", "only named", "as a type"])
def test_in_the_place_of_an_array_it_is_an_error_that_names_it(
    what: str, container: Container, trap: Path
) -> None:
    path = trap.with_name("model.pt")
    gru, fc = state_dict(GRU.arrays), state_dict({"weight": FC["weight"]})
    path.write_bytes(container({"gru": {**gru, "bias_hh_l0": CALLS[what]}}))
    with pytest.raises(
        rn.UnsupportedError, match=r"tensor 'gru\.bias_hh_l0': .*'trap\.[tT]ouch.*ref"
    ):
        formats.read(path)
    path.write_bytes(container({"fc": {**fc, "bias": CALLS[what]}}))
    with pytest.raises(rn.UnsupportedError, match=r"tensor 'fc\.bias': .*'trap\.[tT]ouch"):
        formats.read(path, chain=["fc:linear"])
    assert not trap.exists()


INSIDE: dict[str, Callable[[Any], Any]] = {
    "an argument": lambda x: Call(Name("nets", "Net"), (x,)),
    "a state": lambda x: Raw(b"cnets\nNet\n)\x81" + x + b"b"),
    "an item": lambda x: Raw(b"cnets\nNet\n)\x81(X\1\0\0\0a" + x + b"u"),
    "an element": lambda x: Raw(b"cnets\nNet\n)\x81" + x + b"a"),
    "elements": lambda x: Raw(b"cnets\nNet\n)\x81(" + x + b"e"),
    "a named argument": lambda x: Raw(b"cnets\nNet\n)}X\1\0\0\0a" + x + b"s\x92"),
}


@pytest.mark.parametrize("how", INSIDE)
def test_an_array_that_is_inside_it_alone_is_an_error_that_names_it(how: str) -> None:
    array = pickle.dumps(RNG.normal(size=3), 2)[2:-1]
    net = INSIDE[how](Raw(array) if how == "an argument" else array)
    for value in (net, {"model": net}, [{"epoch": 3, "model": (net,)}]):
        with pytest.raises(rn.UnsupportedError, match=r"asks for 'nets\.Net'.*save its weights"):
            pickled.unpack(Pickle(value).data)


class Settings(dict[str, Any]):
    """As EasyDict and omegaconf have them: a container with attributes, its parent among them."""

    parent: Any = None


class Level(enum.IntEnum):
    HIGH = 3


class Numbers(list[Any]):
    pass


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_settings_beside_the_weights_do_no_harm(tmp_path: Path, protocol: int) -> None:
    settings = Settings(lr=1e-3, sizes=Numbers([1, 2]), path=Path("/x"), level=Level.HIGH)
    settings["own"] = settings.parent = settings  # in itself, as children that know their parents
    value = {
        "state_dict": {f"gru.{n}": a for n, a in GRU.arrays.items()}
        | {f"fc.{n}": a for n, a in FC.items()},
        "hyper_parameters": argparse.Namespace(hidden=4, dtype=np.float32, kind=type(settings)),
        "callbacks": {Settings: {"best": np.float64(2), "path": Path("/y")}},
        "settings": settings, "generator": np.random.default_rng(3), "when": time.gmtime(0),
        "function": Path.touch, "bound": Path("/z").touch, "level": Level.HIGH,
    }  # fmt: skip
    path = tmp_path / "net.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    before = set(sys.modules)
    gru, fc = formats.read(path, prefix="state_dict", chain=["gru", "fc"]).layers
    assert set(sys.modules) == before
    assert_same_bits(gru.arrays["weight_ih_l0"], GRU.arrays["weight_ih_l0"])
    assert_same_bits(fc.arrays["bias"], FC["bias"])
    with pytest.warns(UserWarning, match="left out: state_dict.fc.weight, state_dict.fc.bias"):
        formats.read(path)


def test_what_is_not_looked_into_is_named_where_something_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "net.pkl"
    ema = Settings({f"gru.{name}": array for name, array in GRU.arrays.items()})
    path.write_bytes(pickle.dumps({"ema": ema, "optimizer": {"m": FC["weight"]}}, 4))
    named = rf"'ema', for which the pickle asks for '{__name__}\.Settings'.*save its weights"
    for options in ({}, {"chain": ["gru"], "prefix": "ema"}):
        with pytest.raises((rn.FormatError, rn.OptionError), match=f"not looked into: {named}"):
            formats.read(path, **options)
    path.write_bytes(pickle.dumps({"ema": ema, "net": dict(ema)}, 4))
    (layer,) = formats.read(path, prefix="net").layers
    assert_same_bits(layer.arrays["weight_ih_l0"], GRU.arrays["weight_ih_l0"])


def test_tensors_of_classes_that_are_not_known_are_no_tensors(container: Container) -> None:
    """What derives from Tensor, is sparse or quantized is not the numbers of its storage."""
    x = tensor(Storage.of("0", np.ones(6, "f4")), [6], [1])
    y = tensor(Storage.of("1", np.ones(6, "f4")), [6], [1])
    rebuild = Name("torch._utils", "_rebuild_tensor_v2")
    derived = Call(
        Name("torch._tensor", "_rebuild_from_type_v2"),
        (rebuild, Name("nets", "Scaled"), x.args, {}),
    )
    sparse = Call(Name("torch._utils", "_rebuild_sparse_tensor"), (0, (x, x, (2, 3))))
    of_sparse = Call(Name("torch._utils", "_rebuild_parameter"), (sparse, True, {}))
    for value, named in ((derived, r"nets\.Scaled"), (sparse, "_sparse_"), (of_sparse, "_sparse_")):
        found = unpack(container({"w": value, "x": y}))[1]
        assert_same_bits(found["x"], np.ones(6, "f4"))
        with pytest.raises(rn.UnsupportedError, match=f"tensor 'w': .*{named}.*refused"):
            found["w"]


def test_many_of_them_are_looked_through_once() -> None:
    """Objects that share what is in them, and are in each other, take as long as they are many."""
    shared = Raw(b"](" + b"N" * 100_000 + b"eq\x00")
    objects = Raw(b"](" + b"cnets\nNet\n)Rh\x00b" * 4000 + b"e")
    net = {"w": whole("0", np.ones(2, "f4"))}
    began = time.process_time()
    assert list(unpack(zip_file([shared, objects, net]))[1]) == ["2.w"]
    assert time.process_time() - began < 5
