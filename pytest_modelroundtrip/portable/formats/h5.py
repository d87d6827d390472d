"""The format `h5`."""

from __future__ import annotations

import os
from typing import ClassVar, Mapping, Optional, Tuple

from .. import keras_libs
from ..aliases import Model
from ._keras_file import KerasFileFormat


class H5Format(KerasFileFormat):
    """The whole model in one HDF5 file: `model.save("model.h5")`, reloaded with `load_model`."""

    name = "h5"
    filename = "model.h5"
    # Keras 3 writes the optimizer's slots and does not read them
    never_kept: ClassVar[Mapping[str, Tuple[int, ...]]] = {"optimizer": (3,)}

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        if keras_libs.is_model(model) and not keras_libs.is_graph(model):
            return "HDF5 holds functional and sequential models only"
        return super().unsupported(model)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        compiled = getattr(getattr(model, "_compile_config", None), "config", {})
        before = dict(compiled)
        model.save(os.path.join(folder, self.filename))
        # Keras 3 takes the optimizer out of the live model's compile config as it writes HDF5
        compiled.update(before)
