"""A thousand tests with as many items as marked ones have, by hand; they are collected only."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_modelroundtrip.portable.format_names import BUILT_IN


def parametrized() -> Callable[[str], None]:
    """A test."""

    @pytest.mark.parametrize("format_name", BUILT_IN)
    def test(format_name: str) -> None:
        del format_name

    return test


for number in range(1000):
    globals()[f"test_{number}"] = parametrized()
