"""What the formats of Keras 3 have in common: the release of Keras that brought each."""

from __future__ import annotations

from typing import ClassVar, Optional, Tuple

from .. import keras_libs
from ..aliases import Model
from ..protocol import Interpreter
from . import Format, not_a_keras_model


class Keras3Format(Format):
    """A format that came with some release of Keras 3.

    It stands before another base class, whose own reasons hold too.
    """

    since: ClassVar[Tuple[int, int]]  # the (major, minor) version of Keras

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        if not_a_keras_model(model):
            return not_a_keras_model(model)
        if keras_libs.keras_major(model) != 3:
            return "only Keras 3 has this format"
        installed = str(keras_libs.own_keras(model).__version__)
        return self._too_old(installed, "this is") or super().unsupported(model)

    def unreadable_by(self, keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:
        """Why that interpreter cannot load a model of that major version of Keras, or None."""
        reason = super().unreadable_by(keras_major, interpreter)
        installed = interpreter.versions.get("keras")
        return reason or (installed and self._too_old(installed, "the environment has")) or None

    def _too_old(self, installed: str, which: str) -> Optional[str]:
        if keras_libs.numbers(installed) >= self.since:
            return None
        return "it came with Keras {}.{}; {} Keras {}".format(*self.since, which, installed)
