"""The hooks that other plugins and conftest files can implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .portable.formats import Format
    from .result import RoundTrip


@pytest.hookspec
def pytest_modelroundtrip_formats(  # type: ignore[empty-body]
    config: pytest.Config,
) -> list[type[Format]]:
    """Add formats.

    The module of the class travels into the clean interpreter. It may import the standard library,
    NumPy, `pytest_modelroundtrip.portable.format_api`, and inside functions TensorFlow and Keras::

        # quantized.py
        from pytest_modelroundtrip.portable.format_api import KerasFormat

        class QuantizedFormat(KerasFormat):
            '''A .keras file of a model that is quantized when it is loaded.'''

            name = "quantized"
            keeps = ("outputs", "self_contained")

            def load(self, folder, options):
                model = super().load(folder, options)
                model.quantize("int8")
                return model

        # conftest.py
        import quantized

        def pytest_modelroundtrip_formats(config):
            return [quantized.QuantizedFormat]

    docs/own_formats.md has an example that saves and loads by itself.

    Args:
        config: pytest's configuration.

    Returns:
        Classes that subclass `Format`; they are made without arguments.
    """


@pytest.hookspec
def pytest_modelroundtrip_environments(  # type: ignore[empty-body]
    config: pytest.Config,
) -> dict[str, str]:
    """Define environments, as the ini option `roundtrip_define_environment` does::

        def pytest_modelroundtrip_environments(config):
            return {"server": "ssh=server//python=/opt/venv/bin/python"}

    Args:
        config: pytest's configuration.

    Returns:
        Specifications by the name of the environment.
    """


@pytest.hookspec
def pytest_modelroundtrip_finished(trip: RoundTrip, config: pytest.Config) -> None:
    """See each result, in the process that made it, before its artifact is deleted::

        def pytest_modelroundtrip_finished(trip, config):
            if trip.passed:
                shutil.copytree(trip.artifact, f"release/{trip.format}")

    Args:
        trip: the result.
        config: pytest's configuration.
    """
