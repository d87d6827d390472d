"""What the formats of a training have in common that goes on in a rebuilt model."""

from __future__ import annotations

import json
import os
from typing import Optional

from .. import keras_libs
from ..aliases import Json, Model
from ..models import optimizers
from . import LoadOptions
from .rebuilt import RebuiltFormat, rebuilt, save_architecture

COMPILE_FILE = "compile.json"


class RecompiledFormat(RebuiltFormat):
    """A training that goes on in a model that is rebuilt, and compiled where the original was."""

    def needs_factory(self, model: Model) -> Optional[str]:
        """Why only a factory can rebuild this model, or None where its config can."""
        reason = super().needs_factory(model)
        if reason is None and _is_compiled(model) and _compile_config(model) is None:
            return 'what it is compiled with cannot be written: pass factory="module:function"'
        return reason


def save_recipe(model: Model, folder: str) -> None:
    """Write what `recompiled` needs where there is no factory."""
    save_architecture(model, folder)
    with open(os.path.join(folder, COMPILE_FILE), "w") as out:
        json.dump(_compile_config(model) if _is_compiled(model) else None, out)


def recompiled(folder: str, options: LoadOptions) -> Model:
    """A new model, compiled where the original was.

    The variables of its optimizer are overwritten, so that one which is not restored shows.
    """
    model = rebuilt(folder, options)
    with open(os.path.join(folder, COMPILE_FILE)) as source:
        config = json.load(source)
    if options.factory is None and config is not None and not _is_compiled(model):
        keras = keras_libs.own_keras(model)
        with keras.utils.custom_object_scope(dict(options.custom_objects)):
            model.compile_from_config(config)
    optimizers.overwrite_optimizers_with_sentinels(model)  # a factory may have trained it
    return model


def _is_compiled(model: Model) -> bool:
    return getattr(model, "optimizer", None) is not None


def _compile_config(model: Model) -> Json:
    """What the model is compiled with; None where that cannot be written."""
    try:
        return json.loads(json.dumps(model.get_compile_config()))
    except Exception:  # a function of the user's that is not registered, or code that raises
        return None
