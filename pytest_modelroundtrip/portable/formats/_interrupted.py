"""What the formats of a `fit` that is interrupted and resumed have in common.

It is interrupted as its second epoch begins. The artifact is what a callback of Keras' has written
by then.
"""

from __future__ import annotations

import abc
import json
import os
import shutil
import tempfile
from typing import Any, NamedTuple, Optional

from .. import keras_libs
from ..aliases import Model
from ..models.undoing import undone
from ..training.training_run import FIRST_PART, Epoch, History, TrainingRun
from . import LoadOptions, UnsupportedError, not_a_keras_model
from ._resumed import ResumedFormat

FIRST_EPOCHS = "first_epochs.json"  # in the artifact: those before the interruption


class Resumable(NamedTuple):
    """What a training goes on with."""

    model: Model
    initial_epoch: int = 0  # for `fit`, where the callback does not restore it


class InterruptedFormat(ResumedFormat):
    """A `fit` that is interrupted, and goes on in the clean interpreter."""

    @abc.abstractmethod
    def callback(self, model: Model, folder: str) -> Any:
        """The callback of Keras' that writes what a training goes on from into that folder."""

    @abc.abstractmethod
    def resumable(self, folder: str, options: LoadOptions) -> Resumable:
        """The model from that folder, or a new one that the callback restores."""

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = super().unsupported(model) or not_a_keras_model(model)
        if reason:
            return reason
        if not self.train_takes([]):
            return "train must accept a list of callbacks: def train(model, callbacks)"
        if getattr(model, "optimizer", None) is None:
            return "the model is not compiled with an optimizer"
        if keras_libs.keras_major(model) == 2 and keras_libs.tensorflow_version() < (2, 15):
            return "with Keras 2 this needs TensorFlow 2.15"
        return None

    def whole_training(self, model: Model) -> History:
        """Train the model, and note the state as its second epoch begins.

        Raises:
            UnsupportedError: where there is no second epoch.
        """
        run = TrainingRun(model, second_part=FIRST_PART)
        run.train(self.train_function, [])
        if not run.history.resumed_with:
            raise UnsupportedError(
                f"train trained {len(run.history.epochs)} epochs. It must pass its callbacks to "
                f"fit, and train at least one more epoch after epoch {FIRST_PART}"
            )
        return run.history

    def save(self, model: Model, folder: str) -> None:
        """Write what is there when the training is interrupted."""
        run = TrainingRun(model, second_part=FIRST_PART, interrupted=True)
        with undone(model):
            run.train(self.train_function, [self.callback(model, folder)])
        with open(os.path.join(folder, FIRST_EPOCHS), "w") as out:
            json.dump(run.history.epochs, out)

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The model at the end of the training, which goes on from that folder."""
        with open(os.path.join(folder, FIRST_EPOCHS)) as source:
            first = [Epoch(*epoch) for epoch in json.load(source)]
        with tempfile.TemporaryDirectory() as temporary:  # callbacks write and delete
            copy = shutil.copytree(folder, os.path.join(temporary, "copy"))
            model, initial_epoch = self.resumable(copy, options)
            run = TrainingRun(model)
            run.train(self.train_function, [self.callback(model, copy)], initial_epoch)
        self._history = run.history._replace(epochs=[*first, *run.history.epochs])
        return model
