"""What others wrote is printable and bounded."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest

from pytest_modelroundtrip import presentable
from pytest_modelroundtrip.presentable import bounded, bounded_lines, bounded_texts, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("caf\u00e9 \u2013 \u6a21\u578b \U0001f600\tand\nlines \\x1b", None),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m\x00\x07\x7f", "\\x9b31m\\x00\\x07\\x7f"),
        ("one\r\ntwo\rthree\x0bfour\x85", "one\ntwo\nthree\\x0bfour\\x85"),
        ("\ud800 and \udcff", "\\ud800 and \\udcff"),
        ("\u202egnp.exe\u2066\u200f\u061c", "\\u202egnp.exe\\u2066\\u200f\\u061c"),
        ("a\u2028b\u2029c\ufffe", "a\\u2028b\\u2029c\\ufffe"),
    ],
)
def test_what_is_not_printable_is_escaped(text: str, expected: str | None) -> None:
    assert printable(text) == (text if expected is None else expected)
    assert printable(printable(text)) == printable(text)


def test_every_character_can_be_shown_everywhere() -> None:
    text = printable("".join(map(chr, range(0x11000))))
    assert text.encode("utf-8").decode("utf-8") == text
    assert ElementTree.fromstring(f"<a>{re.sub('[<>&]', '', text)}</a>").text
    assert json.loads(json.dumps(text)) == text
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f]", text)


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    text = bounded("first " + "x" * 10**6 + " \x1blast", 100)
    assert text.startswith("first x") and text.endswith("x \\x1blast")
    assert "\n... (999,912 characters are left out)\n" in text
    assert len(text) < 200
    assert bounded("x" * 100, 100) == "x" * 100


def test_many_lines_end_in_how_many_more_there_are() -> None:
    assert bounded_lines(["a\x1b", "b"]) == ["a\\x1b", "b"]
    lines = bounded_lines(["nine char"] * 100_000)
    assert lines[-1] == "... and 98,000 more" and len(lines) == 2001
    huge = bounded_lines(["x" * 10**6, "y"])
    assert huge[0].startswith("xx") and huge[1:] == ["... and 1 more"]
    assert bounded_lines([]) == []


def test_sizes() -> None:
    sizes = [0, 12_345, 1_500_000, 68_171_200_000]
    assert [*map(presentable.readable_size, sizes)] == ["0.0 kB", "12.3 kB", "1.5 MB", "68.2 GB"]


def test_names_and_their_texts_are_bounded() -> None:
    found = bounded_texts({f"\x1b{number}": "y" * 10**6 for number in range(1000)})
    assert len(found) == presentable.MAX_NAMES
    assert all(name.startswith("\\x1b") and len(text) < 1100 for name, text in found.items())
