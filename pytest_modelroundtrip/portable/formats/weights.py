"""Weights alone: `save_weights("model.weights.h5")`, loaded into a model that is built anew."""

from __future__ import annotations

import os
from typing import Any, Optional

from ..observation import Subject, keras_subject
from . import Options, why_not_keras
from . import why_not_its_keras as why_not_there
from ._rebuild import PROMISES, needs_factory, rebuilt, save_architecture

__all__ = ["PROMISES", "load", "needs_factory", "save", "subject", "supports", "why_not_there"]


def supports(model: Any) -> Optional[str]:
    return why_not_keras(model)


def save(model: Any, folder: str) -> None:
    save_architecture(model, folder)
    model.save_weights(os.path.join(folder, "model.weights.h5"))


def load(folder: str, options: Options) -> Any:
    model = rebuilt(folder, options)
    model.load_weights(os.path.join(folder, "model.weights.h5"))
    return model


def subject(model: Any, options: Options) -> Subject:
    return keras_subject(model)
