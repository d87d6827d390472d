"""The format `weights_tf`."""

from __future__ import annotations

import os
from typing import Optional

from ..aliases import Model
from . import LoadOptions, not_a_keras2_model
from .rebuilt import RebuiltFormat, rebuilt, save_architecture


class WeightsTfFormat(RebuiltFormat):
    """Weights alone in Keras 2's TensorFlow format: `save_weights("weights")`.

    They are loaded into a model that is rebuilt.
    """

    name = "weights_tf"
    needs = ("tensorflow",)

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        return not_a_keras2_model(model)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        save_architecture(model, folder)
        model.save_weights(os.path.join(folder, "weights"), save_format="tf")

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The live model from that folder."""
        model = rebuilt(folder, options)
        status = model.load_weights(os.path.join(folder, "weights"))
        status.expect_partial()  # it may hold an optimizer; a weight that it lacks is detected
        return model
