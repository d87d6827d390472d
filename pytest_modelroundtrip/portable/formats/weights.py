"""The format `weights`."""

from __future__ import annotations

import os
from typing import ClassVar, Optional

from ..aliases import Model
from . import LoadOptions, not_a_keras_model
from .rebuilt import RebuiltFormat, rebuilt, save_architecture


class WeightsFormat(RebuiltFormat):
    """Weights alone: `save_weights("model.weights.h5")`, loaded into a rebuilt model."""

    name = "weights"
    filename: ClassVar[str] = "model.weights.h5"  # in the artifact

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        return not_a_keras_model(model)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        save_architecture(model, folder)
        model.save_weights(os.path.join(folder, self.filename))

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The live model from that folder."""
        model = rebuilt(folder, options)
        model.load_weights(os.path.join(folder, self.filename))
        return model
