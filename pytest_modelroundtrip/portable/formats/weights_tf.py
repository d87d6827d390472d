"""Weights alone in Keras 2's TensorFlow format: `save_weights("weights")`, loaded into a model that is built anew."""

from __future__ import annotations

import os
from typing import Any, Optional

from ..observation import Subject, keras_subject
from . import Options, why_not_keras2
from . import why_not_its_keras as why_not_there
from ._rebuild import PROMISES, needs_factory, rebuilt, save_architecture

NEEDS = ("tensorflow",)

__all__ = ["NEEDS", "PROMISES", "load", "needs_factory", "save", "subject", "supports", "why_not_there"]


def supports(model: Any) -> Optional[str]:
    return why_not_keras2(model)


def save(model: Any, folder: str) -> None:
    save_architecture(model, folder)
    model.save_weights(os.path.join(folder, "weights"), save_format="tf")


def load(folder: str, options: Options) -> Any:
    model = rebuilt(folder, options)
    model.load_weights(os.path.join(folder, "weights")).expect_partial()  # it may hold an optimizer; a weight that it lacks shows
    return model


def subject(model: Any, options: Options) -> Subject:
    return keras_subject(model)
