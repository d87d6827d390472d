"""Each built-in format has a page, which promises the checks that the code promises."""

from __future__ import annotations

import re

import capabilities
import format_pages
import pytest

from pytest_modelroundtrip.portable import format_names, formats


def test_each_format_has_a_page_and_a_row_that_links_to_it() -> None:
    pages = {path.stem for path in format_pages.FOLDER.iterdir()}
    assert pages == set(format_names.BUILT_IN)
    index = (format_pages.DOCS / "formats.md").read_text(encoding="utf-8")
    listed = index.partition("## All formats")[2]
    linked = re.findall(r"^\| .*?\[`(\w+)`\]\(formats/(\w+)\.md\) \|", listed, re.MULTILINE)
    assert sorted(linked) == sorted((name, name) for name in format_names.BUILT_IN)


@pytest.mark.parametrize("name", format_names.BUILT_IN)
def test_a_page_says_what_the_code_says(name: str) -> None:
    fmt = formats.built_in()[name]
    page = format_pages.sections(name)
    assert page[""].startswith(f"\n# {name}\n\n")
    headings = [heading for heading in page if heading in format_pages.HEADINGS]
    assert headings == format_pages.HEADINGS
    assert all(text.strip() for text in page.values())
    since = getattr(fmt, "since", None)
    assert since is None or "Keras {}.{}".format(*since) in page[format_pages.SINCE]
    assert len(format_pages.code_by_hand(name)) == 2  # it saves, it loads


def test_the_pages_name_the_checks_that_the_formats_keep() -> None:
    written = format_pages.written()
    changed = [path.name for path in written if path.read_text("utf-8") != written[path]]
    assert not changed, f"run python {format_pages.SCRIPT}"


def test_a_page_names_the_versions_that_never_keep_a_check() -> None:
    text = format_pages.kept_checks(formats.built_in()["json"])
    assert text == (
        "The checks `signature`, `config`, `compile` (not with Keras 2), `self_contained`."
    )


@pytest.mark.parametrize("name", format_names.BUILT_IN)
def test_a_page_links_to_its_row(name: str) -> None:
    """In the table of formats and kinds of models; in that of all formats where it is not there."""
    row = f"{name}-2.21" if name in capabilities.rows() else name
    assert f"(../formats.md#{row})" in format_pages.sections(name)[""]
