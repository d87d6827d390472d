"""The format `orbax`."""

from __future__ import annotations

import os
from typing import ClassVar, Optional, Tuple

from .. import keras_libs
from ..aliases import Model
from ._keras3 import Keras3Format
from ._keras_file import KerasFileFormat


class OrbaxFormat(Keras3Format, KerasFileFormat):
    """What `keras.callbacks.OrbaxCheckpoint` writes after an epoch, reloaded with `load_model`.

    It writes in the background, and is waited for.
    """

    name = "orbax"
    filename = "checkpoints"
    needs: ClassVar[Tuple[str, ...]] = ("orbax",)
    on_request: ClassVar[bool] = True
    since = (3, 14)

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = super().unsupported(model)
        if reason is None and not keras_libs.is_installed("orbax"):
            return "orbax-checkpoint is not installed: install pytest-modelroundtrip[orbax]"
        if reason is None and not model.compiled:
            return "OrbaxCheckpoint is a callback of `fit`, and the model is not compiled"
        return reason

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        path = os.path.join(folder, self.filename)
        callback = keras_libs.own_keras(model).callbacks.OrbaxCheckpoint(directory=path)
        callback.set_model(model)
        callback.on_epoch_end(0)
        callback.wait_until_finished()
        callback.on_train_end()
