"""Keras' own format: `model.save("model.keras")`, reloaded with `load_model`."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from .. import library
from ..observation import Subject, keras_subject
from . import WHOLE, Options, load_keras, why_not_its_keras, why_not_keras

PROMISES = WHOLE


def supports(model: Any) -> Optional[str]:
    if library.is_model(model) and library.generation(model) == 2 and library.tensorflow_version() < (2, 12):
        return "the .keras format came with TensorFlow 2.12"
    return why_not_keras(model)


def why_not_there(generation: Optional[int], there: Dict[str, Any]) -> Optional[str]:
    tensorflow = there["versions"].get("tensorflow")
    if tensorflow and library.numbers(tensorflow) < (2, 12):
        return "the .keras format came with TensorFlow 2.12; there is TensorFlow %s" % tensorflow
    return why_not_its_keras(generation, there)


def save(model: Any, folder: str) -> None:
    path = os.path.join(folder, "model.keras")
    if library.generation(model) == 2 and library.tensorflow_version() < (2, 13):
        model.save(path, save_format="keras_v3")  # without it, TensorFlow 2.12 writes HDF5 under this name
    else:
        model.save(path)


def load(folder: str, options: Options) -> Any:
    return load_keras(os.path.join(folder, "model.keras"), options)


def subject(model: Any, options: Options) -> Subject:
    return keras_subject(model)
