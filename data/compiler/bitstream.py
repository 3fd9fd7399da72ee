"""Bitcode as a stream of blocks and records, as far as the functions of a module need (docs/papers/pass_order.md#2.2).

References
----------
LLVM Bitcode File Format, https://llvm.org/docs/BitCodeFormat.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from data.compiler.bitcode import MAGIC
from runs.errors import InvalidProblem

_END, _ENTER, _DEFINE, _PLAIN = range(4)
_MODULE_BLOCK, _NAMES_BLOCK = 8, 23
_FUNCTION, _VERSION, _BLOB = 8, 1, 1
_OF_FUNCTION = {"offset": 0, "size": 1, "declared": 4, "linkage": 5, "comdat": 14}
_EXTERNAL, _AVAILABLE_EXTERNALLY = 0, 12
_CHUNK = 6  # bits of the numbers in records without an abbreviation
_LONGEST = 64
"""Bits of a number."""
_CHAR6 = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"


@dataclass(frozen=True)
class _Record:
    """Operands, the bits where each begins, and what is not a number."""

    code: int
    operands: tuple[int, ...]
    places: tuple[int, ...]
    blob: bytes = b""


@dataclass(frozen=True)
class FunctionRecord:
    """What a module says of a function that it defines.

    Parameters
    ----------
    name
        As the linker sees it.
    linkage, comdat
        The bits where these numbers stand; None where a number takes more than 6 bits.
    """

    name: str
    linkage: int
    comdat: int | None


def defined_functions(bitcode: bytes) -> tuple[FunctionRecord, ...]:
    """The functions that a module defines, in its order.

    Raises
    ------
    InvalidProblem
        It is no bitcode, was cut off, or is of LLVM 4 or older.
    """
    if bitcode[:4] != MAGIC:
        raise InvalidProblem("it is no bitcode, so its functions cannot be told apart; give .bc")
    cursor = _Cursor(bitcode)
    found: list[_Record] = []
    names = b""
    version = 0
    try:
        cursor.place = 32
        while cursor.place + 32 <= 8 * len(bitcode):
            if cursor.fixed(2) != _ENTER:
                break
            block, width, end = cursor.enter()
            if block == _MODULE_BLOCK:
                for record in cursor.records(width):
                    if record.code == _FUNCTION and not record.operands[_OF_FUNCTION["declared"]]:
                        found.append(record)
                    elif record.code == _VERSION:
                        version = record.operands[0]
            elif block == _NAMES_BLOCK:
                names = next(record.blob for record in cursor.records(width) if record.code == _BLOB)
            cursor.place = end
        functions = tuple(_function(record, names) for record in found)
    except (IndexError, StopIteration) as error:
        raise InvalidProblem("its bitcode was cut off or is damaged, so its functions cannot be told apart") from error
    if version < 2:
        raise InvalidProblem(
            "its bitcode is of LLVM 4 or older, so its functions cannot be told apart; compile it anew"
        )
    return functions


def _function(record: _Record, names: bytes) -> FunctionRecord:
    offset, size = (record.operands[_OF_FUNCTION[key]] for key in ("offset", "size"))
    comdat = _OF_FUNCTION["comdat"]
    has_comdat = len(record.operands) > comdat and record.operands[comdat] < 1 << _CHUNK - 1
    return FunctionRecord(
        names[offset : offset + size].decode(errors="replace"),
        record.places[_OF_FUNCTION["linkage"]],
        record.places[comdat] if has_comdat else None,
    )


def alone(bitcode: bytes, functions: tuple[FunctionRecord, ...], kept: FunctionRecord) -> bytes:
    """The same module, in which one function may be called from outside, and all others are said to be defined elsewhere,
    so that a compiler drops their bodies by its own passes. No other bit changes.

    Parameters
    ----------
    functions
        All that :func:`defined_functions` has found.
    kept
        One of them.
    """
    changed = bytearray(bitcode)
    for function in functions:
        _put(changed, function.linkage, _EXTERNAL if function == kept else _AVAILABLE_EXTERNALLY)
        if function.comdat is not None:
            _put(changed, function.comdat, 0)
    return bytes(changed)


def _put(content: bytearray, place: int, value: int) -> None:
    """A number of at most 5 bits, where one stood that took as many chunks."""
    for i in range(_CHUNK):
        byte, bit = divmod(place + i, 8)
        content[byte] = content[byte] & ~(1 << bit) | (value >> i & 1) << bit


class _Cursor:
    """Reads bits; beyond the end it raises IndexError."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0

    def fixed(self, bits: int) -> int:
        first, last = self.place // 8, (self.place + bits + 7) // 8
        if last > len(self.content):
            raise IndexError
        value = int.from_bytes(self.content[first:last], "little") >> self.place % 8 & (1 << bits) - 1
        self.place += bits
        return value

    def variable(self, bits: int) -> int:
        value = shift = 0
        while True:
            chunk = self.fixed(bits)
            value |= (chunk & (1 << bits - 1) - 1) << shift
            if not chunk >> bits - 1:
                return value
            shift += bits - 1
            if shift > _LONGEST:
                raise IndexError

    def align(self) -> None:
        self.place = -(-self.place // 32) * 32

    def enter(self) -> tuple[int, int, int]:
        """Number and width of a block, and the bit behind it."""
        block, width = self.variable(8), self.variable(4)
        self.align()
        words = self.fixed(32)
        end = self.place + 32 * words
        if end > 8 * len(self.content):
            raise IndexError
        return block, width, end

    def records(self, width: int) -> Iterator[_Record]:
        """Those of a block itself; blocks within it are passed over."""
        abbreviations: list[list[tuple[str, int]]] = []
        while True:
            kind = self.fixed(width)
            if kind == _END:
                return
            if kind == _ENTER:
                self.place = self.enter()[2]
            elif kind == _DEFINE:
                abbreviations.append(self._abbreviation())
            elif kind == _PLAIN:
                code, places, operands = self.variable(_CHUNK), [], []
                for _ in range(self.variable(_CHUNK)):
                    places.append(self.place)
                    operands.append(self.variable(_CHUNK))
                yield _Record(code, tuple(operands), tuple(places))
            else:
                yield self._abbreviated(abbreviations[kind - 4])

    def _abbreviation(self) -> list[tuple[str, int]]:
        form: list[tuple[str, int]] = []
        for _ in range(self.variable(5)):
            if self.fixed(1):
                form.append(("literal", self.variable(8)))
                continue
            kind = ("", "fixed", "variable", "array", "char6", "blob")[self.fixed(3)]
            form.append((kind, self.variable(5) if kind in ("fixed", "variable") else 0))
        return form

    def _abbreviated(self, form: list[tuple[str, int]]) -> _Record:
        values: list[int] = []
        blob = b""
        for i, (kind, size) in enumerate(form):
            if kind == "array":
                values += [self._scalar(*form[i + 1]) for _ in range(self._length())]
                break
            if kind == "blob":
                length = self._length()
                self.align()
                blob = self.content[self.place // 8 : self.place // 8 + length]
                self.place += 8 * length
                self.align()
            else:
                values.append(self._scalar(kind, size))
        return _Record(values[0], tuple(values[1:]), (), blob)

    def _length(self) -> int:
        length = self.variable(6)
        if length > 8 * len(self.content):
            raise IndexError
        return length

    def _scalar(self, kind: str, size: int) -> int:
        if kind == "literal":
            return size
        if kind == "char6":
            return ord(_CHAR6[self.fixed(6)])
        return (self.fixed(size) if kind == "fixed" else self.variable(size)) if size else 0
