"""What the unit tests share, and how many examples hypothesis tries.

HYPOTHESIS_PROFILE=thorough pytest tests/unit
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from pytest_modelroundtrip.environments import HERE
from pytest_modelroundtrip.environments.archive import portable_archive
from pytest_modelroundtrip.environments.connection import Connection

settings.register_profile("quick", max_examples=50, deadline=None, database=None)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=5000)
settings.register_profile(
    "mutants",  # quick to fail, and the same examples in each run
    settings.get_profile("quick"),
    max_examples=25,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="module")
def no_tensorflow() -> Iterator[None]:
    """Importing TensorFlow raises ImportError."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tensorflow", None)
        yield


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection to the real worker."""
    made = Connection(HERE, portable_archive([]), 60)
    yield made
    made.close()
