"""Text made fit to be shown: what others wrote is printable and bounded, sizes are readable.

What a model raises, what the other side answers, and ids of tests reach terminals, HTML, XML, JSON
and xdist's channel. They pass through here as they enter a result, so that nobody behind it has to
care.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

MAX_CHARACTERS = 20_000  # of one text, and of the lines of a list together
MAX_NAMES, MAX_NAME_CHARACTERS = 100, 1000  # of a dict, and of each name

T = TypeVar("T")

# control characters except newline and tab, the marks that reorder or break lines, halves of
# surrogate pairs, and what XML does not allow
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""The text with `\x1b` for the character ESC, and so on; its lines end in newlines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNPRINTABLE.sub(_escaped, lines)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def bounded(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Printable; of a text beyond the limit its beginning and its end."""
    left_out = len(text) - limit
    if left_out <= 0:
        return printable(text)
    ends = text[: limit // 2], text[-(limit // 2) :]
    beginning, end = (printable(part) for part in ends)
    return f"{beginning}\n... ({left_out:,} characters are left out)\n{end}"


def bounded_lines(texts: Sequence[str]) -> list[str]:
    """As many of the texts as the limit allows, at least one, each bounded."""
    kept: list[str] = []
    total = 0
    for text in texts:
        line = bounded(text)
        total += len(line) + 1
        if kept and total > MAX_CHARACTERS:
            break
        kept.append(line)
    left_out = len(texts) - len(kept)
    return [*kept, f"... and {left_out:,} more"] if left_out else kept


def readable_size(size: int) -> str:
    """A number of bytes, as people read it."""
    for unit, count in (("GB", 1e9), ("MB", 1e6)):
        if size >= count:
            return f"{size / count:.1f} {unit}"
    return f"{size / 1e3:.1f} kB"


def bounded_names(values: Mapping[str, T]) -> dict[str, T]:
    """As many of the names as the limit allows, with their values; each name is bounded."""
    names = [*values][:MAX_NAMES]
    return {bounded(name, MAX_NAME_CHARACTERS): values[name] for name in names}


def bounded_texts(values: Mapping[str, str]) -> dict[str, str]:
    """The same where the values are texts too."""
    found = bounded_names(values)
    return {name: bounded(text, MAX_NAME_CHARACTERS) for name, text in found.items()}
