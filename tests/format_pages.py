"""The pages of the formats, `docs/formats/<name>.md`: their sections, checks and code."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "formats"
KEEPS, SINCE, BY_HAND = "What it keeps", "Since which version", "How to load it by hand"
HEADINGS = [  # of every page, which may have others too
    KEEPS, "What it loses", SINCE, BY_HAND, "Traps",
]  # fmt: skip


def text_of(name: str) -> str:
    """The page of a format."""
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def sections(name: str) -> dict[str, str]:
    """The text below each heading, in order; what stands before the first is under ""."""
    parts = re.split(r"^## (.+)\n", "\n" + text_of(name), flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def promised_checks(name: str) -> dict[str, tuple[int, ...]]:
    """The checks that the page promises -> the major versions of Keras of which it excepts them.

    They are in the first sentence below "What it keeps": "The checks `weights`, `optimizer` (not
    with Keras 3), `outputs`."
    """
    sentence = sections(name)[KEEPS].strip().partition(".")[0]
    found = re.findall(r"`(\w+)`(?: \(not with Keras (\d)\))?", " ".join(sentence.split()))
    return {check: (int(major),) if major else () for check, major in found}


def code_by_hand(name: str) -> list[str]:
    """The blocks of Python code that save and load by hand."""
    return re.findall(r"^```python\n(.*?)^```", sections(name)[BY_HAND], re.DOTALL | re.MULTILINE)
