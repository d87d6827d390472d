"""What users and contributors look for by its name stands in the docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest_modelroundtrip
from pytest_modelroundtrip import RoundTrip, RoundTripFixture, Verdict, settings

PACKAGE = Path(pytest_modelroundtrip.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def test_what_is_public() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    names = pytest_modelroundtrip.__all__
    assert [name for name in names if f"`{name}`" not in text] == []
    table = page("reference").partition("## The result")[2].partition("## Verdicts")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    attributes = {name for name in dir(RoundTrip("keras", "here", Path())) if name[0] != "_"}
    assert attributes == {name.strip("`") for row in rows for name in row.split(", ")}
    methods = {name for name in vars(RoundTripFixture) if name[0] != "_"}
    assert methods == {"parts", "output"}


def test_verdicts() -> None:
    table = page("reference").partition("## Verdicts")[2]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    described = {name.strip("`") for row in rows for name in row.split(", ")}
    assert {verdict.value for verdict in Verdict} - described == set()


def test_options() -> None:
    text = page("reference")
    for option in settings.OPTIONS:
        if option.in_marker:
            row = rf"^\| [^|]*`{option.name}`[^|]*\|"
            assert re.search(row, text, re.MULTILINE), option.name
        if option.ini:
            assert f"roundtrip_{option.name}`" in text, option.name


def tree(folder: Path) -> Iterator[str]:
    """The modules below a folder that the picture of the tree must have, without their folders."""
    for path in folder.rglob("*.py"):
        one_of_many = path.parent.name in ("checks", "comparing", "formats", "kinds", "battery")
        if path.name != "__init__.py" and not one_of_many:
            yield path.name


def test_modules() -> None:
    text = page("architecture")
    assert [name for name in tree(PACKAGE) if not re.search(rf" {name} ", text)] == []
