"""A Keras 3 model is reloaded by the Keras of another backend, where there is no TensorFlow; and what cannot be read there.

What needs such an interpreter runs where the environment says which, each the folder of a virtual environment with Keras 3:

    ROUNDTRIP_TEST_JAX=/path/to/venv ROUNDTRIP_TEST_TORCH=/path/to/venv pytest tests/test_backends.py
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_modelroundtrip.comparison import Tolerance, compare
from pytest_modelroundtrip.environments import Environment
from pytest_modelroundtrip.portable import formats, library

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
    regularized = layers.Dense(6, kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(1.5))
    model = keras.Sequential([keras.Input((4,)), regularized, layers.Dropout(0.5), layers.Dense(2)])
    return trained(model, rng.normal(size=(16, 4)).astype("float32"), "mse")


@pytest.mark.roundtrip
def test_convolution():
    whole = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
    return trained(keras.Sequential([keras.Input((8, 8, 3)), *whole]), rng.normal(size=(16, 8, 8, 3)).astype("float32"), "mse")


@pytest.mark.roundtrip
def test_lstm():
    model = keras.Sequential([keras.Input((6,)), layers.Embedding(10, 4, mask_zero=True), layers.LSTM(5), layers.Dense(2)])
    return trained(model, rng.integers(0, 10, (16, 6)).astype("int32"), "mae")


@pytest.mark.roundtrip
def test_several_inputs():
    one, other = keras.Input((4,), name="one"), keras.Input((3,), name="other")
    joined = layers.Concatenate()([layers.Dense(4)(one), layers.Dense(4)(other)])
    model = keras.Model({"one": one, "other": other}, {"sum": layers.Dense(2)(joined), "product": layers.Dense(1)(joined)})
    return model, {"one": rng.normal(size=(5, 4)).astype("float32"), "other": rng.normal(size=(5, 3)).astype("float32")}


@pytest.mark.roundtrip
def test_half():
    return keras.Sequential([keras.Input((4,)), layers.Dense(8, dtype="bfloat16")]), rng.normal(size=(5, 4)).astype("float32")
"""


def _environment(backend: str) -> str:
    """The specification of an environment with that backend."""
    variable = f"ROUNDTRIP_TEST_{backend.upper()}"
    if variable not in os.environ:
        pytest.skip(f"{variable} names no virtual environment with Keras 3 and {backend}")
    return f"{backend}={os.environ[variable]}//env:KERAS_BACKEND={backend}"


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_what_tensorflow_computed_is_reloaded(backend: str, run: Any, tmp_path: Path) -> None:
    if not library._is_keras3_installed():
        pytest.skip("there is no Keras 3 here")
    told = tmp_path / "report.json"
    result = run(
        MODELS,
        f"--roundtrip-environment={_environment(backend)}",
        f"--roundtrip-environments={backend}",
        "--roundtrip-formats=keras,weights",
        f"--roundtrip-report={told}",
    )
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines([f"{backend}: reloaded with *{backend} *"])
    versions = [item["versions"]["reloaded"] for item in json.loads(told.read_text())["roundtrips"]]
    assert {seen["backend"] for seen in versions} == {backend}
    assert not any("tensorflow" in seen for seen in versions)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_what_needs_tensorflow_is_skipped_there(backend: str, run: Any) -> None:
    if not library._is_keras3_installed():
        pytest.skip("there is no Keras 3 here")
    only = f"--roundtrip-environments={backend}"
    result = run(MODELS, f"--roundtrip-environment={_environment(backend)}", only, "-k", "test_half and (saved_model or hub)")
    result.assert_outcomes(skipped=3, deselected=42)
    assert "saved_model, hub: tensorflow is not installed there" in result.stdout.str()


# what is imported where


@pytest.mark.parametrize(
    ("chosen", "keras3", "there", "expected"),
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
def test_what_is_imported_first(
    chosen: str | None, keras3: bool, there: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(library, "_is_keras3_installed", lambda: keras3)
    monkeypatch.setattr(library, "is_installed", lambda name: name in there)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if chosen:
        monkeypatch.setenv("KERAS_BACKEND", chosen)
    assert library.needed([]) == [expected]
    assert library.needed(["tensorflow", "tensorflow_hub"]) == list(dict.fromkeys([expected, "tensorflow", "tensorflow_hub"]))


def test_another_backend_is_a_difference() -> None:
    keras = {"keras": "3.15.1"}
    assert library.differ({"saved": keras, "reloaded": {**keras, "backend": "jax"}})
    assert library.differ({"saved": {**keras, "backend": "jax"}, "reloaded": keras})
    assert not library.differ({"saved": {**keras, "backend": "jax"}})
    assert not library.differ({"saved": {**keras, "backend": "jax"}, "reloaded": {**keras, "backend": "jax"}})


@pytest.mark.parametrize(("value", "passed"), [(3, True), (4, False)])
def test_a_counter_of_another_width_is_the_same_across_backends_only(value: int, passed: bool) -> None:
    def seen(count: int, dtype: str) -> dict[str, Any]:
        counter = {"path": "optimizer/iteration", "place": "", "tied": None, "trainable": False, "value": np.array(count, dtype)}
        return {"optimizer": [counter]}

    before, after = seen(3, "int64"), seen(value, "int32")
    assert compare(before, after, Tolerance()).differences
    assert (not compare(before, after, Tolerance(backends=True)).differences) == passed


# what cannot be read there


TF24 = {"versions": {"tensorflow": "2.4.1"}, "installed": ["tensorflow"]}
TF211 = {"versions": {"tensorflow": "2.11.0", "keras": "2.11.0"}, "installed": ["tensorflow", "keras"]}
TF215 = {"versions": {"tensorflow": "2.15.1", "keras": "2.15.0"}, "installed": ["tensorflow", "keras", "tf_keras"]}
TF221 = {"versions": {"tensorflow": "2.21.0", "keras": "3.15.1"}, "installed": ["tensorflow", "keras"]}
LEGACY = {"versions": {"tensorflow": "2.21.0", "tf_keras": "2.21.0"}, "installed": ["tensorflow", "keras", "tf_keras"]}
JAX = {"versions": {"keras": "3.15.1", "jax": "0.10.2", "backend": "jax"}, "installed": ["keras"]}
READ_BY_3 = "a model of Keras 3 is read by Keras 3 only; there is "
READ_BY_2 = "a model of Keras 2 is read by Keras 2 only; there is "


@pytest.mark.parametrize(
    ("name", "generation", "there", "reason"),
    [
        ("keras", 3, TF215, READ_BY_3 + "Keras 2.15.0"),
        ("h5", 3, TF24, READ_BY_3 + "TensorFlow 2.4.1"),
        ("weights", 3, JAX, None),
        ("weights", 2, JAX, READ_BY_2 + "Keras 3.15.1"),
        ("h5", 2, TF221, READ_BY_2 + "Keras 3.15.1"),
        ("h5", 2, LEGACY, None),
        ("keras", 3, LEGACY, None),
        ("keras", 2, TF215, None),
        ("keras", 2, TF211, "the .keras format came with TensorFlow 2.12; there is TensorFlow 2.11.0"),
        ("weights_tf", 2, TF24, None),
        ("keras_saved_model", 2, TF221, READ_BY_2 + "Keras 3.15.1"),
        ("checkpoint", 3, TF215, READ_BY_3 + "Keras 2.15.0"),
        ("checkpoint", None, TF24, None),
        ("saved_model", 3, TF24, None),
        ("saved_model", None, JAX, "tensorflow is not installed there"),
        ("hub", 3, TF221, "tensorflow-hub is not installed there"),
    ],
)
def test_who_can_read_it(name: str, generation: int | None, there: dict[str, Any], reason: str | None) -> None:
    fmt = importlib.import_module(f"{formats.__name__}.{name}")
    found = formats.why_not_needed(getattr(fmt, "NEEDS", ()), there)
    if found is None and hasattr(fmt, "why_not_there"):
        found = fmt.why_not_there(generation, there)
    assert found == reason


MODEL = """
@pytest.mark.roundtrip
def test_it():
    return dense()
"""


def test_what_cannot_be_read_there_is_tried_only_where_it_was_asked_for(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environment, "probe", lambda self: {"versions": {"keras": "1.0"}, "installed": []})
    there = (f"--roundtrip-environment=other={sys.executable}", "--roundtrip-environments=other,here")
    result = run(MODEL, *there, "-k", "h5")
    result.assert_outcomes(passed=1, skipped=1, deselected=16)
    result.stdout.fnmatch_lines(["n/a  h5: a model of Keras ? is read by Keras ? only; there is Keras 1.0"])
    run(MODEL, *there, "--roundtrip-formats=h5").assert_outcomes(passed=2)


def test_an_interpreter_that_is_broken_is_not_called_unable(run: Any) -> None:
    there = ("--roundtrip-environment=other=/nowhere/python", "--roundtrip-environments=other")
    result = run(MODEL, *there, "-k", "h5")
    result.assert_outcomes(failed=1, deselected=8)
    result.stdout.fnmatch_lines(["*there is no Python at /nowhere/python*"])
