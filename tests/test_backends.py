"""Keras 3 models are reloaded with another backend and without TensorFlow; and what is unreadable.

The tests that need another backend run where these variables name an interpreter: the folder of a
virtual environment with Keras 3 and that backend.

    export ROUNDTRIP_TEST_JAX=/path/to/venv ROUNDTRIP_TEST_TORCH=/path/to/venv
    pytest tests/test_backends.py
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from inner_runs import HEADER, default_formats, run_in_process
from shared_interpreters import WithEnvironments

from pytest_modelroundtrip.environments import Environment
from pytest_modelroundtrip.portable import checks, formats, keras_libs
from pytest_modelroundtrip.portable.comparing import Tolerance, differing
from pytest_modelroundtrip.portable.protocol import Interpreter, Machine, WeightValue
from pytest_modelroundtrip.result import Versions

if TYPE_CHECKING:
    from inner_runs import Run

# in another interpreter

MODELS = """
import keras
from keras import layers

rng = np.random.default_rng(0)


def trained(model, x, y):
    model.compile("adam", y if isinstance(y, str) else "mse")
    model.fit(x, rng.normal(size=(len(x), 2)), verbose=0)
    return model, x[:5]


@pytest.mark.roundtrip
def test_dense():
    bounded = keras.constraints.MaxNorm(1.5)
    regularized = layers.Dense(6, kernel_regularizer="l2", kernel_constraint=bounded)
    model = keras.Sequential([keras.Input((4,)), regularized, layers.Dropout(0.5), layers.Dense(2)])
    return trained(model, rng.normal(size=(16, 4)).astype("float32"), "mse")


@pytest.mark.roundtrip
def test_convolution():
    whole = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *whole])
    return trained(model, rng.normal(size=(16, 8, 8, 3)).astype("float32"), "mse")


@pytest.mark.roundtrip
def test_lstm():
    inner = [layers.Embedding(10, 4, mask_zero=True), layers.LSTM(5), layers.Dense(2)]
    model = keras.Sequential([keras.Input((6,)), *inner])
    return trained(model, rng.integers(0, 10, (16, 6)).astype("int32"), "mae")


@pytest.mark.roundtrip
def test_several_inputs():
    one, other = keras.Input((4,), name="one"), keras.Input((3,), name="other")
    joined = layers.Concatenate()([layers.Dense(4)(one), layers.Dense(4)(other)])
    outputs = {"sum": layers.Dense(2)(joined), "product": layers.Dense(1)(joined)}
    model = keras.Model({"one": one, "other": other}, outputs)
    batch = {"one": rng.normal(size=(5, 4)), "other": rng.normal(size=(5, 3))}
    return model, {name: value.astype("float32") for name, value in batch.items()}


@pytest.mark.roundtrip
def test_half():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, dtype="bfloat16")])
    return model, rng.normal(size=(5, 4)).astype("float32")
"""


def _environment(backend: str) -> str:
    """The specification of an environment with that backend."""
    variable = f"ROUNDTRIP_TEST_{backend.upper()}"
    if variable not in os.environ:
        pytest.skip(f"{variable} names no virtual environment with Keras 3 and {backend}")
    return f"{backend}={os.environ[variable]}//env:KERAS_BACKEND={backend}"


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_model_of_tensorflow_is_reloaded(backend: str, run: Run, tmp_path: Path) -> None:
    if not keras_libs._is_keras3_installed():
        pytest.skip("there is no Keras 3 here")
    report = tmp_path / "report.json"
    result = run(
        MODELS,
        f"--roundtrip-define-environment={_environment(backend)}",
        f"--roundtrip-environments={backend}",
        "--roundtrip-formats=keras,weights",
        f"--roundtrip-report={report}",
    )
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines([f"{backend}: reloaded with *{backend} *"])
    roundtrips = json.loads(report.read_text())["roundtrips"]
    versions = [item["versions"]["reloaded"] for item in roundtrips]
    assert {seen["backend"] for seen in versions} == {backend}
    assert not any("tensorflow" in seen for seen in versions)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_what_needs_tensorflow_is_skipped_there(backend: str, run: Run) -> None:
    if not keras_libs._is_keras3_installed():
        pytest.skip("there is no Keras 3 here")
    result = run(
        MODELS,
        f"--roundtrip-define-environment={_environment(backend)}",
        f"--roundtrip-environments={backend}",
        "-k",
        "test_half and (saved_model or hub)",
    )
    result.assert_outcomes(skipped=3, deselected=5 * len(default_formats()) - 3)
    assert "saved_model, hub: tensorflow is not installed there" in result.stdout.str()


# what is imported where


@pytest.mark.parametrize(
    ("chosen", "keras3", "installed", "expected"),
    [
        (None, True, ["tensorflow", "keras"], "tensorflow"),
        ("tensorflow", True, ["tensorflow", "keras"], "tensorflow"),
        ("jax", True, ["tensorflow", "keras"], "keras"),
        ("jax", True, ["keras"], "keras"),
        ("torch", False, ["tensorflow", "keras"], "tensorflow"),  # Keras 2 has no choice
        ("torch", False, ["tensorflow"], "tensorflow"),
        ("jax", False, [], "keras"),  # whose absence is what is wrong there
        (None, False, [], "tensorflow"),
    ],
)
def test_what_is_imported_first(  # noqa: PLR0913
    chosen: str | None,
    keras3: bool,
    installed: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in installed:
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "keras.dist-info").mkdir()
    text = f"Name: keras\nVersion: {'3.15.1' if keras3 else '2.15.0'}\n"
    (tmp_path / "keras.dist-info" / "METADATA").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), sysconfig.get_path("stdlib")])
    for name in ("keras", "tensorflow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if chosen:
        monkeypatch.setenv("KERAS_BACKEND", chosen)
    assert keras_libs.needed([]) == [expected]
    needed = keras_libs.needed(["tensorflow", "tensorflow_hub"])
    assert needed == list(dict.fromkeys([expected, "tensorflow", "tensorflow_hub"]))


def test_another_backend_is_a_difference() -> None:
    tensorflow = {"keras": "3.15.1"}
    jax = {**tensorflow, "backend": "jax"}
    assert Versions(saved=tensorflow, reloaded=jax).differ
    assert Versions(saved=jax, reloaded=tensorflow).differ
    assert not Versions(saved=jax).differ
    assert not Versions(saved=jax, reloaded=jax).differ


@pytest.mark.parametrize(("value", "passed"), [(3, True), (4, False)])
def test_a_counter_of_another_width_is_the_same_across_backends_only(
    value: int, passed: bool
) -> None:
    def seen(count: int, dtype: str) -> checks.Observation:
        iteration = np.array(count, dtype)
        return {"optimizer": [WeightValue("optimizer/iteration", "", None, False, iteration)]}

    expected, actual = seen(3, "int64"), seen(value, "int32")
    assert differing(checks.compare(expected, actual, Tolerance()))
    across = Tolerance(across_backends=True)
    assert (not differing(checks.compare(expected, actual, across))) == passed


# what is unreadable


def _interpreter(installed: list[str], **versions: str) -> Interpreter:
    return Interpreter(versions, installed, Machine("", "", [], 1), [], 0.0, "", True)


WITH_TF_KERAS = ["tensorflow", "keras", "tf_keras"]
TF24 = _interpreter(["tensorflow"], tensorflow="2.4.1")
TF211 = _interpreter(["tensorflow", "keras"], tensorflow="2.11.0", keras="2.11.0")
TF215 = _interpreter(WITH_TF_KERAS, tensorflow="2.15.1", keras="2.15.0")
TF221 = _interpreter(["tensorflow", "keras"], tensorflow="2.21.0", keras="3.15.1")
LEGACY = _interpreter(WITH_TF_KERAS, tensorflow="2.21.0", tf_keras="2.21.0")
JAX = _interpreter(["keras"], keras="3.15.1", jax="0.10.2", backend="jax")
NEEDS_3 = "this needs Keras 3; the environment has "
NEEDS_2 = "this needs Keras 2; the environment has "
SINCE_212 = "the .keras format came with TensorFlow 2.12; the environment has TensorFlow 2.11.0"


@pytest.mark.parametrize(
    ("name", "keras_major", "interpreter", "reason"),
    [
        ("keras", 3, TF215, NEEDS_3 + "Keras 2.15.0"),
        ("h5", 3, TF24, NEEDS_3 + "TensorFlow 2.4.1"),
        ("weights", 3, JAX, None),
        ("weights", 2, JAX, NEEDS_2 + "Keras 3.15.1"),
        ("h5", 2, TF221, NEEDS_2 + "Keras 3.15.1"),
        ("h5", 2, LEGACY, None),
        ("keras", 3, LEGACY, None),
        ("keras", 2, TF215, None),
        ("keras", 2, TF211, SINCE_212),
        ("weights_tf", 2, TF24, None),
        ("keras_saved_model", 2, TF221, NEEDS_2 + "Keras 3.15.1"),
        ("checkpoint", 3, TF215, NEEDS_3 + "Keras 2.15.0"),
        ("checkpoint", None, TF24, None),
        ("saved_model", 3, TF24, None),
        ("saved_model", None, JAX, "tensorflow is not installed there"),
        ("hub", 3, TF221, "tensorflow-hub is not installed there"),
    ],
)
def test_which_interpreter_can_read_it(
    name: str, keras_major: int | None, interpreter: Interpreter, reason: str | None
) -> None:
    fmt = formats.built_in()[name]
    missing = formats.missing_library(fmt.needs, interpreter)
    assert (missing or fmt.unreadable_by(keras_major, interpreter)) == reason


MODEL = """
@pytest.mark.roundtrip
def test_it():
    return dense()
"""


class WithKeras1(Environment):
    """Says that it has a Keras that reads nothing."""

    def probe(self, for_keras: bool = True) -> Interpreter:  # noqa: ARG002
        """Say so, before anything is started."""
        return _interpreter([], keras="1.0")


@pytest.mark.usefixtures("tensorflow")
def test_what_is_unreadable_is_tried_only_where_it_was_asked_for(pytester: pytest.Pytester) -> None:
    def run_with_keras1(*args: str) -> pytest.RunResult:
        pytester.makepyfile(HEADER + MODEL)
        return run_in_process(["-p", "no:cacheprovider", *args], WithEnvironments(WithKeras1))

    other = (
        f"--roundtrip-define-environment=other={sys.executable}",
        "--roundtrip-environments=other,here",
    )
    result = run_with_keras1(*other, "-k", "h5")
    result.assert_outcomes(passed=1, skipped=1, deselected=2 * len(default_formats()) - 2)
    result.stdout.fnmatch_lines(["n/a  h5: this needs Keras ?; the environment has Keras 1.0"])
    run_with_keras1(*other, "--roundtrip-formats=h5").assert_outcomes(passed=2)


def test_an_interpreter_that_is_broken_is_not_called_unable(run: Run) -> None:
    other = (
        "--roundtrip-define-environment=other=/nowhere/python",
        "--roundtrip-environments=other",
    )
    result = run(MODEL, *other, "-k", "h5")
    result.assert_outcomes(failed=1, deselected=len(default_formats()) - 1)
    result.stdout.fnmatch_lines(["*there is no Python at /nowhere/python*"])
