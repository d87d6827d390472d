"""Which Keras a model belongs to, and which Keras this interpreter has.

A model is judged by its own class, never by what can be imported: since TensorFlow 2.16
`tf.keras` may be Keras 2 or Keras 3.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from .aliases import Model, Module, Nest, Tensor

# modules whose classes are not the user's own
LIBRARIES = (
    "keras", "tf_keras", "tensorflow", "tensorflow_hub", "jax", "jaxlib", "torch",
    "numpy", "builtins", "collections", "weakref", "_thread",
)  # fmt: skip
# modules whose versions are reported
VERSIONED = (
    "tensorflow", "keras", "tf_keras", "tensorflow_hub", "jax", "torch", "ai_edge_litert",
    "onnxruntime", "ml_dtypes", "numpy",
)  # fmt: skip
# modules that our formats need to load
LOADING = (
    "tensorflow", "keras", "tf_keras", "tensorflow_hub", "orbax", "ai_edge_litert", "onnxruntime",
)  # fmt: skip
BACKEND = "backend"  # among the versions, where it is not TensorFlow


def keras_major(model: Model) -> Optional[int]:
    """The major version of a model's or layer's Keras: 2 (tf-keras too), 3, or None for others."""
    for cls in type(model).__mro__:
        package = cls.__module__.split(".")[0]
        if package == "tf_keras" or cls.__module__.startswith("tensorflow.python.keras"):
            return 2
        if package == "keras":
            return int(str(sys.modules["keras"].__version__).split(".")[0])
    return None


def name_and_version(model: Model) -> str:
    """The library of a Keras model or layer with its version: "Keras 3.15.1"."""
    roots = [cls.__module__.split(".")[0] for cls in type(model).__mro__]
    name = next(root for root in roots if root in ("keras", "tf_keras", "tensorflow"))
    shown = {"keras": "Keras", "tf_keras": "tf-keras", "tensorflow": "TensorFlow"}[name]
    return f"{shown} {sys.modules[name].__version__}"


def has_own_predict(model: Model) -> bool:
    """Whether the user's class, or the model itself, changes what `predict` returns."""
    if not is_model(model):
        return False
    for name in ("predict", "predict_step", "make_predict_function"):
        holders = [model, *type(model).__mro__]
        holder = next((held for held in holders if name in vars(held)), None)
        if holder is model:
            return True
        if holder and holder.__module__.split(".")[0] not in LIBRARIES:
            return True
    return False


def keras(wanted: int) -> Module:
    """The module `keras` of that major version.

    Where this interpreter has none, it is the Keras that it has, as a deployment would use.

    Raises:
        ImportError: where there is no Keras.
    """
    if (wanted == 3 and is_installed("keras")) or not is_installed("tensorflow"):
        return importlib.import_module("keras")
    if has_separate_keras2():
        return importlib.import_module("tf_keras")
    return importlib.import_module("tensorflow").keras


def has_separate_keras2() -> bool:
    """Whether Keras 2 is installed as a package of its own, not as a part of TensorFlow."""
    has_both = is_installed("tensorflow") and is_installed("tf_keras")
    return has_both and tensorflow_version() >= (2, 16)


def own_keras(model: Model) -> Module:
    """The Keras that the model is made of."""
    wanted = keras_major(model)
    assert wanted is not None, "only Keras models have a Keras"
    return keras(wanted)


def is_model(model: Model) -> bool:
    """Whether it is a Keras model: not a layer alone and not of another library."""
    return keras_major(model) is not None and hasattr(model, "save_weights")


def is_graph(model: Model) -> bool:
    """Whether it is a functional or a sequential model, which a config describes in full."""
    return any(cls.__name__ in ("Functional", "Sequential") for cls in type(model).__mro__)


def input_nest(model: Model) -> Nest:
    """The symbolic inputs of such a model, in the nest that it was made with; None without any.

    Its property `input` cannot be used: it raises where the model is a subclass.
    """
    graph = getattr(model, "_functional", None) or model  # inside a Sequential of Keras 3
    for name in ("_inputs_struct", "_nested_inputs"):
        nest: Nest = getattr(graph, name, None)
        if nest is not None:
            return nest
    return symbolic(model, "inputs") or None


def symbolic(model: Model, name: str) -> List[Tensor]:
    """The symbolic "inputs" or "outputs" of such a model; none where it declares none.

    A Sequential of Keras 3.0 raises a ValueError where it does.
    """
    try:
        return list(getattr(model, name, None) or ())
    except ValueError:
        return []


def backend(model: Model) -> str:
    """The backend that computes the model: tensorflow, jax, torch, ..."""
    return str(own_keras(model).backend.backend()) if keras_major(model) == 3 else "tensorflow"


def chosen_backend() -> str:
    """The backend with which Keras computes in this interpreter, or will once it is imported.

    Only Keras 3 has a choice.
    """
    if "keras" in sys.modules:
        config: Module = getattr(sys.modules["keras"], "config", None)
        return str(config.backend()) if hasattr(config, "backend") else "tensorflow"
    chosen = os.environ.get("KERAS_BACKEND") or "tensorflow"
    has_choice = _is_keras3_installed() or not is_installed("tensorflow")
    return chosen if has_choice else "tensorflow"


def _is_keras3_installed() -> bool:
    try:
        return int(importlib.metadata.version("keras").split(".")[0]) >= 3
    except importlib.metadata.PackageNotFoundError:  # or a nightly build, which has another name
        return False


def needed(needs: Sequence[str]) -> List[str]:
    """What a reload imports here, in order: the library that computes, then what a format needs."""
    first = "tensorflow" if chosen_backend() == "tensorflow" else "keras"
    return list(dict.fromkeys([first, *needs]))


# versions


def tensorflow_version() -> Tuple[int, int]:
    """(major, minor) of the TensorFlow that is installed here."""
    import tensorflow as tf

    return numbers(tf.__version__)


def numbers(version: str) -> Tuple[int, int]:
    """(major, minor) of a version."""
    major, minor = re.findall(r"\d+", version)[:2]
    return int(major), int(minor)


def keras_majors(versions: Mapping[str, str], installed: Sequence[str]) -> List[int]:
    """The major versions of Keras that an interpreter has.

    Args:
        versions: of the modules that it has imported: its Keras, or TensorFlow with its own.
        installed: the names of the libraries that it could import.
    """
    tensorflow = numbers(versions.get("tensorflow", "2.16"))
    unnamed = "3.0" if "keras" in installed and tensorflow >= (2, 16) else "2.0"
    keras = numbers(versions.get("keras", unnamed))
    has_keras2 = "tensorflow" in installed and (tensorflow < (2, 16) or "tf_keras" in installed)
    return [*([2] if has_keras2 else []), *([3] if keras >= (3, 0) else [])]


def is_installed(name: str) -> bool:
    """Whether the module can be imported here, as far as is known without importing it."""
    return name in sys.modules or importlib.util.find_spec(name) is not None


def installed() -> List[str]:
    """The libraries that our formats need and that are installed here, imported or not."""
    return [name for name in LOADING if is_installed(name)]


def versions() -> Dict[str, str]:
    """The versions of what is imported in this interpreter, by name of the module.

    The backend of Keras 3 is among them where it is not TensorFlow.
    """
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in VERSIONED:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            found[name] = str(version)
    if "keras" in found and chosen_backend() != "tensorflow":
        found[BACKEND] = chosen_backend()
    return found


def versions_differ(saved: Mapping[str, str], reloaded: Mapping[str, str]) -> bool:
    """Whether a module has another version after the reload, or Keras another backend."""
    return backends_differ(saved, reloaded) or any(
        saved.get(module, version) != version for module, version in reloaded.items()
    )


def backends_differ(saved: Mapping[str, str], reloaded: Mapping[str, str]) -> bool:
    """Whether Keras computes with another library after the reload, if there was one."""
    return bool(saved and reloaded) and saved.get(BACKEND) != reloaded.get(BACKEND)
