"""Keras 2's SavedModel: `model.save(folder)`, reloaded with `load_model`."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ..observation import Subject, keras_subject
from . import WHOLE, Options, load_keras, why_not_its_keras, why_not_keras2

PROMISES = WHOLE
NEEDS = ("tensorflow",)
NEVER_KEPT = {"optimizer": (2,)}  # no version reads the optimizer's slots


def supports(model: Any) -> Optional[str]:
    return why_not_keras2(model)


def why_not_there(generation: Optional[int], there: Dict[str, Any]) -> Optional[str]:
    return why_not_its_keras(generation, there)


def save(model: Any, folder: str) -> None:
    model.save(folder, save_format="tf")


def load(folder: str, options: Options) -> Any:
    return load_keras(folder, options)


def subject(model: Any, options: Options) -> Subject:
    return keras_subject(model)
