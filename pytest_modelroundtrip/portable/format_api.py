"""What the author of a format may import, here and in the clean interpreter."""

from __future__ import annotations

from .formats import (
    SERVED,
    WEIGHTS,
    WHOLE_MODEL,
    Format,
    FromTest,
    LoadOptions,
    UnsupportedError,
    not_a_keras_model,
)
from .formats.h5 import H5Format
from .formats.keras import KerasFormat
from .formats.rebuilt import RebuiltFormat, rebuilt, save_architecture
from .formats.saved_model import SavedModelFormat
from .models.variables import overwrite_with_sentinels
from .protocol import Batch, Interpreter
from .subject import Subject, keras_subject, object_subject

__all__ = [
    "SERVED",
    "WEIGHTS",
    "WHOLE_MODEL",
    "Batch",
    "Format",
    "FromTest",
    "H5Format",
    "Interpreter",
    "KerasFormat",
    "LoadOptions",
    "RebuiltFormat",
    "SavedModelFormat",
    "Subject",
    "UnsupportedError",
    "keras_subject",
    "not_a_keras_model",
    "object_subject",
    "overwrite_with_sentinels",
    "rebuilt",
    "save_architecture",
]
