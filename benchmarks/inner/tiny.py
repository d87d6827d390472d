"""Round trips of a tiny model, each with a model of its own."""

from __future__ import annotations

import os
from typing import Any

import pytest

from benchmarks import models


@pytest.mark.roundtrip(formats=["keras"])
@pytest.mark.parametrize("number", range(int(os.environ["BENCHMARK_COUNT"])))
def test_tiny(number: int) -> Any:
    """The same model each time."""
    del number
    model, arguments = models.build("dense")
    return (model, *arguments)
