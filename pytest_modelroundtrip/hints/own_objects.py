"""The classes and functions of a model that loaders do not know by themselves: where they are
defined, and by which module and name another interpreter gets them.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..portable import keras_libs
from ..portable.aliases import Model, Module
from ..portable.models import compiling, places

Custom = type | Callable[..., object]


class OwnObject(NamedTuple):
    """One class or function that loaders do not know by themselves."""

    name: str
    defined_in: str  # the module
    file: str
    module: str  # the shortest public module that has it; `defined_in` where there is none
    path: str  # of its attribute in that module; "" where it cannot be had from there
    registered: str  # the name that it is registered under with Keras; "" where it is not
    in_tests: bool  # whether its module is a test module
    is_function: bool

    @property
    def reference(self) -> str:
        """What `custom_objects` takes: `module:Name`."""
        return f"{self.module}:{self.path}"

    def is_called(self, name: str) -> bool:
        """Whether a loader may mean it by this name."""
        names = {self.name, self.registered, self.registered.rpartition(">")[2]} - {""}
        return name in names or name.rpartition(">")[2] == self.name


def own_objects(models: Iterable[Model]) -> list[OwnObject]:
    """The layers' classes of these models, what hangs on them, and what they were compiled with."""
    found: dict[Custom, OwnObject] = {}
    for model in models:
        keras = keras_libs.own_keras(model) if keras_libs.keras_major(model) else None
        for custom in _held(model):
            if _is_own(custom) and custom not in found:
                found[custom] = _described(custom, keras)
    return list(found.values())


def _held(model: Model) -> Iterator[Custom]:
    """What Keras writes by name: layers, their functions and objects, what `compile` was given."""
    for place in places.places(model):
        parts = [place.held, *(value for _, value in places.attribute_items(place.held))]
        yield from _classes_and_functions(parts)
    if keras_libs.is_model(model):
        given = compiling.compile_arguments(model)
        kinds = ("loss", "metrics", "weighted_metrics")
        compiled = [item for kind in kinds for item in compiling.flat(given.get(kind))]
        optimizer = getattr(model, "optimizer", None)
        parts = [*compiled, getattr(model, "loss", None), optimizer]
        yield from _classes_and_functions([*parts, *getattr(optimizer, "__dict__", {}).values()])


def _classes_and_functions(parts: Iterable[Any]) -> Iterator[Custom]:
    for part in parts:
        if inspect.isclass(part) or inspect.isfunction(part):
            yield part
        elif hasattr(type(part), "get_config"):
            yield type(part)


def _is_own(custom: Custom) -> bool:
    module = str(custom.__module__)
    # a library too, but it does not register its layer with Keras
    is_known = places.is_library(module) and module.split(".")[0] != "tensorflow_hub"
    return not is_known and custom.__name__ != "<lambda>"


def _described(custom: Custom, keras: Module) -> OwnObject:
    module, path = _where_to_get(custom)
    return OwnObject(
        name=custom.__name__,
        defined_in=str(custom.__module__),
        file=_file(custom),
        module=module,
        path=path,
        registered=_registered_name(custom, keras),
        in_tests=_is_test_module(str(custom.__module__)),
        is_function=inspect.isfunction(custom),
    )


def _where_to_get(custom: Custom) -> tuple[str, str]:
    """The module and the path of the attribute in it; the path is "" where there is none."""
    defined_in, qualified = str(custom.__module__), custom.__qualname__
    if _is_private(defined_in):
        package = defined_in.split(".")[0]
        public = [
            name
            for name, module in list(sys.modules.items())
            if name.split(".")[0] == package
            and not _is_private(name)
            and getattr(module, "__dict__", {}).get(custom.__name__) is custom
        ]
        if public:
            return min(public, key=len), custom.__name__
    found: Any = sys.modules.get(defined_in)
    for part in qualified.split("."):
        found = getattr(found, part, None)
    return defined_in, qualified if found is not None else ""


def _is_private(module: str) -> bool:
    """Whether a part of the dotted name is private: `_impl`, or `src` as Keras' packages have."""
    _, *inner = module.split(".")
    return any(part == "src" or part.startswith("_") for part in inner)


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


def _registered_name(custom: Custom, keras: Module) -> str:
    """`package>Name`, as Keras writes what is registered."""
    # `saving` since TensorFlow 2.12
    parts = (getattr(keras, name, None) for name in ("saving", "utils"))
    getters = (getattr(part, "get_registered_name", None) for part in parts)
    names = (str(getter(custom)) for getter in getters if getter)
    return next((name for name in names if ">" in name), "")


def _file(custom: Custom) -> str:
    try:
        return str(inspect.getfile(custom))
    except (TypeError, OSError):
        return "no file"
