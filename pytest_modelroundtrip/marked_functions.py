"""Marked test functions are called. Items of one function may share the model that it returns.

This is imported in every run of pytest, so it must be light.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from .current_session import session_of

if TYPE_CHECKING:
    from .fixture import RoundTripsOfItem
    from .reference.model import ModelGroup

ARGUMENT = "roundtrip"  # the name of the fixture and of the marker
FUNCTION_SCOPED = pytest.StashKey[set[str]]()  # the function-scoped fixtures an item has set up


def test_of(item: pytest.Item) -> str:
    """The id of the test that the item is one case of."""
    parent = item.parent.nodeid if item.parent else ""
    return f"{parent}::{getattr(item, 'originalname', item.name)}"


def callspec_of(item: pytest.Item) -> Any:
    """The parameters of an item, and the marks of these; None where it has no parameters."""
    return getattr(item, "callspec", None)


def call(item: pytest.Function, of_item: RoundTripsOfItem) -> None:
    """Call the function of an item that does a round trip: it may return the model."""
    parameters = inspect.signature(item.obj).parameters
    arguments = {name: item.funcargs[name] for name in parameters if name in item.funcargs}
    if ARGUMENT in arguments:
        if item.obj(**arguments) is not None:
            pytest.fail(
                "it has the fixture `roundtrip` and returns a value: do one or the other",
                pytrace=False,
            )
        return

    def build() -> ModelGroup | None:
        return _returned_model(item.obj(**arguments), of_item)

    session = session_of(item.config)
    models = session.reference(_model_key(item, set(arguments)), build)
    if models is not None:
        of_item.run(models, pytrace=False)


def _returned_model(value: Any, of_item: RoundTripsOfItem) -> ModelGroup | None:
    from .fixture import prepared
    from .reference import model as reference_model

    if value is None and of_item.trips:
        return None  # a fixture of the user's has done the round trip
    if value is None or (isinstance(value, tuple) and not value):
        pytest.fail(
            "it returned nothing: return the model, or the model followed by its inputs",
            pytrace=False,
        )
    model, *args = value if isinstance(value, tuple) else (value,)
    return prepared(lambda: reference_model.single(model, args, {}), pytrace=False)


def _model_key(item: pytest.Function, asked: set[str]) -> object:
    """Equal for items that may share one model.

    They are of one function, have the same parameters, and no fixture made anew for each of them,
    which `request` may get by its name.
    """
    callspec = callspec_of(item)
    params = callspec.params.items() if callspec else ()
    parameters = {name: value for name, value in params if name != ARGUMENT}
    given = {name for name, value in parameters.items() if item.funcargs.get(name) is value}
    made_anew = item.stash.get(FUNCTION_SCOPED, set()) - given
    if asked & {"request", *made_anew}:
        return object()
    return (test_of(item), tuple(sorted((name, id(value)) for name, value in parameters.items())))
