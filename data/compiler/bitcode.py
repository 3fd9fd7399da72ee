"""What bitcode tells of itself before LLVM reads it."""

from __future__ import annotations

import re
import string

MAGIC = b"BC\xc0\xde"
WRAPPED = b"\xde\xc0\x17\x0b"
_SIX_BITS = string.ascii_lowercase + string.ascii_uppercase + string.digits + "._"
_ASCII = "".join(map(chr, range(256)))
_NAME = "LLVM"
_LONGEST = 10
_HEAD = 256  # bytes: the block that names the producer stands first


def is_bitcode(content: bytes) -> bool:
    """Whether it begins like bitcode."""
    return content[:4] in (MAGIC, WRAPPED)


def producer(bitcode: bytes) -> int | None:
    """Major version of the LLVM that wrote it; None where it does not say.

    The name is a string in a stream of bits, of 6, 7 or 8 bits a letter.
    """
    stream = int.from_bytes(bitcode[:_HEAD], "little")
    for bits, letters in ((6, _SIX_BITS), (7, _ASCII), (8, _ASCII)):
        wanted = sum(letters.index(letter) << bits * i for i, letter in enumerate(_NAME))
        mask = (1 << bits * len(_NAME)) - 1
        for shift in range(8 * min(len(bitcode), _HEAD)):
            if stream >> shift & mask == wanted:
                codes = [stream >> shift + bits * i & (1 << bits) - 1 for i in range(_LONGEST)]
                if found := re.match(rf"{_NAME}(\d+)\.", "".join(letters[code] for code in codes)):
                    return int(found[1])
    return None
