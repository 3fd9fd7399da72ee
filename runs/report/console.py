"""The one way to the terminal: whatever a text says, it is shown and never obeyed."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from runs.text import printable


class Terminal(Console):
    """A console that shows control characters, and what its encoding lacks, as escapes.

    Markup counts still: what comes from outside is passed through :func:`rich.markup.escape`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(soft_wrap=True, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Every text that is printed, alone or in a table, comes through here."""
        shown = printable(text).encode(self.encoding, "backslashreplace").decode(self.encoding)
        return super().render_str(shown, **settings)
