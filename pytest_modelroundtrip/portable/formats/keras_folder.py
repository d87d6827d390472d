"""The format `keras_folder`."""

from __future__ import annotations

from typing import ClassVar

from .. import keras_libs
from ..aliases import Model
from ._keras3 import Keras3Format
from .keras import KerasFormat


class KerasFolderFormat(Keras3Format, KerasFormat):
    """What `.keras` holds, in a folder: `save_model(..., zipped=False)`, then `load_model`."""

    name = "keras_folder"
    filename = ""
    on_request: ClassVar[bool] = True
    since = (3, 4)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        keras_libs.own_keras(model).saving.save_model(model, folder, zipped=False)
