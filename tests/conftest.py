"""What our own tests share: warm interpreters, and runs of pytest in this process."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import sabotage
from inner_runs import HEADER, Check, Run, run_in_process
from shared_interpreters import SharedInterpreters

import pytest_modelroundtrip

pytest_plugins = ["pytester"]
collect_ignore = ["third_party"]  # they need packages of their own: `tox -e third-party`

HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what imports TensorFlow, which most such tests do in an interpreter too."""
    for item in items:
        if "tensorflow" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared_interpreters() -> Iterator[SharedInterpreters]:
    """The interpreters of all inner runs."""
    shared = SharedInterpreters()
    yield shared
    shared.end()


@pytest.fixture(scope="session")
def tensorflow() -> ModuleType:
    """TensorFlow, and all that inner runs import besides.

    At the end of a test `pytester` forgets each module that was imported in it.
    """
    if not HAS_TENSORFLOW:
        pytest.skip("TensorFlow is not installed")
    import tensorflow as tf

    _ = tf.keras.layers  # imported at the first touch
    if importlib.util.find_spec("tensorflow_hub"):
        import tensorflow_hub  # noqa: F401
    for module in pkgutil.walk_packages(pytest_modelroundtrip.__path__, "pytest_modelroundtrip."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert isinstance(tf, ModuleType)
    return tf


@pytest.fixture
def run(
    pytester: pytest.Pytester,
    tensorflow: ModuleType,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    shared_interpreters: SharedInterpreters,
) -> Run:
    """`run(source, *args)`.

    Pytester's own in-process runs forget what was imported in them, and TensorFlow cannot be
    imported twice in one process.
    """
    monkeypatch.delenv("CI", raising=False)  # there pytest repeats failures in its last lines
    count = 0

    def run(source: str, *args: str) -> pytest.RunResult:
        nonlocal count
        count += 1
        name = f"test_{pytester.path.name}_{count}"
        pytester.makepyfile(**{name: HEADER + source})
        return run_in_process(["-p", "no:cacheprovider", f"{name}.py", *args], shared_interpreters)

    return run


@pytest.fixture
def check(pytester: pytest.Pytester, shared_interpreters: SharedInterpreters) -> Check:
    """`check(*args)` runs pytest here; the interpreters are those of the other runs."""

    def check(*args: str) -> pytest.RunResult:
        assert pytester.path == Path.cwd()
        return run_in_process([*args], shared_interpreters)

    return check


@pytest.fixture
def keras_format(tensorflow: ModuleType) -> None:  # noqa: ARG001
    """Skips where `.keras` does not hold a whole model."""
    if sabotage.base_formats()["whole"] != "keras":
        pytest.skip("this TensorFlow has no .keras")
