"""The format `keras_saved_model`."""

from __future__ import annotations

from typing import ClassVar, Mapping, Optional, Tuple

from ..aliases import Model
from . import not_a_keras2_model
from ._keras_file import KerasFileFormat


class KerasSavedModelFormat(KerasFileFormat):
    """Keras 2's SavedModel: `model.save(folder)`, reloaded with `load_model`."""

    name = "keras_saved_model"
    filename = ""
    needs = ("tensorflow",)
    holds_hub_modules = True
    # no version reads the optimizer's slots
    never_kept: ClassVar[Mapping[str, Tuple[int, ...]]] = {"optimizer": (2,)}

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        return not_a_keras2_model(model)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        model.save(folder, save_format="tf")
