"""A model that is random in training mode is not compared in it, however alike two calls are."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.portable.checks import NotChecked
from pytest_modelroundtrip.portable.subject import TRAINING, keras_subject
from pytest_modelroundtrip.reference.model import single


def _rarely_noisy(tf: ModuleType) -> Any:
    """Draws in each training step; what it draws shows in one step of a billion."""

    class RarelyNoisy(tf.keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any, training: bool = False) -> Any:
            return x + tf.cast(tf.random.uniform(()) < 1e-9, x.dtype) if training else x

    return RarelyNoisy()


LAYERS: dict[str, Callable[[Any], Any]] = {
    "dropout": lambda tf: tf.keras.layers.Dropout(0.9999999),  # which drops everything
    "own": _rarely_noisy,
    "norm": lambda tf: tf.keras.layers.BatchNormalization(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_training_mode(tensorflow: ModuleType, name: str) -> None:
    model = tensorflow.keras.Sequential(
        [tensorflow.keras.Input((2,)), tensorflow.keras.layers.Dense(2), LAYERS[name](tensorflow)]
    )
    model.compile("sgd", "mse")
    (part,) = single(model, (), {}).parts.values()
    assert (TRAINING in [batch.name for batch in part.calls.batches]) == (name == "norm")
    subject = keras_subject(model)._replace(batches=part.calls.batches)
    seen = checks.observe(subject, ["training"])["training"]
    keeps_seeds = hasattr(tensorflow.keras, "ops")  # Keras 3, whose dropout has a seed of its own
    is_checked = name == "norm" or (name == "dropout" and keeps_seeds)
    assert isinstance(seen, NotChecked) != is_checked
    if not is_checked:
        assert "it draws random numbers" in seen.not_checked
