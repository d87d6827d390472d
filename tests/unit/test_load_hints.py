"""What to do about an error of a loader or saver: a hint is given only where it is true."""

from __future__ import annotations

import sys
import textwrap
from fractions import Fraction
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
        ("Table not initialized.", "A lookup table is empty after the reload"),
        ("No module named 'acme.layers'", "has no module 'acme.layers': add its folder"),
        (
            "Could not deserialize class 'Scale' because its parent module acme cannot be imported",
            "The loader does not know 'Scale'",
        ),
        (
            "Could not deserialize 'keras.metrics.mse' because it is not a KerasSaveable subclass",
            'compile got "mse" by name or as a function',
        ),
        ("Could not deserialize 'acme.mse' because it is not a KerasSaveable subclass", ""),
        (LAMBDA, "pass safe_mode=False"),
        ("TypeError: load() got an unexpected keyword argument 'safe_mode'", ""),
        (GOT, "A SavedModel can be called only as it was traced"),
        (f"{GOT.replace('concrete ', '')}", "A SavedModel can be called only as it was traced"),
        ("TypeError: 'str' object is not callable", "Something that the model calls is text"),
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
