"""Targets for a training step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_modelroundtrip.portable import keras_libs
from pytest_modelroundtrip.portable.training.targets import targets


def test_an_output_may_be_called_name(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = SimpleNamespace(get=str)
    monkeypatch.setattr(keras_libs, "own_keras", lambda _: SimpleNamespace(losses=losses))
    sparse = "sparse_categorical_crossentropy"
    model: Any = SimpleNamespace(loss={"name": sparse, "other": "mse"})
    made = targets(model, dict.fromkeys(["name", "other"], np.zeros((2, 3), np.float32)))
    assert {key: (array.dtype, array.shape) for key, array in made.items()} == {
        "name": (np.int32, (2,)),
        "other": (np.float32, (2, 3)),
    }
