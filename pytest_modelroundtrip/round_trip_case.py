"""What one item of pytest does. This is imported in every run of pytest, so it must be light."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from . import setting_values
from .settings import Settings


@dataclass(frozen=True)
class RoundTripCase:
    """A format, an environment and the settings of its test."""

    format: str
    environment: str
    settings: Settings

    @property
    def id(self) -> str:
        """As it stands in the id of the item: `keras`, `keras-tf215`."""
        return setting_values.case_id(self.format, self.environment)


CASE = pytest.StashKey[RoundTripCase]()  # of an item that is not a function: it has no parameters
