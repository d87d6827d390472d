"""What to do about an error of a loader or saver: a hint is given only where it is true."""

from __future__ import annotations

import sys
import textwrap
from fractions import Fraction
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pytest_modelroundtrip.hints import own_objects
from pytest_modelroundtrip.hints.known_errors import Loading, save_error_hint
from pytest_modelroundtrip.hints.load_hints import load_hint
from pytest_modelroundtrip.portable.aliases import Model
from pytest_modelroundtrip.portable.formats.h5 import H5Format
from pytest_modelroundtrip.portable.formats.weights import WeightsFormat
from pytest_modelroundtrip.settings import Settings

CAST = "Can not cast TensorSpec(shape=(2,), dtype=tf.{}, name=None) to TensorSpec(dtype=tf.{})"
LAMBDA = "Requested the deserialization of a `Lambda` layer ... you can pass `safe_mode=False`"
OPERATION = (
    "FileNotFoundError: Op type not registered 'CaseFoldUTF8' in binary running on a host. Make "
    "sure the Op and Kernel are registered in the binary running in this process."
)
GOT = (
    "ValueError: Could not find matching concrete function to call loaded from the SavedModel. Got:"
)
UNTRACKED = "AssertionError: Tried to export a function which references an 'untracked' resource."


def loading(*models: Model, **settings: Any) -> Loading:
    return Loading(models, Settings(formats=("h5",), **settings), H5Format())


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            CAST.format("int32", "int64"),
            "The artifact takes int64, the model was called with int32",
        ),
        (CAST.format("float32", "float32"), ""),
        (CAST.format("float32", "float3"), "The artifact takes float3, the model was called with"),
        ("TypeError: Could not locate class 'Scale'.", "The loader does not know 'Scale'; declare"),
        ("ValueError: Unknown layer: Scale. Please", "The loader does not know 'Scale'; declare"),
        (
            "Unknown activation function: 'function'. Please",
            "neither imports nor custom_objects help",
        ),
        ("ValueError: Unknown variable: <Variable path=dense/kernel>", ""),
        ("Table not initialized.", "A lookup table came back empty"),
        ("No module named 'acme.layers'", "has no module 'acme.layers': add its folder"),
        (
            "Could not deserialize class 'Scale' because its parent module acme cannot be imported",
            "The loader does not know 'Scale'",
        ),
        (
            "Could not deserialize 'keras.metrics.mse' because it is not a KerasSaveable subclass",
            'compile was given "mse" by name or as a function',
        ),
        ("Could not deserialize 'acme.mse' because it is not a KerasSaveable subclass", ""),
        (LAMBDA, "pass safe_mode=False"),
        ("TypeError: load() got an unexpected keyword argument 'safe_mode'", ""),
        (GOT, "A SavedModel can be called only as it was traced"),
        (f"{GOT.replace('concrete ', '')}", "A SavedModel can be called only as it was traced"),
        ("TypeError: 'str' object is not callable", "Something that the model calls came back as"),
        ("TypeError: 'int' object is not callable", ""),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '/data/vocab.txt'",
            "looks for the file /data/vocab.txt, which is not there",
        ),
        (
            "NotFoundError: {{node Read}} /data/vocab.txt; No such file or directory [Op:ReadFile]",
            "looks for the file /data/vocab.txt, which is not there",
        ),
        (
            "FileNotFoundError: [Errno 2] Unable to synchronously open file (unable to open file: "
            "name = '/data/w.h5', errno = 2, error message = 'No such file or directory')",
            "looks for the file /data/w.h5, which is not there",
        ),
        ("NotFoundError: Key dense/kernel not found in checkpoint", ""),
        ("anything else", ""),
    ],
)
def test_hints(message: str, hint: str) -> None:
    found = load_hint(message, loading())
    assert hint in found if hint else not found


def test_an_unknown_name_with_imports_does_not_only_repeat_imports() -> None:
    text = load_hint("Could not locate class 'Scale'.", loading(imports=("acme",)))
    assert "no module in imports=[...] registers it" in text


def test_safe_mode_is_not_advised_where_it_is_off() -> None:
    assert not load_hint(LAMBDA, loading(safe_mode=False))


def test_a_lookup_table_depends_on_the_format_and_the_factory() -> None:
    def hint(**settings: Any) -> str:
        weights = Loading((), Settings(formats=("weights",), **settings), WeightsFormat())
        return load_hint("Table not initialized.", weights)

    assert "Pass a factory" in hint() and "Let the factory" in hint(factory="acme:model")
    assert "factory" not in load_hint("Table not initialized.", loading())


def test_a_checkpoint_is_explained_by_the_factory_only_where_there_is_one() -> None:
    error = "AssertionError: Some Python objects were not bound to checkpointed values"
    assert "Pass a factory" in load_hint(error, loading())
    assert "Let the factory build the same one" in load_hint(error, loading(factory="acme:model"))


# operations


def test_an_operation_is_of_a_library_that_is_imported_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(raw_ops=SimpleNamespace()))
    assert "Name it in imports=[...]." in load_hint(OPERATION, loading())
    monkeypatch.setitem(sys.modules, "tensorflow_text", ModuleType("tensorflow_text"))
    text = load_hint(OPERATION, loading(imports=("acme",)))
    assert 'Here it may be tensorflow_text: imports=["acme", "tensorflow_text"].' in text
    assert "not there" not in text  # it is no file, though TensorFlow raises FileNotFoundError
    for imports in ("tensorflow_text", "tensorflow_text.python.ops"):
        assert "it may be" not in load_hint(OPERATION, loading(imports=(imports,)))


def test_an_operation_that_is_tensorflows_own_needs_a_newer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operations = SimpleNamespace(CaseFoldUTF8=None)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(raw_ops=operations))
    text = load_hint(OPERATION, loading())
    assert "which the TensorFlow there lacks" in text and "imports" not in text


# classes and functions of the model


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
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)  # as of one that was imported by its name
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
    assert "where no attribute has it" in text and "public module of its package" in text
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


# saving


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (UNTRACKED, "uses a variable or a table that the model does not hold"),
        ("Tried to export a function which references untracked object Tensor", "does not hold"),
        (
            "NotFoundError: /tmp/x/vocab.txt; No such file or directory",
            "The save reads the file /tmp/x/vocab.txt",
        ),
        ("ValueError: an untracked list of resources", ""),
    ],
)
def test_hints_of_save_errors(error: str, hint: str) -> None:
    found = save_error_hint(error)
    assert hint in found if hint else not found


def test_what_is_of_python_is_not_the_models_own() -> None:
    model = type("Own", (), {"__module__": "acme"})()
    vars(model).update(number=Fraction, dedent=textwrap.dedent, own=Loading)
    assert [item.name for item in own_objects.own_objects([model])] == ["Loading"]
