"""Keras 2's SavedModel: `model.save(folder)`, reloaded with `load_model`."""

from __future__ import annotations

from typing import Any, Optional

from ..observation import Subject, keras_subject
from . import WHOLE, Options, load_keras, why_not_keras2

PROMISES = WHOLE
NEVER_KEPT = {"optimizer": (2,)}  # no version reads the optimizer's slots


def supports(model: Any) -> Optional[str]:
    return why_not_keras2(model)


def save(model: Any, folder: str) -> None:
    model.save(folder, save_format="tf")


def load(folder: str, options: Options) -> Any:
    return load_keras(folder, options)


def subject(model: Any, options: Options) -> Subject:
    return keras_subject(model)
