"""The format `checkpoint_manager`."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from typing import Any, Optional

from ..aliases import Model
from ..comparing import EXACT
from ..comparing.trainings import compare_states
from ..models.undoing import undone
from ..training.training_run import FIRST_PART, History
from ..training.training_state import ResumedTraining, TrainingState, observed
from . import LoadOptions, UnsupportedError, other_backend
from ._recompiled import RecompiledFormat, recompiled, save_recipe
from ._resumed import ResumedFormat

STEPS = FIRST_PART + 1  # of the whole training
TRAINING = "training"  # in the artifact: the folder that the user's function saves to
NO_SECOND_PART = (
    f"train ends in the same state with steps={STEPS} and with steps={FIRST_PART}: it must train "
    "until the total number of steps is `steps`"
)


class CheckpointManagerFormat(ResumedFormat, RecompiledFormat):
    """A training that saves and restores itself by a `tf.train.CheckpointManager`."""

    name = "checkpoint_manager"
    needs = ("tensorflow",)

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = super().unsupported(model) or other_backend(model)
        if reason is None and not self.train_takes(folder="", steps=1):
            return "train must accept a folder and steps: def train(model, folder, steps)"
        return reason

    def whole_training(self, model: Model) -> History:
        """Train the model, and note the state after its first part too.

        Raises:
            UnsupportedError: where there is no second part.
        """
        with undone(model):
            resumed = self._trained(model, FIRST_PART)
        ended = self._trained(model, STEPS)
        if not compare_states("", resumed, ended, EXACT).differences:
            raise UnsupportedError(NO_SECOND_PART)
        return _history(ResumedTraining(resumed, ended))

    def save(self, model: Model, folder: str) -> None:
        """Write what is there when the training is interrupted.

        Raises:
            FileNotFoundError: where the user's function saves nothing.
        """
        save_recipe(model, folder)
        training = os.path.join(folder, TRAINING)
        os.mkdir(training)
        with undone(model):
            self._train(model, training, FIRST_PART)
        if not os.listdir(training):
            raise FileNotFoundError(
                f"train(model, folder, steps={FIRST_PART}) returned and its folder is empty: it "
                "must save there with a tf.train.CheckpointManager"
            )

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The model at the end of the training, which goes on from that folder."""
        resumed = self._restored(folder, options)
        model = recompiled(folder, options)
        self._history = _history(ResumedTraining(resumed, self._trained(model, STEPS, folder)))
        return model

    def _restored(self, folder: str, options: LoadOptions) -> Optional[TrainingState]:
        """What the second part begins with; None where the user's function cannot show that.

        It only explains differences, so nothing that it raises or warns of matters. It must return.
        """
        import tensorflow as tf

        logger = tf.get_logger()
        level = logger.level
        logger.setLevel("ERROR")
        try:
            return self._trained(recompiled(folder, options), 0, folder)
        except Exception:
            return None
        finally:
            gc.collect()  # a checkpoint warns as it ends: not all was made that it restores
            logger.setLevel(level)

    def _trained(self, model: Model, steps: int, artifact: Optional[str] = None) -> TrainingState:
        """Train it in a temporary folder, an empty one or that of an artifact; returns its state.

        With no steps it is only restored.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = os.path.join(temporary, TRAINING)
            if artifact is None:
                os.mkdir(folder)
            else:
                shutil.copytree(os.path.join(artifact, TRAINING), folder)
            return observed(model, self._train(model, folder, steps))

    def _train(self, model: Model, folder: str, steps: int) -> Any:
        """Call the user's function; returns its checkpoint.

        Raises:
            TypeError: where it returns something else.
        """
        import tensorflow as tf

        checkpoint = self.train_function(model, folder=folder, steps=steps)
        if not isinstance(checkpoint, tf.train.Checkpoint):
            kind = type(checkpoint).__name__
            raise TypeError(f"train must return its tf.train.Checkpoint; it returned {kind}")
        return checkpoint


def _history(training: ResumedTraining) -> History:
    """It has no epochs."""
    return History([], 0, [], [], training)
