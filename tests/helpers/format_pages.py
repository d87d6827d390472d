"""The pages of the formats, `docs/formats/<name>.md`: their sections, checks and code.

python tests/helpers/format_pages.py writes into each page which checks the format keeps, and into
docs/checks.md the table of all of them.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import page_tables

from pytest_modelroundtrip.portable import formats
from pytest_modelroundtrip.reporting.listing import checks_table

SCRIPT = "tests/helpers/format_pages.py"
DOCS = Path(__file__).parents[2] / "docs"
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


def code_by_hand(name: str) -> list[str]:
    """The blocks of Python code that save and load by hand."""
    return re.findall(r"^```python\n(.*?)^```", sections(name)[BY_HAND], re.DOTALL | re.MULTILINE)


def written() -> dict[Path, str]:
    """The pages that the script writes -> their text as the code has it now."""
    built_in = formats.built_in()
    parts = {FOLDER / f"{name}.md": kept_checks(fmt) for name, fmt in built_in.items()}
    parts[DOCS / "checks.md"] = checks_table(built_in.values())
    return {
        path: page_tables.replaced(path.read_text(encoding="utf-8"), SCRIPT, part)
        for path, part in parts.items()
    }


def kept_checks(fmt: formats.Format) -> str:
    """The sentence that names the checks, and of which versions of Keras it excepts them."""
    names = [f"`{name}`{_exception(fmt.never_kept.get(name, ()))}" for name in fmt.keeps]
    return textwrap.fill(f"The checks {', '.join(names)}.", 100)


def _exception(keras_majors: tuple[int, ...]) -> str:
    return f" (not with Keras {' and '.join(map(str, keras_majors))})" if keras_majors else ""


if __name__ == "__main__":
    for page, text in written().items():
        page.write_text(text, encoding="utf-8")
