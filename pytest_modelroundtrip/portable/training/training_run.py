"""One training by the user's own function: what its epochs logged, and where it is interrupted."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import numpy as np

from .. import keras_libs
from ..aliases import Model, Nest
from ..models import model_weights, optimizers
from ..protocol import WeightValue
from .training_state import ResumedTraining, weight_values

# The user's function. It is called with the model and a list of callbacks for `fit`; where `fit` is
# to go on from a file, with `initial_epoch=n` too. Where it saves and restores by itself, it is
# called with the model, `folder` and `steps`.
Train = Callable[..., object]
FIRST_PART = 1  # epochs or steps before the interruption


class Epoch(NamedTuple):
    """One epoch that was trained."""

    number: int  # from 1, as Keras prints it
    logs: Dict[str, float]  # by name of the loss or metric


class History(NamedTuple):
    """The epochs of a training, and its state where it was interrupted or would have been."""

    epochs: List[Epoch]  # in the order of their training
    resumed_with: int  # the number of the epoch with which the second part begins; 0: with none
    optimizer: List[WeightValue]  # its variables as that epoch begins
    weights: List[WeightValue]
    in_steps: Optional[ResumedTraining] = None  # of a training that has no epochs


class Interruption(BaseException):
    """Ends a training, and passes whatever catches errors."""


class TrainingRun:
    """Trains a model by the user's function, and notes what its epochs begin with and log.

    Args:
        model: a compiled Keras model.
        second_part: the position, from 0, of the epoch whose first state is noted; None: of the
            one that comes first.
        interrupted: whether the training ends as that epoch begins.
    """

    def __init__(
        self, model: Model, second_part: Optional[int] = None, interrupted: bool = False
    ) -> None:
        self._model, self._second_part, self._interrupted = model, second_part, interrupted
        self.history = History([], 0, [], [])

    def train(self, train: Train, callbacks: List[Any], initial_epoch: int = 0) -> None:
        """Call the user's function.

        Args:
            train: that function.
            callbacks: for `fit`, besides the one that notes.
            initial_epoch: for `fit`, where the callbacks do not restore it.
        """
        kinds = keras_libs.own_keras(self._model).callbacks
        noting = kinds.LambdaCallback(on_epoch_begin=self._begin, on_epoch_end=self._end)
        given = {"initial_epoch": initial_epoch} if initial_epoch else {}
        with contextlib.suppress(Interruption):
            train(self._model, [*callbacks, noting], **given)

    def _begin(self, epoch: int, logs: Optional[Dict[str, Nest]] = None) -> None:
        del logs
        if self.history.resumed_with or self._second_part not in (None, epoch):
            return
        self.history = self.history._replace(resumed_with=epoch + 1)
        if self._interrupted:
            raise Interruption
        self.history = self.history._replace(
            optimizer=weight_values(optimizers.optimizer_weights(self._model)),
            weights=weight_values(model_weights.keras_weights(self._model)),
        )

    def _end(self, epoch: int, logs: Optional[Dict[str, Nest]] = None) -> None:
        self.history.epochs.append(Epoch(epoch + 1, _numbers(logs or {})))


def _numbers(logs: Dict[str, Nest]) -> Dict[str, float]:
    arrays = {name: np.asarray(value) for name, value in logs.items()}
    return {
        name: float(array)
        for name, array in arrays.items()
        if array.size == 1 and array.dtype.kind in "biuf"
    }
