"""Mutants of pickles, opcode by opcode. None is ever unpickled here."""

from __future__ import annotations

import pickletools
import random

_OPCODES = (
    b"N", b"\x88", b"\x89", b"(", b"0", b"1", b"2", b"t", b"l", b"d", b"R", b"b", b"o", b"s", b"u",
    b"a", b"e", b"}", b"]", b")", b".", b"Q", b"\x81", b"\x85", b"\x86", b"\x87", b"\x8f", b"\x90",
    b"\x91", b"\x92", b"\x93", b"\x94", b"K\x05", b"M\xff\xff", b"J\xff\xff\xff\x7f", b"h\x00",
    b"J\xff\xff\xff\xff", b"q\x00", b"r\xff\xff\xff\x7f", b"j\x00\x00\x00\x00",
    b"I01\n", b"F1e999\n",
    b"L" + b"9" * 5000 + b"L\n", b"\x8a\x08" + b"\xff" * 7 + b"\x7f", b"\x8b\xff\xff\xff\x7f",
    b"X\xff\xff\xff\x7f", b"X\x03\x00\x00\x00abc", b"\x8c\x01a", b"\x8d" + b"\xff" * 8, b"P0\n",
    b"\x95" + b"\xff" * 8, b"B\xff\xff\xff\x7f", b"\x96" + b"\xff" * 8, b"\x97", b"\x98",
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"ccollections\nOrderedDict\n", b"ios\nsystem\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch\nFloatStorage\n", b"ctorch\nDoubleStorage\n", b"ctorch\nSize\n", b"ctorch\nfloat32\n",
    b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"c_codecs\nencode\n", b"X\x02\x00\x00\x00f4",
    b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.numeric\n_frombuffer\n",
    b"G\x7f\xf0\x00\x00\x00\x00\x00\x00", b"\x80\x05", b"S'a'\n", b"U\x01a", b"p0\n", b"g0\n",
)  # fmt: skip


def change(rng: random.Random, data: bytes) -> bytes:
    """A pickle with other opcodes; what follows it stays."""
    begins = [place for _, _, place in pickletools.genops(data) if place is not None]
    ends = [*begins[1:], begins[-1] + 1]
    opcodes = [data[begin:end] for begin, end in zip(begins, ends, strict=True)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(opcodes))
        what = rng.random()
        if what < 0.3:
            opcodes[at] = rng.choice(_OPCODES)
        elif what < 0.5:
            opcodes.insert(at, rng.choice(_OPCODES))
        elif what < 0.6:
            opcodes.insert(at, rng.choice(opcodes))
        elif what < 0.7:
            opcodes[at] = rng.choice(opcodes)
        elif what < 0.85 and len(opcodes) > 1:
            del opcodes[at]
        elif what < 0.9:
            opcodes[at] *= rng.choice((2, 100))
        else:
            begin = rng.randrange(len(opcodes))
            opcodes[at:at] = opcodes[begin : begin + rng.randrange(1, 30)]
    return b"".join(opcodes) + data[ends[-1] :]


def change_legacy(rng: random.Random, data: bytes) -> bytes:
    """A file of PyTorch's old format, pickles one after another, with one of them changed."""
    begins = [0]
    for _ in range(4):
        *_, (_, _, stop) = pickletools.genops(data[begins[-1] :])
        assert stop is not None
        begins.append(begins[-1] + stop + 1)
    begin = begins[rng.choice((0, 1, 2, 3, 3, 3, 4))]
    return data[:begin] + change(rng, data[begin:])
