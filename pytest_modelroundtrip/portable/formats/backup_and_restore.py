"""The format `backup_and_restore`."""

from __future__ import annotations

import json
import os
from typing import Any, Optional

from .. import keras_libs
from ..aliases import Json, Model
from . import LoadOptions
from ._interrupted import InterruptedFormat, Resumable
from ._rebuild import RebuiltFormat, rebuilt, save_architecture

BACKUP, COMPILE_FILE = "backup", "compile.json"


class BackupAndRestoreFormat(InterruptedFormat, RebuiltFormat):
    """An interrupted `fit` that the callback `BackupAndRestore` resumes in a rebuilt model."""

    name = "backup_and_restore"

    def needs_factory(self, model: Model) -> Optional[str]:
        """Why only a factory can rebuild this model, or None where its config can."""
        reason = super().needs_factory(model)
        if reason is None and _compile_config(model) is None:
            return 'what it is compiled with cannot be written: pass factory="module:function"'
        return reason

    def callback(self, model: Model, folder: str) -> Any:
        """The callback of Keras' that writes what a training goes on from into that folder."""
        callbacks = keras_libs.own_keras(model).callbacks
        return callbacks.BackupAndRestore(os.path.join(folder, BACKUP))

    def save(self, model: Model, folder: str) -> None:
        """Write what is there when the training is interrupted."""
        save_architecture(model, folder)
        with open(os.path.join(folder, COMPILE_FILE), "w") as out:
            json.dump(_compile_config(model), out)
        super().save(model, folder)

    def resumable(self, folder: str, options: LoadOptions) -> Resumable:
        """A new model, compiled as the original is."""
        model = rebuilt(folder, options)
        if options.factory is None and getattr(model, "optimizer", None) is None:
            with open(os.path.join(folder, COMPILE_FILE)) as source:
                config = json.load(source)
            keras = keras_libs.own_keras(model)
            with keras.utils.custom_object_scope(dict(options.custom_objects)):
                model.compile_from_config(config)
        return Resumable(model)


def _compile_config(model: Model) -> Json:
    """What the model is compiled with; None where that cannot be written."""
    try:
        return json.loads(json.dumps(model.get_compile_config()))
    except Exception:  # a function of the user's that is not registered, or code that raises
        return None
