"""What to do about an error of a loader: from its own words, the model and the settings.

A hint is a claim. It is made only where its condition was looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..portable.aliases import Model
from .known_errors import Loading, ends_of, load_error_hint
from .own_objects import OwnObject, own_objects

KINDS = (  # as the loaders of `.h5` and of Keras 2's SavedModel name them
    "layer|object|config_item|optimizer|initializer|regularizer|constraint|decay|dtype policy|"
    r"loss scale|(?:loss|metric|activation) function|function in \w+(?: layer)?"
)
BY_KEY = (  # the name is what the loader looks for, with its package or without one
    rf"Unknown (?:{KINDS}): (?P<quote>'?)(?P<name>[^'\s]+?)(?P=quote)(?:[.,\s]|$)",
    r'Unable to restore custom object of class "(?P<name>[^"]+)"',
    r"Could not interpret [\w ]+ identifier: '?(?P<name>[\w>.]+)",
)
BY_NAME = (  # the name comes without its package, or in a config
    r"Could not (?:locate|deserialize) (?:class|function) '(?P<name>[^']+)'",
    r"Cannot deserialize object of type `(?P<name>[^`]+)`",
    r"Received: layer=(?P<name>[\w>.]+) of type <class 'str'>",
    rf"(?:Unknown (?:{KINDS}) '|identifier: )\{{[^{{}}]*?'config': '(?P<name>\w+)'",
    rf"(?:Unknown (?:{KINDS}) '|identifier: )\{{[^{{}}]*?'class_name': '(?P<name>[^']+)'",
)
NO_MODULE = r"its parent module [\w.]+ cannot be imported"
FUNCTION_AS_TEXT = r"'str' object is not callable"
UNNAMED_OBJECT = r"Unable to restore custom object of type"


class LookedFor(NamedTuple):
    """What a loader did not find."""

    name: str
    is_key: bool  # whether the loader looks for exactly this name


def load_hint(error: str, loading: Loading) -> str:
    """What to do about a load error, `Type: message`; "" where it is not known."""
    error = ends_of(error)
    looked_for = _looked_for(error)
    if looked_for is not None:
        return _about_unknown_name(looked_for, error, loading) or load_error_hint(error, loading)
    if re.search(FUNCTION_AS_TEXT, error):
        return _about_function_as_text(loading)
    if re.search(UNNAMED_OBJECT, error):
        return _about_unnamed_object(loading)
    return load_error_hint(error, loading)


def _looked_for(error: str) -> LookedFor | None:
    for patterns, is_key in ((BY_KEY, True), (BY_NAME, False)):
        for pattern in patterns:
            match = re.search(pattern, error)
            if match:
                return LookedFor(match["name"], is_key)
    return None


def _about_unknown_name(looked_for: LookedFor, error: str, loading: Loading) -> str:
    own = own_objects(loading.models)
    custom = next((item for item in own if item.is_called(looked_for.name)), None)
    if custom is not None:
        return _about_own_object(custom, looked_for, error, loading)
    if looked_for.name == "function":
        return (
            "The loader looks for 'function' where the saver wrote a function's name, so that "
            "neither imports nor custom_objects help. Use another format, or declare it with "
            "expected_failures={...}."
        )
    if looked_for.name in {name for model in loading.models for name in _keras_operations(model)}:
        return (
            f"{looked_for.name} is part of Keras: its loader of this format does not know what its "
            "saver wrote, and nothing in the model can fix that. Use another format, or "
            "declare it with expected_failures={...}."
        )
    if loading.settings.imports:
        return (
            f"The loader does not know {looked_for.name!r}: no module in imports=[...] registers "
            f"it. Add the module that does, or pass the object in custom_objects={{...}}."
        )
    return (
        f"The loader does not know {looked_for.name!r}; declare what the clean interpreter "
        "imports with imports=[...]."
    )


def _about_own_object(
    custom: OwnObject, looked_for: LookedFor, error: str, loading: Loading
) -> str:
    own = own_objects(loading.models)
    if custom.in_tests:
        return _about_test_module(custom, own)
    where = f"{custom.name} is defined in {custom.defined_in} ({custom.file})"
    if re.search(NO_MODULE, error):
        return ""  # it cannot be imported there
    if not custom.path:
        return (
            f"{where}, but not as an attribute of that module: no interpreter can import it by "
            "its name. Define it in a module, outside of functions, or name the public module of "
            "its package that registers it in imports=[...]."
        )
    is_bare = looked_for.is_key and bool(custom.registered) and ">" not in looked_for.name
    key = looked_for.name if looked_for.is_key else custom.registered or custom.name
    is_imported = _is_imported(custom, loading)
    by_key = is_bare or is_imported or not custom.registered
    if by_key and key in loading.settings.custom_objects:
        return ""
    others = [item for item in own if item != custom]
    advice = _advice([] if by_key else [custom], {key: custom} if by_key else {}, others, loading)
    if by_key and custom.registered:
        why = "this format looks for it" if is_bare else "the loader does not find it"
        there = ", which imports=[...] has" if is_imported else ""
        return f"{where}{there}; {why} by the name {key!r}: pass {advice}"
    return f"{where}, which the clean interpreter does not import by itself: pass {advice}"


def _about_test_module(custom: OwnObject, own: Sequence[OwnObject]) -> str:
    others = [item.name for item in own if item.in_tests and item != custom]
    too = f" (like other classes and functions of the model: {', '.join(others)})" if others else ""
    what = "them" if others else custom.name
    return (
        f"{custom.name} is defined in {custom.defined_in} ({custom.file}){too}, a test module, "
        f"which no server imports. Move {what} to a module of your package that registers "
        f"{'them' if others else 'it'} (keras.saving.register_keras_serializable) and pass "
        'imports=["that.module"].'
    )


def _about_function_as_text(loading: Loading) -> str:
    what = (
        "Something that the model calls is text after the reload: if a loader does not know a "
        "function or a class, it leaves its name in place of it."
    )
    unknown = _unknown_there(loading)
    functions = [item for item in unknown if item.is_function]
    # Keras 2 does the same to a layer of a functional model
    items = functions or [item for item in unknown if not item.registered]
    if items:
        return f"{what} Pass {_advice_for(items, loading)}"
    return f"{what} Let from_config turn the name into the function again."


def _about_unnamed_object(loading: Loading) -> str:
    unknown = _unknown_there(loading)
    if unknown:
        return (
            f"The loader does not know a class of the model: pass {_advice_for(unknown, loading)}"
        )
    return (
        "The loader could not rebuild an object of the model: its class needs a get_config that "
        "returns each argument of the constructor, and a from_config that accepts them."
    )


def _unknown_there(loading: Loading) -> list[OwnObject]:
    """What can be had by a name, and is not imported or given there."""
    given = loading.settings.custom_objects
    return [
        item
        for item in own_objects(loading.models)
        if item.path
        and not item.in_tests
        and not (item.registered and _is_imported(item, loading))
        and not given.keys() & {item.name, item.registered}
    ]


def _is_imported(item: OwnObject, loading: Loading) -> bool:
    return any(loading.imports(module) for module in (item.module, item.defined_in))


def _advice_for(items: Sequence[OwnObject], loading: Loading) -> str:
    return _advice(
        [item for item in items if item.registered],
        {item.name: item for item in items if not item.registered},
        (),
        loading,
    )


def _advice(
    imported: Sequence[OwnObject],
    given: dict[str, OwnObject],
    others: Sequence[OwnObject],
    loading: Loading,
) -> str:
    """The values to pass: complete, with what is passed already.

    Args:
        imported: what is to be imported.
        given: what is to be given to the loader, by the name that it looks for.
        others: more of the model's own; of these, what is unknown there is added.
        loading: what was loaded.
    """
    more = [item for item in _unknown_there(loading) if item in others]
    modules = [item.module for item in [*imported, *(item for item in more if item.registered)]]
    objects = {**given, **{item.name: item for item in more if not item.registered}}
    values, line = [], ""
    if modules:
        names = list(dict.fromkeys([*loading.settings.imports, *modules]))
        values.append(f"imports={json.dumps(names)}")
        line = f"\nFor all tests, in the ini file: roundtrip_imports = {' '.join(names)}"
    if objects:
        references = {name: item.reference for name, item in objects.items()}
        values.append(
            f"custom_objects={json.dumps({**loading.settings.custom_objects, **references})}"
        )
    unregistered = [item.name for item in objects.values() if not item.registered]
    verb = "are" if len(unregistered) > 1 else "is"
    why = f", as {', '.join(unregistered)} {verb} not registered" if unregistered else ""
    return f"{' and '.join(values)}{why}.{line}"


def _keras_operations(model: Model) -> set[str]:
    """The names of the model's operations that are part of Keras, also of those without weights."""
    operations = (type(operation) for operation in getattr(model, "operations", ()))
    ours = ("keras.", "tf_keras.")
    return {cls.__name__ for cls in operations if cls.__module__.startswith(ours)}
