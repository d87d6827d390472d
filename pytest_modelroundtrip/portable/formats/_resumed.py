"""What the formats of a training have in common, which goes on in the clean interpreter.

The artifact is what was written until the training was interrupted. Expected is the same training
of the original without an interruption; what it changes is undone.
"""

from __future__ import annotations

import abc
import contextlib
import inspect
from typing import Iterator, List, Optional

from .. import keras_libs
from ..aliases import Model
from ..models import randomness, variables
from ..models.undoing import undone
from ..protocol import Interpreter
from ..subject import Subject
from ..training.training_run import History, Train
from . import WEIGHTS, Format, LoadOptions, UnsupportedError, other_keras

RANDOM = (
    "it draws random numbers in training, as Dropout does: it is not checked whether a resumed "
    "training draws the same numbers"
)


class ResumedFormat(Format):
    """A training that was interrupted, and goes on in the clean interpreter."""

    keeps = ("history", "optimizer", *WEIGHTS)
    on_request = True
    trains = True
    _history: Optional[History] = None  # of the last training

    @abc.abstractmethod
    def whole_training(self, model: Model) -> History:
        """Train the model without an interruption.

        Raises:
            UnsupportedError: where the training cannot be interrupted and resumed.
        """

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        if self.from_test.train is None:
            return 'it needs a function that trains the model: pass train="module:function"'
        return super().unsupported(model)

    def unreadable_by(self, keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:
        """Why that interpreter cannot load a model of that major version of Keras, or None."""
        here = keras_libs.versions()
        for name in ("tensorflow", "keras"):
            there = interpreter.versions.get(name, here.get(name))
            if there != here.get(name):
                return (
                    f"a resumed training ends in the same bits only with the same {name}; the "
                    f"environment has {there}"
                )
        return other_keras(keras_major, interpreter)

    def subject(self, model: Model, options: LoadOptions) -> Subject:
        """How the checks look at the model."""
        return super().subject(model, options)._replace(history=self._history)

    @contextlib.contextmanager
    def expected_subject(self, model: Model, options: LoadOptions) -> Iterator[Subject]:
        """The original after the whole training, which is undone at the end."""
        with undone(model):
            seeds = _seeds_of(model)
            self._history = self.whole_training(model)
            subject = self.subject(model, options)
            if _draws(subject, options) or _seeds_of(model) != seeds:
                raise UnsupportedError(RANDOM)
            yield subject

    @property
    def train_function(self) -> Train:
        """The user's function, which a format has by the time that it trains."""
        assert self.from_test.train is not None
        return self.from_test.train

    def train_takes(self, *args: object, **kwargs: object) -> bool:
        """Whether the user's function can be called with a model and these arguments."""
        try:
            inspect.signature(self.train_function).bind(None, *args, **kwargs)
        except TypeError:
            return False
        return True


def _draws(subject: Subject, options: LoadOptions) -> bool:
    """Whether the graph of the model draws random numbers in training."""
    batch = options.batches[0]
    if keras_libs.keras_major(subject.model):
        batch = batch._replace(kwargs={**batch.kwargs, "training": True})
    return randomness.has_drawing_operation(subject.calls[""], batch)


def _seeds_of(model: Model) -> List[bytes]:
    """The states of Keras 3's seed generators."""
    seeds = [held for held in variables.state_of(model) if randomness.is_seed(held)]
    return [variables.value_of(seed).tobytes() for seed in seeds]
