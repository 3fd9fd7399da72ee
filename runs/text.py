"""What strangers wrote (names of files and instances, messages, records), made fit to be stored and shown."""

from __future__ import annotations

import re
from typing import Any

_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""The text with escapes (``\x1b``) for what no reader may obey and no file can hold; tabs and ends of lines stay.

    These are control characters, which a terminal takes for commands, those that turn the direction of writing, and lone
    surrogates, which stand for the bytes of a name that is not UTF-8.
    """
    return _UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """The printable text on one line."""
    return " ".join(printable(text).split())


def shortened(text: str, cells: int) -> str:
    """The text if it fits into so many columns of a terminal, of which wide characters take two; else its beginning."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= cells else f"{set_cell_size(text, cells - 3).rstrip()}..."


def cleaned(value: Any) -> Any:
    """Plain data, keys included, with every text in it :func:`printable`."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value
