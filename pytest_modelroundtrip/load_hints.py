"""What to do about an error of a loader: from its message and from the model that was saved."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable

from .portable import keras_libs, variables
from .portable.aliases import Model, Module

MISSING_NAME = (
    r"Could not locate (?:class|function) '([\w>.]+)'",
    r"Unknown (?:\w+ function|\w+): '?([\w>.]+)'?",
    r"No (?:registered|known) \w+ (?:named|with name) '?([\w>.]+)'?",
    r"Cannot deserialize object of type `([\w>.]+)`",
    r"Could not deserialize (?:class|function) '([\w>.]+)'",
)


def load_hint(message: str, models: Iterable[Model]) -> str:
    """What to do about a load error of these models; "" where it is not known."""
    models = list(models)
    for find in (_about_custom_object, _about_missing_name, _about_known_message):
        hint = find(message, models)
        if hint:
            return hint
    return ""


def _about_custom_object(message: str, models: list[Model]) -> str:
    for model in models:
        for custom in _custom_objects(model):
            if re.search(rf"\b{re.escape(custom.__name__)}\b", message):
                return _how_to_import(custom, keras_libs.own_keras(model))
    return ""


def _about_missing_name(message: str, models: list[Model]) -> str:
    for pattern in MISSING_NAME:
        match = re.search(pattern, message)
        if match and match[1] in {name for model in models for name in _keras_operations(model)}:
            return (
                f"{match[1]} is part of Keras: its loader of this format does not know what its "
                "saver wrote, and nothing in the model can fix that. Use another format, or "
                "declare it with expected_failures={...}."
            )
        if match:
            return (
                f"The loader does not know {match[1]!r}; declare what the clean interpreter "
                "imports with imports=[...]."
            )
    return ""


KNOWN_MESSAGES: tuple[tuple[str, str], ...] = (
    (
        r"Table not initialized",
        "A lookup table came back empty: its vocabulary is not a weight, and the format did not "
        "keep it. Pass a factory that builds the model with its vocabulary, or use a format that "
        "holds the whole model.",
    ),
    (
        r"not bound to checkpointed values",
        "The rebuilt model has variables that the checkpoint does not know: it is not the model "
        "that was saved. Let the factory build the same one; parts that share layers must share "
        "them there too.",
    ),
    (
        r"Can not cast TensorSpec\(.*?dtype=tf\.(?P<called>\w+).*?to TensorSpec\("
        r".*?dtype=tf\.(?P<takes>\w+)",
        "The artifact takes {takes}, the model was called with {called}: call it with what a "
        "server would send.",
    ),
    (
        r"No module named '(?P<module>[\w.]+)'",
        "The clean interpreter has no module '{module}': add its folder to the ini option "
        "roundtrip_pythonpath, or install it.",
    ),
    (
        r"safe_mode|unsafe_deserialization",
        "If the artifact may run code of its own, pass safe_mode=False; better, make the lambda a "
        "registered function.",
    ),
)


def _about_known_message(message: str, models: list[Model]) -> str:  # noqa: ARG001
    for pattern, hint in KNOWN_MESSAGES:
        match = re.search(pattern, message)
        found = match.groupdict() if match else {}
        if match and len({*found.values()}) == len(found):  # dtypes that are equal are no reason
            return hint.format(**found)
    return ""


def _keras_operations(model: Model) -> set[str]:
    """The names of the model's operations that are part of Keras, also of those without weights."""
    operations = (type(operation) for operation in getattr(model, "operations", ()))
    ours = ("keras.", "tf_keras.")
    return {cls.__name__ for cls in operations if cls.__module__.startswith(ours)}


Custom = type | Callable[..., object]  # a class or function that is not of a library


def _how_to_import(custom: Custom, keras: Module) -> str:
    name, module = custom.__name__, str(custom.__module__)
    where = f"{name} is defined in {module} ({_file(custom)})"
    if _is_test_module(module):
        return (
            f"{where}, a test module, which no server imports. Move {name} to a module of your "
            "package that registers it (keras.saving.register_keras_serializable) and pass "
            'imports=["that.module"].'
        )
    how = f'custom_objects={{"{name}": "{module}:{name}"}}, as it is not registered'
    if _is_registered(custom, keras):
        how = f'imports=["{module}"]'
    return f"{where}, which the clean interpreter does not import by itself: pass {how}."


def _is_test_module(module: str) -> bool:
    """Whether pytest, not the package's own import path, imported the module."""
    last = module.split(".")[-1]
    if module == "__main__" or last == "conftest":
        return True
    if last.startswith("test_") or last.endswith("_test"):
        return True
    try:
        return importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        return True


def _is_registered(custom: Custom, keras: Module) -> bool:
    # `saving` since TensorFlow 2.12
    parts = (getattr(keras, name, None) for name in ("saving", "utils"))
    getters = (getattr(part, "get_registered_name", None) for part in parts)
    return any(getter and ">" in str(getter(custom)) for getter in getters)


def _file(custom: Custom) -> str:
    try:
        return str(inspect.getfile(custom))
    except (TypeError, OSError):
        return "no file"


def _custom_objects(model: Model) -> list[Custom]:
    """Classes and functions of the model that are not of a library: its layers, what hangs on
    them, and what it was compiled with.
    """
    layers = variables.layers(model)
    parts = [part for layer in layers for part in (layer, *vars(layer).values())]
    if keras_libs.is_model(model):
        parts += [getattr(model, "optimizer", None), getattr(model, "loss", None)]
    found = [
        part if inspect.isfunction(part) or inspect.isclass(part) else type(part) for part in parts
    ]
    libraries = keras_libs.LIBRARIES
    return [
        item for item in dict.fromkeys(found) if str(item.__module__).split(".")[0] not in libraries
    ]
