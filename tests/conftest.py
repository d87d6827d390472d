"""What our own tests share: warm interpreters, and a run of pytest in this process that keeps TensorFlow imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_modelroundtrip import session
from pytest_modelroundtrip.environments import Environment

pytest_plugins = ["pytester"]

HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None


class Shared(Environment):
    """Outlives the run that uses it; the next run finds it warm."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def shared_interpreters() -> Iterator[None]:
    """Inner runs get the interpreters of earlier ones, where what travels into them is the same."""
    pool: dict[Any, Shared] = {}

    def environment(*key: Any) -> Environment:
        return pool.setdefault(key, Shared(*key))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "Environment", environment)
        yield
    for shared in pool.values():
        Environment.close(shared)


@pytest.fixture(scope="session")
def tensorflow() -> Any:
    """TensorFlow and all that inner runs import with it, before `pytester` remembers which modules there are."""
    if not HAS_TENSORFLOW:
        pytest.skip("TensorFlow is not installed")
    import tensorflow as tf

    _ = tf.keras.layers
    if importlib.util.find_spec("tensorflow_hub"):
        import tensorflow_hub  # noqa: F401
    return tf


@pytest.fixture
def run(pytester: pytest.Pytester, tensorflow: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`run(source, *args)`: pytest, in this process, on a test file of that source."""
    monkeypatch.setattr(pytest.Pytester, "_Pytester__take_sys_modules_snapshot", lambda self: _Keep())
    monkeypatch.delenv("CI", raising=False)  # there pytest repeats each failure in its last lines
    count = 0

    def run(source: str, *args: str) -> pytest.RunResult:
        nonlocal count
        count += 1
        pytester.makepyfile(**{f"test_{pytester.path.name}_{count}": HEADER + source})
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", f"test_{pytester.path.name}_{count}.py", *args)

    return run


class _Keep:
    """TensorFlow cannot be imported twice in one process, so what was imported stays."""

    def restore(self) -> None:
        pass


HEADER = """
import numpy as np
import pytest
import tensorflow as tf

K, L = tf.keras, tf.keras.layers


def dense():
    return K.Sequential([K.Input((4,)), L.Dense(6, activation="tanh"), L.Dense(3)])


def only_here(x):
    return x + 1

"""
