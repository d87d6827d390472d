"""What the formats that Keras' `load_model` reads have in common."""

from __future__ import annotations

import inspect
import os
from typing import ClassVar, Dict, Optional

from .. import keras_libs
from ..aliases import Model
from ..models import creation
from ..protocol import Interpreter
from . import WHOLE_MODEL, Format, LoadOptions, not_a_keras_model, other_keras


class KerasFileFormat(Format):
    """A whole Keras model in one file or folder."""

    keeps = WHOLE_MODEL
    filename: ClassVar[str]  # in the artifact; "" where the artifact itself is the folder

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        return not_a_keras_model(model)

    def unreadable_by(self, keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:
        """Why that interpreter cannot load a model of that major version of Keras, or None."""
        return other_keras(keras_major, interpreter)

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The live model from that folder."""
        return load_keras(os.path.join(folder, self.filename), options)


def load_keras(path: str, options: LoadOptions) -> Model:
    """Load a model with the `load_model` of its own Keras."""
    loader = keras_libs.keras(options.keras_major or 3).models.load_model
    since_2_12: Dict[str, bool] = {}  # arguments that came with TensorFlow 2.12
    if "safe_mode" in inspect.signature(loader).parameters:
        since_2_12 = {"safe_mode": options.safe_mode}
    return creation.loaded(
        lambda: loader(path, custom_objects=dict(options.custom_objects), **since_2_12)
    )
