"""What the formats of a training that is interrupted and resumed have in common.

The training is interrupted as its second epoch begins. The artifact is what a callback of Keras'
has written by then. In the clean interpreter the training goes on from it. Expected is the same
training of the original without an interruption; what it changes is undone.
"""

from __future__ import annotations

import abc
import contextlib
import json
import os
import shutil
import tempfile
from typing import Any, Iterator, List, NamedTuple, Optional

from .. import keras_libs, randomness, variables
from ..aliases import Model
from ..protocol import Interpreter
from ..subject import Subject
from ..training_run import FIRST_PART, Epoch, History, Train, TrainingRun
from ..undoing import undone
from . import WEIGHTS, Format, LoadOptions, UnsupportedError, not_a_keras_model, other_keras

FIRST_EPOCHS = "first_epochs.json"  # in the artifact: those before the interruption
RANDOM = (
    "it draws random numbers in training, as Dropout does, and no file of Keras' keeps the state "
    "of their generator: a resumed training draws others"
)


class Resumable(NamedTuple):
    """What a training goes on with."""

    model: Model
    initial_epoch: int = 0  # for `fit`, where the callback does not restore it


class InterruptedFormat(Format, abc.ABC):
    """A training that is interrupted, and goes on in the clean interpreter."""

    keeps = ("history", "optimizer", *WEIGHTS)
    on_request = True
    trains = True
    _history: Optional[History] = None  # of the last training

    @abc.abstractmethod
    def callback(self, model: Model, folder: str) -> Any:
        """The callback of Keras' that writes what a training goes on from into that folder."""

    @abc.abstractmethod
    def resumable(self, folder: str, options: LoadOptions) -> Resumable:
        """The model from that folder, or a new one that the callback restores."""

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        if self.from_test.train is None:
            return 'it needs a function that trains the model: pass train="module:function"'
        if not_a_keras_model(model):
            return not_a_keras_model(model)
        if getattr(model, "optimizer", None) is None:
            return "the model is not compiled with an optimizer"
        if keras_libs.keras_major(model) == 2 and keras_libs.tensorflow_version() < (2, 15):
            return "with Keras 2 this needs TensorFlow 2.15"
        return None

    def unreadable_by(self, keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:
        """Why that interpreter cannot load a model of that major version of Keras, or None."""
        here = keras_libs.versions()
        for name in ("tensorflow", "keras"):
            there = interpreter.versions.get(name, here.get(name))
            if there != here.get(name):
                return f"a training ends in the same bits with the same {name} only, not {there}"
        return other_keras(keras_major, interpreter)

    @contextlib.contextmanager
    def expected_subject(self, model: Model, options: LoadOptions) -> Iterator[Subject]:
        """The original after the whole training, which is undone at the end."""
        with undone(model):
            seeds = _seeds(model)
            run = TrainingRun(model, second_part=FIRST_PART)
            run.train(_function(self), [])
            if not run.history.resumed_with:
                raise UnsupportedError(
                    f"{len(run.history.epochs)} epochs are trained; to be interrupted after "
                    f"{FIRST_PART}, train must pass on its callbacks and train another one"
                )
            self._history = run.history
            subject = self.subject(model, options)
            in_training = options.batches[0]._replace(kwargs={"training": True})
            draws = randomness.has_drawing_operation(subject.calls[""], in_training)
            if draws or _seeds(model) != seeds:
                raise UnsupportedError(RANDOM)
            yield subject

    def subject(self, model: Model, options: LoadOptions) -> Subject:
        """How the checks look at the model."""
        return super().subject(model, options)._replace(history=self._history)

    def save(self, model: Model, folder: str) -> None:
        """Write what is there when the training is interrupted."""
        run = TrainingRun(model, second_part=FIRST_PART, interrupted=True)
        with undone(model):
            run.train(_function(self), [self.callback(model, folder)])
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
            run.train(_function(self), [self.callback(model, copy)], initial_epoch)
        self._history = run.history._replace(epochs=[*first, *run.history.epochs])
        return model


def _function(fmt: Format) -> Train:
    assert fmt.from_test.train is not None
    return fmt.from_test.train


def _seeds(model: Model) -> List[bytes]:
    """The states of Keras 3's seed generators."""
    seeds = [held for held in variables.state_of(model) if randomness.is_seed(held)]
    return [variables.value_of(seed).tobytes() for seed in seeds]
