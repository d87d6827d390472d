"""Hints about a model's own classes and functions: which keyword finds them, and where."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any

import pytest

from pytest_modelroundtrip.hints import own_objects
from pytest_modelroundtrip.hints.known_errors import Loading
from pytest_modelroundtrip.hints.load_hints import load_hint
from pytest_modelroundtrip.portable.aliases import Model
from pytest_modelroundtrip.portable.formats.h5 import H5Format
from pytest_modelroundtrip.settings import Settings


def loading(*models: Model, **settings: Any) -> Loading:
    return Loading(models, Settings(formats=("h5",), **settings), H5Format())


class Holder:
    """A model that holds objects."""

    def __init__(self, **held: object) -> None:
        vars(self).update(held)


LAYERS = """
class Scale:
    def get_config(self): return {}

class Shift(Scale):
    pass

def squash(x): return x

def local():
    class Local(Scale):
        pass
    return Local()
"""


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a module of that name, with the classes of `LAYERS`."""

    def make(name: str) -> Any:
        module = module_from_spec(ModuleSpec(name, None))  # as one that was imported by its name
        exec(LAYERS, module.__dict__)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return make


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every class is registered for the package `acme`."""
    monkeypatch.setattr(
        own_objects, "_registered_name", lambda custom, _: f"acme>{custom.__name__}"
    )


LOCATE = "TypeError: Could not locate class 'Scale'. Make sure custom classes and functions are"
UNKNOWN = "ValueError: Unknown layer: '{}'. Please ensure you are using a"


@pytest.mark.usefixtures("registered")
def test_the_modules_of_all_own_classes_are_named_at_once(acme: Any) -> None:
    one, other = acme("acme.one"), acme("acme.other")
    model = Holder(layers=[one.Scale(), other.Shift()])
    text = load_hint(LOCATE, loading(model, imports=("acme.losses",)))
    assert "Scale is defined in acme.one" in text
    assert 'pass imports=["acme.losses", "acme.one", "acme.other"].' in text
    assert text.endswith("\nFor all tests, in the ini file: roundtrip_imports = "
                         "acme.losses acme.one acme.other")  # fmt: skip
    assert "custom_objects" not in text


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("imports", ["acme.one", "acme.one.inner"])
def test_imports_is_not_advised_where_the_module_is_imported(acme: Any, imports: str) -> None:
    model = Holder(layer=acme("acme.one").Scale())
    text = load_hint(UNKNOWN.format("Scale"), loading(model, imports=(imports,)))
    assert "pass imports=" not in text and "roundtrip_imports" not in text
    assert "this format looks for it by the name 'Scale': pass custom_objects={\"Scale\": " in text
    given = {"Scale": "acme.one:Scale"}
    settings = loading(model, imports=(imports,), custom_objects=given)
    assert not load_hint(UNKNOWN.format("Scale"), settings)
    for error in (LOCATE, UNKNOWN.format("acme>Scale")):
        text = load_hint(error, loading(model, imports=(imports,)))
        assert "which imports=[...] has; the loader does not find it by the name" in text
        assert 'pass custom_objects={"acme>Scale": "acme.one:Scale"}' in text


@pytest.mark.usefixtures("registered")
def test_a_bare_name_that_a_format_stores_needs_custom_objects(acme: Any) -> None:
    model = Holder(layer=acme("acme.one").Scale())
    bare = load_hint(UNKNOWN.format("Scale"), loading(model))
    assert 'custom_objects={"Scale": "acme.one:Scale"}.' in bare and "imports=" not in bare
    full = load_hint(UNKNOWN.format("acme>Scale"), loading(model))
    assert 'pass imports=["acme.one"].' in full and "custom_objects" not in full


def test_what_is_not_registered_needs_custom_objects(acme: Any) -> None:
    module = acme("acme.one")
    model = Holder(layer=module.Scale(), activation=module.squash)
    settings = loading(model, custom_objects={"other": "acme:other"})
    text = load_hint(LOCATE, settings)
    assert (
        'pass custom_objects={"other": "acme:other", "Scale": "acme.one:Scale", "squash": '
        '"acme.one:squash"}, as Scale, squash are not registered.' in text
    )
    assert "imports=" not in text


IN_CONFIG = "{'module': 'builtins', 'class_name': 'function', 'config': 'squash', 'x': 'y'}"


@pytest.mark.parametrize(
    "error",
    [
        "Could not locate function 'squash'. Make sure custom classes are decorated",
        "Unknown loss function: 'squash'. Please ensure you are using a",
        "Could not interpret loss identifier: squash",
        f"Could not interpret regularizer identifier: {IN_CONFIG}",
        f"Unknown activation function '{IN_CONFIG}' cannot be deserialized.",
        "The added layer must be an instance of class Layer. Received: layer=squash of type "
        "<class 'str'>.",
    ],
)
def test_the_words_of_each_loader_are_known(acme: Any, error: str) -> None:
    module = acme("acme.one")
    model = Holder(activation=module.squash)
    text = load_hint(f"TypeError: Error when deserializing class 'Dense'. {error}", loading(model))
    assert 'pass custom_objects={"squash": "acme.one:squash"}, as squash is not reg' in text


@pytest.mark.parametrize(
    "error",
    [
        "FileNotFoundError: [Errno 2] No such file or directory: '/data/Scale'",
        "ValueError: Scale cannot take None",
        "TypeError: Could not locate class 'Rescale'.",
    ],
)
def test_a_class_that_is_only_mentioned_is_not_advised(acme: Any, error: str) -> None:
    assert "acme.one" not in load_hint(error, loading(Holder(layer=acme("acme.one").Scale())))


def test_the_public_module_is_named_not_the_private_one(
    acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = acme("acme.src.layers")
    for name in ("acme.api.layers", "acme.layers"):
        public = ModuleType(name)
        public.Scale = private.Scale  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, public)
    model = Holder(layers=[private.Scale(), private.Shift()])
    text = load_hint(LOCATE, loading(model))
    assert '"Scale": "acme.layers:Scale"' in text
    assert '"Shift": "acme.src.layers:Shift"' in text  # no public module has it


@pytest.mark.usefixtures("registered")
def test_a_class_of_a_function_is_not_advised_by_its_name(acme: Any) -> None:
    text = load_hint(
        LOCATE.replace("Scale", "Local"), loading(Holder(layer=acme("acme.one").local()))
    )
    assert (
        "but not as an attribute of that module" in text and "public module of its package" in text
    )
    assert "acme.one:" not in text and '"acme.one"' not in text


def test_a_test_module_is_never_advised(acme: Any) -> None:
    module = acme("test_model")
    model = Holder(layers=[module.Scale(), module.Shift()])
    text = load_hint(LOCATE, loading(model))
    assert "a test module, which no server imports" in text and "Shift" in text
    assert 'imports=["that.module"]' in text and '"test_model' not in text


def test_a_module_that_cannot_be_imported_there_is_not_advised(acme: Any) -> None:
    model = Holder(layer=acme("acme.one").Scale())
    error = (
        "Could not deserialize class 'Scale' because its parent module acme.one cannot be imported."
    )
    text = load_hint(error, loading(model))
    assert "cannot import the module 'acme.one'" in text and "imports=" not in text


def test_a_function_that_came_back_as_text_is_named(acme: Any) -> None:
    model = Holder(activation=acme("acme.one").squash)
    error = "TypeError: 'str' object is not callable"
    assert 'custom_objects={"squash": "acme.one:squash"}' in load_hint(error, loading(model))
    given = loading(model, custom_objects={"squash": "acme.one:squash"})
    assert "custom_objects" not in load_hint(error, given)


def test_a_layer_that_came_back_as_text_is_named(acme: Any) -> None:
    model = Holder(layer=acme("acme.one").Scale())
    text = load_hint("TypeError: 'str' object is not callable", loading(model))
    assert 'custom_objects={"Scale": "acme.one:Scale"}' in text


def test_an_object_that_was_not_restored_is_named(acme: Any) -> None:
    model = Holder(metric=acme("acme.one").Scale())
    error = "ValueError: Unable to restore custom object of {}. Please make sure that"
    named = load_hint(error.format('class "Scale" (type _tf_keras_metric)'), loading(model))
    unnamed = load_hint(error.format("type _tf_keras_metric currently"), loading(model))
    assert 'custom_objects={"Scale": "acme.one:Scale"}' in named
    assert 'custom_objects={"Scale": "acme.one:Scale"}' in unnamed
    assert "get_config" in load_hint(error.format("type _tf_keras_metric currently"), loading())
