"""`check_layer`: sound layers pass, and each fault is named by the check that is made for it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import pytest_modelroundtrip
from pytest_modelroundtrip import LayerError, check_layer

X = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")


@pytest.fixture
def own(tensorflow: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ARG001
    """The module of layers."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "battery"))
    import own_layers

    return own_layers


# class -> the check that finds its fault, and words of the fault
FAULTS = {
    "ForgetsArgument": ("config", "output differs in"),
    "UnknownArgument": ("config", "raised TypeError: "),
    "ConfigOfObjects": ("json", "raised TypeError: "),
    "ForgetsTrainable": ("config", "trainable was False and is now True"),
    "BuildsInCall": ("build", "build creates 0 of 2 weights"),
    "LosesWeights": ("config", "output differs in"),
    "WrongShape": (
        "shape",
        "compute_output_shape((3, 5, 4)) returns (3, 5, 5); the call returns (3, 5, 4)",
    ),
    "WrongDtype": ("spec", "returns float32; the call returns int64"),
    "WrongMask": (
        "mask",
        "compute_mask returns a mask of the shape [5, 3] for an output [3, 5, 4]",
    ),
    "InvertsMask": ("mask", "called with a mask that hides nothing: output differs in"),
    "FixedBatch": ("batch", "raised InvalidArgumentError: "),
    "NeedsValues": ("functional", "raised "),
    "StaysInFloat32": ("mixed_float16", "output is float32; the policy computes in float16"),
    "WeightsIn16Bits": ("mixed_bfloat16", "is bfloat16; the policy keeps it in float32"),
    "OverflowsIn16Bits": ("mixed_float16", "has NaN or infinity; in float32 it has none"),
    "Raises": ("call", "raised ValueError: "),
}
NEEDS = {"json": "get_build_config", "build": "get_build_config", "spec": "compute_output_spec"}


def test_sound_layers_pass(own: Any) -> None:
    made = check_layer(own.Scale(2.0), X)
    lacking = {check for check, method in NEEDS.items() if not hasattr(own.Scale, method)}
    assert set(made) == set(pytest_modelroundtrip.battery.CHECKS) - lacking
    assert "sequential" in check_layer(own.Sampling(), X)
    assert "nested" in check_layer(own.CountsCalls(), X)
    made = check_layer(own.Residual(), X, y=X + 1, double=True)
    assert {"config", "functional", "nested_twice", "batch", "mixed_float16"} <= set(made)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(own: Any, name: str) -> None:
    check, words = FAULTS[name]
    if check in NEEDS and not hasattr(own.Scale, NEEDS[check]):
        pytest.skip(f"this Keras has no {NEEDS[check]}")
    if name == "LosesWeights" and not hasattr(own.Scale, "load_own_variables"):
        pytest.skip("this Keras does not ask layers to load their variables")
    layer = own.FAULTY[name](2.0)
    layer.trainable = name != "ForgetsTrainable"
    with pytest.raises(LayerError) as raised:
        check_layer(layer, X)
    text = str(raised.value)
    assert any(words in fault for fault in raised.value.faults[check]), text
    assert text.startswith(f"{name} ") and f"\n  {check}: " in text


def test_all_that_is_wrong_is_in_one_failure(own: Any) -> None:
    class Both(own.WrongMask):  # type: ignore[misc]
        def compute_output_shape(self, input_shape: Any) -> Any:
            return (*input_shape, 1)

    with pytest.raises(LayerError) as raised:
        check_layer(Both(), X, custom_objects={"Both": Both})
    assert {"shape", "mask"} <= set(raised.value.faults)


def test_classes_that_are_not_registered_are_passed(own: Any) -> None:
    custom = {"NotRegistered": own.NotRegistered}
    assert "nested_twice" in check_layer(own.NotRegistered(2.0), X, custom_objects=custom)


def test_a_list_and_an_unknown_check_are_refused(own: Any) -> None:
    with pytest.raises(TypeError, match="a Keras layer is expected, not list"):
        check_layer([], X)
    with pytest.raises(ValueError, match=r"unknown check 'shapes'; did you mean 'shape'\?"):
        check_layer(own.Scale(), X, skip=["shapes"])


def test_the_global_policy_is_as_before(own: Any) -> None:
    before = own.K.mixed_precision.global_policy()
    check_layer(own.Scale(), X)
    assert own.K.mixed_precision.global_policy().name == before.name
