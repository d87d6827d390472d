"""A SavedModel for serving: `model.export(folder)`, reloaded with `tf.saved_model.load` and called through `serve`."""

from __future__ import annotations

from typing import Any, Optional

from .. import library
from ..calling import caller
from ..observation import Subject
from ..variables import numbered_weights
from . import SERVED, Options, saved_model, why_not_keras

PROMISES = SERVED
NEEDS = ("tensorflow",)


def supports(model: Any) -> Optional[str]:
    if library.is_model(model) and library.generation(model) == 2 and library.tensorflow_version() < (2, 13):
        return "model.export came with TensorFlow 2.13"
    if library.backend(model) == "torch":
        return "Keras does not export a SavedModel from torch"
    if not library.is_installed("tensorflow"):
        return "Keras exports a SavedModel with TensorFlow, which is not installed"
    return why_not_keras(model)


def save(model: Any, folder: str) -> None:
    if library.generation(model) is None:  # what `load` gave, in a second generation
        saved_model.save(model, folder)
    else:
        model.export(folder)


def load(folder: str, options: Options) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(folder)


def subject(model: Any, options: Options) -> Subject:
    return Subject(model, {"": caller(model, options.template)}, numbered_weights(model))
