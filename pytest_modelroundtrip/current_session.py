"""The session of a run of pytest, made when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .session import Session

SESSION = pytest.StashKey["Session"]()


def session_of(config: pytest.Config) -> Session:
    """The session of the run with that configuration."""
    if SESSION not in config.stash:
        from .session import Session  # here, since it imports NumPy and execnet

        config.stash[SESSION] = Session(config)
    return config.stash[SESSION]
