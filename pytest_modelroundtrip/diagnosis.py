"""What an error on the way back means, and which keyword would mend it."""

from __future__ import annotations

import importlib.util
import inspect
import re
from typing import Any

from .portable import library

MISSING_NAME = (
    r"Could not locate (?:class|function) '([\w>.]+)'",
    r"Unknown (?:\w+ function|\w+): '?([\w>.]+)'?",
    r"No (?:registered|known) \w+ (?:named|with name) '?([\w>.]+)'?",
    r"Cannot deserialize object of type `([\w>.]+)`",
    r"Could not deserialize (?:class|function) '([\w>.]+)'",
)

LIBRARIES = ("keras", "tf_keras", "tensorflow", "numpy", "builtins", "collections", "weakref", "_thread")


def load_hint(message: str, model: Any) -> str:
    """What to do about a load error, "" when that is not known."""
    for custom in _custom_objects(model):
        if re.search(rf"\b{re.escape(custom.__name__)}\b", message):
            return _mend(custom, library.own_keras(model))
    for pattern in MISSING_NAME:
        match = re.search(pattern, message)
        if match and match.group(1) in _own_operations(model):
            return (
                f"{match.group(1)} is Keras' own: its loader of this format does not know what its saver wrote, and nothing in the "
                "model can mend that. Use another format, or say so with expected_failures={...}."
            )
        if match:
            return f"The loader does not know {match.group(1)!r}; what the clean interpreter imports is said with imports=[...]."
    if "Table not initialized" in message:
        return (
            "A lookup table came back empty: its vocabulary is no weight, and the format did not keep it. "
            "Give a factory that builds the model with its vocabulary, or use a format that holds the whole model."
        )
    cast = re.search(r"Can not cast TensorSpec\(.*?dtype=tf\.(\w+).*?to TensorSpec\(.*?dtype=tf\.(\w+)", message)
    if cast and cast.group(1) != cast.group(2):
        return (
            f"The artefact takes {cast.group(2)}, the model was called with {cast.group(1)}: call it with what a server would send."
        )
    missing = re.search(r"No module named '([\w.]+)'", message)
    if missing:
        return (
            f"The clean interpreter has no module {missing.group(1)!r}: name the folder it is in with the ini option "
            "roundtrip_pythonpath, or install it."
        )
    if "safe_mode" in message or "unsafe_deserialization" in message:
        return (
            "If the artefact may run code of its own, say so with safe_mode=False; better, make the lambda a registered function."
        )
    return ""


def _own_operations(model: Any) -> set[str]:
    """The names of the model's operations that Keras brings, those without weights among them."""
    operations = (type(operation) for operation in getattr(model, "operations", ()))
    return {cls.__name__ for cls in operations if cls.__module__.startswith(("keras.", "tf_keras."))}


def _mend(custom: Any, keras: Any) -> str:
    name, module = custom.__name__, str(custom.__module__)
    where = f"{name} is defined in {module} ({_file(custom)})"
    if _is_test_module(module):
        return (
            f"{where}, which only the tests have; no server imports it. Move {name} to a module of your package that registers it "
            f'(keras.saving.register_keras_serializable) and say imports=["that.module"].'
        )
    how = f'custom_objects={{"{name}": "{module}:{name}"}}, as it is not registered'
    if _is_registered(custom, keras):
        how = f'imports=["{module}"]'
    return f"{where}, which the clean interpreter does not import by itself: say {how}."


def _is_test_module(module: str) -> bool:
    """Whether pytest, not the package's own import path, brought the module in."""
    last = module.split(".")[-1]
    if module == "__main__" or last == "conftest" or last.startswith("test_") or last.endswith("_test"):
        return True
    try:
        return importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        return True


def _is_registered(custom: Any, keras: Any) -> bool:
    parts = (getattr(keras, name, None) for name in ("saving", "utils"))  # the first since TensorFlow 2.12
    getters = (getattr(part, "get_registered_name", None) for part in parts)
    return any(getter and ">" in str(getter(custom)) for getter in getters)


def _file(custom: Any) -> str:
    try:
        return str(inspect.getfile(custom))
    except (TypeError, OSError):
        return "no file"


def _custom_objects(model: Any) -> list[Any]:
    """Classes and functions of the model that no installed library brings: layers, and what hangs on the model and on them."""
    flatten = getattr(model, "_flatten_layers", None)
    parts = [part for layer in (flatten() if flatten else []) for part in (layer, *vars(layer).values())]
    if library.is_model(model):
        parts += [getattr(model, "optimizer", None), getattr(model, "loss", None)]
    found = [part if inspect.isfunction(part) or inspect.isclass(part) else type(part) for part in parts]
    return [item for item in dict.fromkeys(found) if str(item.__module__).split(".")[0] not in LIBRARIES]
