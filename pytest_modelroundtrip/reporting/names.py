"""The names of tests and formats in tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..portable.format_names import BUILT_IN


def short_names(tests: Iterable[str]) -> dict[str, str]:
    """The name of each test without its file, where no other test has that name."""
    short = {test: test.split("::", 1)[-1] for test in tests}
    count = Counter(short.values())
    return {test: name if count[name] == 1 else test for test, name in short.items()}


def formats_in_order(formats: Iterable[str]) -> list[str]:
    """Each format once: built-in ones in their order, then the others as they came."""
    order = {name: number for number, name in enumerate(BUILT_IN)}
    return sorted(dict.fromkeys(formats), key=lambda name: order.get(name, len(order)))
