"""The format `backup_and_restore`."""

from __future__ import annotations

import os
from typing import Any

from .. import keras_libs
from ..aliases import Model
from . import LoadOptions
from ._interrupted import InterruptedFormat, Resumable
from ._recompiled import RecompiledFormat, recompiled, save_recipe

BACKUP = "backup"


class BackupAndRestoreFormat(InterruptedFormat, RecompiledFormat):
    """An interrupted `fit` that the callback `BackupAndRestore` resumes in a rebuilt model."""

    name = "backup_and_restore"

    def callback(self, model: Model, folder: str) -> Any:
        """The callback of Keras' that writes what a training goes on from into that folder."""
        callbacks = keras_libs.own_keras(model).callbacks
        return callbacks.BackupAndRestore(os.path.join(folder, BACKUP))

    def save(self, model: Model, folder: str) -> None:
        """Write what is there when the training is interrupted."""
        save_recipe(model, folder)
        super().save(model, folder)

    def resumable(self, folder: str, options: LoadOptions) -> Resumable:
        """A new model, compiled as the original is."""
        return Resumable(recompiled(folder, options))
