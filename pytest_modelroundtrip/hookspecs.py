"""The hooks that other plugins and conftest files can implement."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .roundtrip import RoundTrip


@pytest.hookspec
def pytest_modelroundtrip_formats(config: pytest.Config) -> list[ModuleType]:  # type: ignore[empty-body]
    """Add formats: modules with `PROMISES`, `supports`, `save`, `load` and `subject`, see `portable.formats`.

    A format's name is the last part of its module's name. Its source travels into the clean interpreter, so it may import the
    standard library, NumPy, TensorFlow, Keras (inside functions) and `pytest_modelroundtrip.portable`, nothing else::

        import my_format

        def pytest_modelroundtrip_formats(config):
            return [my_format]
    """


@pytest.hookspec
def pytest_modelroundtrip_environments(config: pytest.Config) -> dict[str, str]:  # type: ignore[empty-body]
    """Add environments: names and specifications, as in the ini option `roundtrip_environments`.


    def pytest_modelroundtrip_environments(config):
        return {"server": "ssh=server//python=/opt/venv/bin/python"}
    """


@pytest.hookspec
def pytest_modelroundtrip_finished(trip: RoundTrip, config: pytest.Config) -> None:
    """See the result of each round trip, in the process that made it, before its artefact is deleted."""
