"""The format `export`."""

from __future__ import annotations

from typing import Optional

from .. import keras_libs
from ..aliases import Model
from ..models import calling, model_weights
from ..subject import Subject
from . import LoadOptions, not_a_keras_model
from .saved_model import SavedModelFormat


class ExportFormat(SavedModelFormat):
    """A SavedModel for serving: `model.export(folder)`, reloaded with `tf.saved_model.load`.

    It is called through `serve`.
    """

    name = "export"

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        is_keras2_model = keras_libs.is_model(model) and keras_libs.keras_major(model) == 2
        if is_keras2_model and keras_libs.tensorflow_version() < (2, 13):
            return "model.export came with TensorFlow 2.13"
        if keras_libs.backend(model) == "torch":
            return "Keras does not export a SavedModel from torch"
        if not keras_libs.is_installed("tensorflow"):
            return "Keras exports a SavedModel with TensorFlow, which is not installed"
        return not_a_keras_model(model)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        if keras_libs.keras_major(model) is None:  # what `load` returned, in a second generation
            super().save(model, folder)
        else:
            model.export(folder)

    def subject(self, model: Model, options: LoadOptions) -> Subject:
        """The model by the positions of its variables."""
        call = calling.caller(model, options.structure)
        return Subject(model, {"": call}, model_weights.numbered_weights(model))
