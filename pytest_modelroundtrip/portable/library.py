"""Which Keras a model belongs to, and that Keras on this side.

A model is judged by its own class, never by what can be imported: since TensorFlow 2.16 `tf.keras` may be either.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any, Dict, Optional, Tuple


def generation(model: Any) -> Optional[int]:
    """2 for a model or layer of tf-keras or Keras 2, 3 for one of Keras 3, None for anything else."""
    for cls in type(model).__mro__:
        package = cls.__module__.split(".")[0]
        if package == "tf_keras" or cls.__module__.startswith("tensorflow.python.keras"):
            return 2
        if package == "keras":
            return int(str(sys.modules["keras"].__version__).split(".")[0])
    return None


def keras(wanted: int) -> Any:
    """The module `keras` of that generation; where this interpreter has none, the Keras that it has: so does who loads there.

    Raises:
        ImportError: where there is no Keras.
    """
    if wanted == 3:
        return importlib.import_module("keras")
    if tensorflow_version() >= (2, 16) and importlib.util.find_spec("tf_keras"):
        return importlib.import_module("tf_keras")
    return importlib.import_module("tensorflow").keras


def own_keras(model: Any) -> Any:
    """The Keras that the model is made of."""
    wanted = generation(model)
    assert wanted is not None, "asked for Keras models only"
    return keras(wanted)


def is_model(model: Any) -> bool:
    """Whether it is a Keras model, not a mere layer and not of another library."""
    return generation(model) is not None and hasattr(model, "save_weights")


def tensorflow_version() -> Tuple[int, int]:
    """(major, minor) of the TensorFlow that is installed here."""
    import tensorflow as tf

    major, minor = tf.__version__.split(".")[:2]
    return int(major), int(minor)


def is_graph(model: Any) -> bool:
    """Whether it is a functional or a sequential model, which a config describes in full."""
    return any(cls.__name__ in ("Functional", "Sequential") for cls in type(model).__mro__)


def backend(model: Any) -> str:
    """The backend that computes the model: tensorflow, jax, torch, ..."""
    return str(own_keras(model).backend.backend()) if generation(model) == 3 else "tensorflow"


LIBRARIES = ("keras", "tf_keras", "tensorflow", "tensorflow_hub", "numpy", "builtins", "collections", "weakref", "_thread")
VERSIONED = ("tensorflow", "keras", "tf_keras", "tensorflow_hub", "numpy")


def versions() -> Dict[str, str]:
    """What is imported in this interpreter, by name of the module."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in VERSIONED:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            found[name] = str(version)
    return found


def differ(versions: Dict[str, Dict[str, str]]) -> bool:
    """Whether a module has another version where it was `reloaded` than where it was `saved`."""
    saved, reloaded = versions.get("saved", {}), versions.get("reloaded", {})
    return any(saved.get(module, version) != version for module, version in reloaded.items())
