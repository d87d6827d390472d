"""Runs of pytest inside of our tests: in this process, which keeps TensorFlow imported."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

from pytest_modelroundtrip.portable import formats


class Run(Protocol):
    """Runs pytest in this process on a test file of that source."""

    def __call__(self, source: str, *args: str) -> pytest.RunResult:
        """`args` are those of the command line."""


Check = Callable[..., pytest.RunResult]  # runs pytest in this process on what is in the folder


def run_in_process(args: list[str], *plugins: object) -> pytest.RunResult:
    """Pytest's main in this process, with what it printed."""
    out, err, path = io.StringIO(), io.StringIO(), list(sys.path)
    began = time.perf_counter()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = pytest.main(args, plugins=list(plugins))
    sys.path[:] = path
    seconds = time.perf_counter() - began
    lines = [stream.getvalue().splitlines() for stream in (out, err)]
    return pytest.RunResult(status, lines[0], lines[1], seconds)


def reported(run: Run, source: str, *args: str) -> list[dict[str, Any]]:
    """What the JSON report of a run says of each round trip."""
    run(source, "--roundtrip-report=report.json", *args)
    found: list[dict[str, Any]] = json.loads(Path("report.json").read_text())["roundtrips"]
    return found


def version_of(tensorflow: ModuleType) -> tuple[int, ...]:
    """Its major and minor version."""
    return tuple(map(int, tensorflow.__version__.split(".")[:2]))


def default_formats() -> list[str]:
    """The names of the built-in formats that a test gets which asks for none."""
    return [name for name, fmt in formats.built_in().items() if not fmt.on_request]


def adding_formats(*references: str) -> str:
    """The source of a conftest that adds these formats: "module:Class"."""
    pairs = [reference.split(":") for reference in references]
    imports = "".join(f"import {module}\n" for module, _ in pairs)
    classes = ", ".join(f"{module}.{name}" for module, name in pairs)
    return f"{imports}\ndef pytest_modelroundtrip_formats(config):\n    return [{classes}]\n"


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

# the beginning of a module with classes that it registers
REGISTERING = """
import numpy as np
import tensorflow as tf

K, L = tf.keras, tf.keras.layers
try:
    register = K.saving.register_keras_serializable
except AttributeError:  # TensorFlow before 2.12
    register = K.utils.register_keras_serializable
"""

# a conftest that runs each test twice, as plugins do that repeat failures
RUNS_TWICE = """
import pytest

repeated = []

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if item not in repeated:
        repeated.append(item)
        for _ in range(2):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        return True
"""
