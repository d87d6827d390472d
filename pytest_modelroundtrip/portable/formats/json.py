"""The format `json`."""

from __future__ import annotations

import os
from typing import ClassVar, Mapping, Optional, Tuple

from .. import keras_libs
from ..aliases import Model
from . import LoadOptions
from ._keras_file import KerasFileFormat
from .rebuilt import with_variables


class JsonFormat(KerasFileFormat):
    """The architecture alone: `model.to_json()`, then `model_from_json`.

    The weights are new ones, so neither they nor the outputs are compared. Keras 3 writes what
    the model was compiled with too.
    """

    name = "json"
    keeps = ("signature", "config", "compile", "self_contained")
    # of Keras 2 the text has nothing of `compile`
    never_kept: ClassVar[Mapping[str, Tuple[int, ...]]] = {"compile": (2,)}
    filename = "model.json"
    on_request: ClassVar[bool] = True

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = super().unsupported(model)
        if reason is None:
            try:
                model.to_json()
            except NotImplementedError:
                return "the model has no config: its class needs get_config"
        return reason

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        with open(os.path.join(folder, self.filename), "w", encoding="utf-8") as out:
            out.write(model.to_json())

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The live model from that folder."""
        with open(os.path.join(folder, self.filename), encoding="utf-8") as source:
            text = source.read()
        models = keras_libs.keras(options.keras_major or 3).models
        model = models.model_from_json(text, custom_objects=dict(options.custom_objects))
        return with_variables(model, options)  # the original was called, too
