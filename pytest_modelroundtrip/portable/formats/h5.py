"""The whole model in one HDF5 file: `model.save("model.h5")`, reloaded with `load_model`."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from .. import library
from ..observation import Subject, keras_subject
from . import WHOLE, Options, load_keras, why_not_its_keras, why_not_keras

PROMISES = WHOLE
NEVER_KEPT = {"optimizer": (3,)}  # Keras 3 writes the optimizer's slots and does not read them


def supports(model: Any) -> Optional[str]:
    if library.is_model(model) and not library.is_graph(model):
        return "HDF5 holds functional and sequential models only"
    return why_not_keras(model)


def why_not_there(generation: Optional[int], there: Dict[str, Any]) -> Optional[str]:
    return why_not_its_keras(generation, there)


def save(model: Any, folder: str) -> None:
    compiled = getattr(getattr(model, "_compile_config", None), "config", {})
    kept = dict(compiled)
    model.save(os.path.join(folder, "model.h5"))
    compiled.update(kept)  # Keras 3 takes the optimizer out of the live model's compile config as it writes HDF5


def load(folder: str, options: Options) -> Any:
    return load_keras(os.path.join(folder, "model.h5"), options)


def subject(model: Any, options: Options) -> Subject:
    return keras_subject(model)
