"""The format `model_checkpoint`."""

from __future__ import annotations

import os
import re
from typing import Any, Optional

from .. import checks, keras_libs
from ..aliases import Model
from . import LoadOptions
from ._interrupted import InterruptedFormat, Resumable
from ._keras_file import load_keras

FILENAME = "epoch{epoch:02d}.keras"  # the callback puts the number of the epoch in


class ModelCheckpointFormat(InterruptedFormat):
    """The file of the callback `ModelCheckpoint`, reloaded with `load_model` and trained on."""

    name = "model_checkpoint"
    keeps = tuple(name for name in checks.NAMES if name != "training")
    keeps_execution = True

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = super().unsupported(model)
        if reason is None and not self.train_takes([], initial_epoch=1):
            return "train must accept initial_epoch: def train(model, callbacks, initial_epoch=0)"
        return reason

    def callback(self, model: Model, folder: str) -> Any:
        """The callback of Keras' that writes what a training goes on from into that folder."""
        callbacks = keras_libs.own_keras(model).callbacks
        return callbacks.ModelCheckpoint(os.path.join(folder, FILENAME))

    def resumable(self, folder: str, options: LoadOptions) -> Resumable:
        """The model of the last file, and how many epochs it was trained."""
        found = [re.fullmatch(r"epoch(\d+)\.keras", name) for name in os.listdir(folder)]
        epoch = max(int(match[1]) for match in found if match)
        model = load_keras(os.path.join(folder, FILENAME.format(epoch=epoch)), options)
        return Resumable(model, epoch)
