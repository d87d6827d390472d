"""Which Keras a model belongs to, and that Keras on this side.

A model is judged by its own class, never by what can be imported: since TensorFlow 2.16 `tf.keras` may be either.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple


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
    if (wanted == 3 and is_installed("keras")) or not is_installed("tensorflow"):
        return importlib.import_module("keras")
    if keras2_is_apart():
        return importlib.import_module("tf_keras")
    return importlib.import_module("tensorflow").keras


def keras2_is_apart() -> bool:
    """Whether Keras 2 is here, as a package beside TensorFlow and not as a part of it."""
    return is_installed("tensorflow") and is_installed("tf_keras") and tensorflow_version() >= (2, 16)


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

    return numbers(tf.__version__)


def numbers(version: str) -> Tuple[int, int]:
    """(major, minor) of a version."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def generations(versions: Dict[str, str], installed: Sequence[str]) -> List[int]:
    """The generations of Keras in an interpreter that has imported its Keras, or TensorFlow with its own."""
    tensorflow = numbers(versions.get("tensorflow", "2.16"))
    keras = numbers(versions.get("keras", "3.0" if "keras" in installed and tensorflow >= (2, 16) else "2.0"))
    has_keras2 = "tensorflow" in installed and (tensorflow < (2, 16) or "tf_keras" in installed)
    return [*([2] if has_keras2 else []), *([3] if keras >= (3, 0) else [])]


def is_graph(model: Any) -> bool:
    """Whether it is a functional or a sequential model, which a config describes in full."""
    return any(cls.__name__ in ("Functional", "Sequential") for cls in type(model).__mro__)


def backend(model: Any) -> str:
    """The backend that computes the model: tensorflow, jax, torch, ..."""
    return str(own_keras(model).backend.backend()) if generation(model) == 3 else "tensorflow"


def chosen_backend() -> str:
    """The backend with which Keras computes in this interpreter, or will once it is imported; only Keras 3 has a choice."""
    if "keras" in sys.modules:
        choice: Any = getattr(sys.modules["keras"], "config", None)
        return str(choice.backend()) if hasattr(choice, "backend") else "tensorflow"
    chosen = os.environ.get("KERAS_BACKEND") or "tensorflow"
    return chosen if chosen == "tensorflow" or _is_keras3_installed() or not is_installed("tensorflow") else "tensorflow"


def _is_keras3_installed() -> bool:
    try:
        return int(importlib.metadata.version("keras").split(".")[0]) >= 3
    except importlib.metadata.PackageNotFoundError:  # or a nightly build, which has another name
        return False


def needed(needs: Sequence[str]) -> List[str]:
    """What a reload imports here, in that order: the library that computes, then what the format needs besides."""
    first = "tensorflow" if chosen_backend() == "tensorflow" else "keras"
    return list(dict.fromkeys([first, *needs]))


def is_installed(name: str) -> bool:
    """Whether the module can be imported here, as far as that can be told without importing it."""
    return name in sys.modules or importlib.util.find_spec(name) is not None


def installed() -> List[str]:
    """Of the libraries that formats need, those that are installed here, imported or not."""
    return [name for name in ("tensorflow", "keras", "tf_keras", "tensorflow_hub") if is_installed(name)]


LIBRARIES = (
    "keras", "tf_keras", "tensorflow", "tensorflow_hub", "jax", "jaxlib", "torch",
    "numpy", "builtins", "collections", "weakref", "_thread",
)  # fmt: skip
VERSIONED = ("tensorflow", "keras", "tf_keras", "tensorflow_hub", "jax", "torch", "ml_dtypes", "numpy")
BACKEND = "backend"  # among the versions, where it is not TensorFlow


def versions() -> Dict[str, str]:
    """What is imported in this interpreter, by name of the module; and the backend of Keras 3 where that is not TensorFlow."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in VERSIONED:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            found[name] = str(version)
    if "keras" in found and chosen_backend() != "tensorflow":
        found[BACKEND] = chosen_backend()
    return found


def differ(versions: Dict[str, Dict[str, str]]) -> bool:
    """Whether a module has another version where it was `reloaded` than where it was `saved`, or Keras another backend."""
    saved, reloaded = versions.get("saved", {}), versions.get("reloaded", {})
    return differ_in_backend(versions) or any(saved.get(module, version) != version for module, version in reloaded.items())


def differ_in_backend(versions: Dict[str, Dict[str, str]]) -> bool:
    """Whether Keras computes with another library where the model was `reloaded`, if it was, than where it was `saved`."""
    saved, reloaded = versions.get("saved", {}), versions.get("reloaded", {})
    return bool(saved and reloaded) and saved.get(BACKEND) != reloaded.get(BACKEND)
