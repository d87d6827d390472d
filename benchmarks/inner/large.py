"""A large model in one format, with the plugin and by hand."""

from __future__ import annotations

import os
from typing import Any

import pytest

from benchmarks import by_hand, models

NAME, FORMAT = os.environ["BENCHMARK_MODEL"], os.environ["BENCHMARK_FORMAT"]


@pytest.mark.roundtrip(formats=[FORMAT])
def test_ours() -> Any:
    """With the plugin."""
    model, arguments = models.build(NAME)
    return (model, *arguments)


def test_by_hand() -> None:
    """In this process."""
    model, arguments = models.build(NAME)
    by_hand.round_trip(NAME, model, arguments, FORMAT)
