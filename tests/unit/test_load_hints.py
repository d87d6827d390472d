"""What to do about a load error: a hint is given only where it is true."""

from __future__ import annotations

import pytest

from pytest_modelroundtrip.load_hints import load_hint

CAST = "Can not cast TensorSpec(shape=(2,), dtype=tf.{}, name=None) to TensorSpec(dtype=tf.{})"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            CAST.format("int32", "int64"),
            "The artifact takes int64, the model was called with int32",
        ),
        (CAST.format("float32", "float32"), ""),
        (CAST.format("float32", "float3"), "The artifact takes float3, the model was called with"),
        ("Could not locate class 'Scale'.", "The loader does not know 'Scale'; declare what"),
        ("Table not initialized.", "A lookup table came back empty"),
        ("No module named 'acme.layers'", "has no module 'acme.layers': add its folder"),
        ("Requested the deserialization ... safe_mode=False", "pass safe_mode=False"),
        ("anything else", ""),
    ],
)
def test_hints(message: str, hint: str) -> None:
    found = load_hint(message, [])
    assert hint in found if hint else not found
