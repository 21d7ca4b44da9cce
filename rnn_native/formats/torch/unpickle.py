"""An interpreter for pickles of ``torch.save``, and of NumPy's arrays, which builds plain data and
calls nothing.

It knows the opcodes that these write (protocols 2 to 5), and of what a pickle names only
the table of ``values``: for everything else, and what it would make, there is a ``Foreign``, which
has the name. It hashes, compares and prints nothing of the file's, so that no structure in it can
cost more than its opcodes do.
https://docs.python.org/3/library/pickletools.html lists the opcodes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final

from ...errors import FormatError, UnsupportedError
from .foreign import Foreign
from .numpy_arrays import Bytes, NumpyArray, NumpyType
from .values import KNOWN, OPAQUE, Function, Pairs, describe

MAX_OPCODES: Final = 2_000_000
"""In one file: about a second's work. A state_dict of a thousand tensors counts 50 000."""

_MAX_CONTAINERS: Final = 250_000
_CALL: Final = 8  # opcodes that a call of a known function counts for

_MAX_NAME: Final = 500  # bytes of the name of a module, or of something in it
_MAX_INTEGER: Final = 255  # bytes
_NOTHING: Final = object()  # where the memo has no entry


class Machine:
    """Reads pickles that stand one after another in ``data``, from ``begin`` to ``end``.

    ``persistent`` makes the object of a persistent id, which is how a pickle names a storage.
    ``load`` raises ``FormatError`` for everything malformed, refused, or too large.
    """

    def __init__(
        self, data: bytes, begin: int, end: int, persistent: Callable[[Any], Any] | None = None
    ) -> None:
        self.position = begin
        self._data = data
        self._end = end
        self._persistent = persistent
        self._left = MAX_OPCODES
        # Containers take the most memory, and time, by the byte; real files have far fewer.
        self._containers_left = 10_000 + min((end - begin) // 4, _MAX_CONTAINERS)
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: list[Any] = []

    def load(self) -> Any:
        """The next pickle's value; ``position`` is then behind it."""
        self._stack, self._marks, self._memo = [], [], []
        data, end, actions = self._data, self._end, _ACTIONS
        while (position := self.position) < end:
            code = data[position]
            self.position = position + 1
            self._left -= 1
            if self._left < 0:
                raise FormatError(f"pickle: more than {MAX_OPCODES} opcodes")
            action = actions[code]
            if action is None:
                if code == _STOP:
                    return self._pop()
                error = UnsupportedError if code in _REFUSED else FormatError
                raise error(
                    f"pickle: opcode {_REFUSED.get(code, hex(code))} at byte {self.position - 1}: "
                    "neither torch.save nor NumPy writes such a thing"
                )
            action(self)
        raise self._truncated()

    # ---- bytes, the stack, the memo ----

    def _truncated(self) -> FormatError:
        return FormatError(f"pickle: truncated: it goes on after byte {self._end}, the last")

    def _take(self, count: int) -> bytes:
        begin = self.position
        if count > self._end - begin:
            raise self._truncated()
        self.position = begin + count
        return self._data[begin : self.position]

    def _number(self, size: int) -> int:
        begin = self.position
        end = begin + size
        if end > self._end:
            raise self._truncated()
        self.position = end
        return self._data[begin] if size == 1 else int.from_bytes(self._data[begin:end], "little")

    def _line(self) -> str:
        begin = self.position
        newline = self._data.find(b"\n", begin, min(self._end, begin + _MAX_NAME + 1))
        if newline < 0:
            raise FormatError(f"pickle: a name at byte {begin} does not end")
        self.position = newline + 1
        return _text(self._data[begin:newline])

    def _pop(self) -> Any:
        if not self._stack:
            raise FormatError(f"pickle: nothing on the stack at byte {self.position - 1}")
        return self._stack.pop()

    def _top(self, kind: type, what: str) -> Any:
        if not self._stack or type(self._stack[-1]) is not kind:
            came = describe(self._stack[-1]) if self._stack else "nothing"
            raise FormatError(f"pickle: expected {what} at byte {self.position - 1}, got {came}")
        return self._stack[-1]

    def _pop_mark(self) -> list[Any]:
        if not self._marks:
            raise FormatError(f"pickle: no mark on the stack at byte {self.position - 1}")
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _push_container(self, value: Any) -> None:
        self._containers_left -= 1
        if self._containers_left < 0:
            raise FormatError("pickle: too many containers for its size")
        self._stack.append(value)

    def _put(self, index: int) -> None:
        memo = self._memo
        if not self._stack:
            raise FormatError(f"pickle: nothing on the stack at byte {self.position - 1}")
        if index == len(memo):
            memo.append(self._stack[-1])
            return
        if index > MAX_OPCODES - self._left:  # more than there could be in order
            raise FormatError(f"pickle: entry {index} of the memo is out of order")
        memo.extend([_NOTHING] * (index + 1 - len(memo)))
        memo[index] = self._stack[-1]

    def _get(self, index: int) -> None:
        if index >= len(self._memo) or self._memo[index] is _NOTHING:
            raise FormatError(f"pickle: no entry {index} in the memo")
        self._stack.append(self._memo[index])

    # ---- opcodes ----

    def _proto(self) -> None:
        version = self._number(1)
        if not 2 <= version <= 5:
            raise UnsupportedError(f"pickle: expected protocol 2 to 5, got {version}")

    def _frame(self) -> None:
        if self._number(8) > self._end - self.position:
            raise self._truncated()

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _dup(self) -> None:
        value = self._pop()
        self._stack += [value, value]

    def _signed(self, size: int) -> None:
        self._stack.append(int.from_bytes(self._take(size), "little", signed=True))

    def _long(self, size: int) -> None:
        count = self._number(size)
        if count > _MAX_INTEGER:
            raise FormatError(f"pickle: an integer of {count} bytes")
        self._signed(count)

    def _float(self) -> None:
        self._stack.append(struct.unpack(">d", self._take(8))[0])

    def _unicode(self, size: int) -> None:
        self._stack.append(_text(self._take(self._number(size))))

    def _string(self, size: int) -> None:  # of Python 2
        self._stack.append(self._take(self._number(size)).decode("latin-1"))

    def _bytes(self, size: int) -> None:
        count = self._number(size)
        if count > self._end - self.position:
            raise self._truncated()
        self.position += count
        self._stack.append(Bytes(self.position - count, self.position))

    def _tuple_of(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._push_container(tuple(reversed(items)))

    def _put_into(self, kind: type, what: str, values: Iterable[Any]) -> None:
        """What is on top, of this kind or foreign, gets these."""
        if self._stack and type(self._stack[-1]) is Foreign:
            self._stack[-1].parts += values
            return
        container = self._top(kind, what)
        if kind is list:
            container += values
        elif kind is Pairs:
            container.flat += values

    def _append(self) -> None:
        self._put_into(list, "a list", (self._pop(),))

    def _appends(self) -> None:
        self._put_into(list, "a list", self._pop_mark())

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._put_into(Pairs, "a dict", (key, value))

    def _set_items(self) -> None:
        values = self._pop_mark()
        if len(values) % 2:
            raise FormatError(f"pickle: a key without a value at byte {self.position - 1}")
        self._put_into(Pairs, "a dict", values)

    def _add_items(self) -> None:
        self._put_into(type(OPAQUE), "a set", self._pop_mark())

    def _frozen_set(self) -> None:
        self._pop_mark()
        self._stack.append(OPAQUE)

    def _global(self) -> None:
        self._push_named(self._line(), self._line())

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise FormatError(f"pickle: expected names, got {describe(module)}, {describe(name)}")
        if max(len(module), len(name)) > _MAX_NAME:
            raise FormatError(f"pickle: a name of {max(len(module), len(name))} characters")
        self._push_named(module, name)

    def _push_named(self, module: str, name: str) -> None:
        known = KNOWN.get(f"{module}.{name}")
        if known is not None:
            self._stack.append(known)
            return
        self._left -= _CALL
        self._push_container(Foreign(module, name))

    def _reduce(self) -> None:
        self._left -= _CALL
        args, function = self._pop(), self._pop()
        if type(args) is tuple and type(function) is Function:
            self._push_container(function.call(args))
        else:
            self._make(function, args)

    def _new(self) -> None:
        self._left -= _CALL
        args, kind = self._pop(), self._pop()
        self._make(kind, args)

    def _new_with_names(self) -> None:
        self._left -= _CALL
        named, args, kind = self._pop(), self._pop(), self._pop()
        self._make(kind, args, named)

    def _make(self, function: Any, args: Any, *more: Any) -> None:
        """What a foreign function or class would: nothing is called."""
        if type(function) is not Foreign or type(args) is not tuple:
            raise FormatError(
                f"pickle: calls {describe(function)} with {describe(args)} at byte "
                f"{self.position - 1}; expected a known function and a tuple"
            )
        self._push_container(function.made_of(args, *more))

    def _build(self) -> None:
        state = self._pop()  # or attributes, such as the _metadata of a state_dict
        if self._stack and type(self._stack[-1]) in (NumpyArray, NumpyType):
            self._stack[-1].state = state
        elif self._stack and type(self._stack[-1]) is Foreign:
            self._stack[-1].parts.append(state)
        elif not self._stack or not (self._stack[-1] is OPAQUE or type(self._stack[-1]) is Pairs):
            came = describe(self._stack[-1]) if self._stack else "nothing"
            raise FormatError(f"pickle: sets the state of {came} at byte {self.position - 1}")

    def _persistent_id(self) -> None:
        if self._persistent is None:
            raise FormatError(f"pickle: a persistent id at byte {self.position - 1}")
        self._left -= _CALL
        self._stack.append(self._persistent(self._pop()))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"pickle: text that is not UTF-8: {error.reason}") from None


_ACTION = Callable[[Machine], object]
_STOP: Final = ord(".")
_OPCODES: Final[dict[bytes, _ACTION]] = {
    b"\x80": Machine._proto,
    b"\x95": Machine._frame,
    b"(": Machine._mark,
    b"0": Machine._pop,
    b"1": Machine._pop_mark,
    b"2": Machine._dup,
    b"N": lambda m: m._stack.append(None),
    b"\x88": lambda m: m._stack.append(True),
    b"\x89": lambda m: m._stack.append(False),
    b"J": lambda m: m._signed(4),
    b"K": lambda m: m._stack.append(m._number(1)),
    b"M": lambda m: m._stack.append(m._number(2)),
    b"\x8a": lambda m: m._long(1),
    b"\x8b": lambda m: m._long(4),
    b"G": Machine._float,
    b"X": lambda m: m._unicode(4),
    b"\x8c": lambda m: m._unicode(1),
    b"\x8d": lambda m: m._unicode(8),
    b"T": lambda m: m._string(4),
    b"U": lambda m: m._string(1),
    b"B": lambda m: m._bytes(4),
    b"C": lambda m: m._bytes(1),
    b"\x8e": lambda m: m._bytes(8),
    b"\x96": lambda m: m._bytes(8),
    b")": lambda m: m._stack.append(()),
    b"t": lambda m: m._push_container(tuple(m._pop_mark())),
    b"\x85": lambda m: m._tuple_of(1),
    b"\x86": lambda m: m._tuple_of(2),
    b"\x87": lambda m: m._tuple_of(3),
    b"]": lambda m: m._push_container([]),
    b"a": Machine._append,
    b"e": Machine._appends,
    b"}": lambda m: m._push_container(Pairs()),
    b"s": Machine._set_item,
    b"u": Machine._set_items,
    b"\x8f": lambda m: m._stack.append(OPAQUE),
    b"\x90": Machine._add_items,
    b"\x91": Machine._frozen_set,
    b"c": Machine._global,
    b"\x93": Machine._stack_global,
    b"R": Machine._reduce,
    b"\x81": Machine._new,
    b"\x92": Machine._new_with_names,
    b"b": Machine._build,
    b"q": lambda m: m._put(m._number(1)),
    b"r": lambda m: m._put(m._number(4)),
    b"\x94": lambda m: m._put(len(m._memo)),
    b"h": lambda m: m._get(m._number(1)),
    b"j": lambda m: m._get(m._number(4)),
    b"Q": Machine._persistent_id,
}
_ACTIONS: Final = [_OPCODES.get(bytes([code])) for code in range(256)]
_REFUSED: Final = {
    code[0]: name
    for code, name in {
        b"i": "INST", b"o": "OBJ", b"P": "PERSID",
        b"\x82": "EXT1", b"\x83": "EXT2", b"\x84": "EXT4", b"\x97": "NEXT_BUFFER",
        b"\x98": "READONLY_BUFFER", b"I": "INT", b"L": "LONG", b"F": "FLOAT", b"S": "STRING",
        b"V": "UNICODE", b"p": "PUT", b"g": "GET", b"d": "DICT", b"l": "LIST",
    }.items()
}  # fmt: skip
