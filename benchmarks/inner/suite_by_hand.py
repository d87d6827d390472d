"""The small models in every format, saved, loaded and called in this process."""

from __future__ import annotations

import pytest

from benchmarks import by_hand, models
from benchmarks.models import Made


@pytest.fixture(scope="module", params=models.SMALL)
def made(request: pytest.FixtureRequest) -> tuple[str, Made]:
    """A model, built once for all its formats."""
    return request.param, models.build(request.param)


@pytest.mark.parametrize("format_name", models.FORMATS)
def test_round_trip(made: tuple[str, Made], format_name: str) -> None:
    """It comes back."""
    name, (model, arguments) = made
    if format_name not in models.formats_of(name):
        pytest.skip("the format cannot hold it")
    by_hand.round_trip(name, model, arguments, format_name)
