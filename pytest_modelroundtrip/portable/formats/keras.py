"""The format `keras`."""

from __future__ import annotations

import os
from typing import Optional

from .. import keras_libs
from ..aliases import Model
from ..protocol import Interpreter
from ._keras_file import KerasFileFormat


class KerasFormat(KerasFileFormat):
    """Keras' own format: `model.save("model.keras")`, reloaded with `load_model`."""

    name = "keras"
    filename = "model.keras"
    keeps_execution = True  # no other file does

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        if _is_keras2_model(model) and keras_libs.tensorflow_version() < (2, 12):
            return "the .keras format came with TensorFlow 2.12"
        return super().unsupported(model)

    def unreadable_by(self, keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:
        """Why that interpreter cannot load a model of that major version of Keras, or None."""
        tensorflow = interpreter.versions.get("tensorflow")
        if tensorflow and keras_libs.numbers(tensorflow) < (2, 12):
            reason = (
                "the .keras format came with TensorFlow 2.12; the environment has TensorFlow %s"
            )
            return reason % tensorflow
        return super().unreadable_by(keras_major, interpreter)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        path = os.path.join(folder, self.filename)
        if keras_libs.keras_major(model) == 2 and keras_libs.tensorflow_version() < (2, 13):
            # without it, TensorFlow 2.12 writes HDF5 under this name
            model.save(path, save_format="keras_v3")
        else:
            model.save(path)


def _is_keras2_model(model: Model) -> bool:
    return keras_libs.is_model(model) and keras_libs.keras_major(model) == 2
