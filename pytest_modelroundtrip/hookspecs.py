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
    NumPy, `pytest_modelroundtrip.portable`, and inside functions TensorFlow and Keras::

        # npz_format.py
        import os
        import numpy as np
        from pytest_modelroundtrip.portable.formats import Format

        class NpzFormat(Format):
            '''The weights in one .npz file, loaded into the model that a factory builds.'''

            name = "npz"
            keeps = ("weights", "outputs", "self_contained")

            def needs_factory(self, model):
                return 'only weights are kept: pass factory="module:function"'

            def save(self, model, folder):
                np.savez(os.path.join(folder, "weights.npz"), *model.get_weights())

            def load(self, folder, options):
                model = options.factory()
                with np.load(os.path.join(folder, "weights.npz")) as found:
                    model.set_weights([found[name] for name in found.files])
                return model

        # conftest.py
        import npz_format

        def pytest_modelroundtrip_formats(config):
            return [npz_format.NpzFormat]

    Args:
        config: pytest's configuration.

    Returns:
        Classes that subclass `pytest_modelroundtrip.Format`; they are made without arguments.
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
