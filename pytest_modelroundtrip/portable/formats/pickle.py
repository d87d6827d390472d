"""The format `pickle`."""

from __future__ import annotations

import os
import pickle
from typing import ClassVar, Optional

from .. import keras_libs
from ..aliases import Model
from ..models import creation
from . import LoadOptions
from .keras import KerasFormat


class PickleFormat(KerasFormat):
    """What `.keras` holds, in a pickle: `pickle.dump(model, file)`, then `pickle.load`.

    A pickle runs any code as it is loaded, and Keras loads the model in it with `safe_mode=False`.
    """

    name = "pickle"
    filename = "model.pickle"
    on_request: ClassVar[bool] = True

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = super().unsupported(model)
        if reason is None and keras_libs.keras_major(model) == 3:
            installed = str(keras_libs.own_keras(model).__version__)
            if keras_libs.numbers(installed) < (3, 3):
                return f"models can be pickled since Keras 3.3; this is Keras {installed}"
        return reason

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        with open(os.path.join(folder, self.filename), "wb") as out:
            pickle.dump(model, out)

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The live model from that folder."""
        keras = keras_libs.keras(options.keras_major or 3)
        with keras.utils.custom_object_scope(dict(options.custom_objects)):
            return creation.loaded(lambda: _unpickled(os.path.join(folder, self.filename)))


def _unpickled(path: str) -> Model:
    with open(path, "rb") as source:
        return pickle.load(source)
