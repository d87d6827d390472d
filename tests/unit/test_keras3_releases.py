"""A format of Keras 3 tells which release brought it to what is older."""

from __future__ import annotations

import pytest

from pytest_modelroundtrip.portable.formats import built_in
from pytest_modelroundtrip.portable.protocol import Interpreter, Machine


@pytest.mark.parametrize(
    ("name", "keras", "reason"),
    [
        ("keras_folder", "3.3.3", "it came with Keras 3.4; the environment has Keras 3.3.3"),
        ("keras_folder", "3.4.0", None),
        ("weights_sharded", "3.9.2", "it came with Keras 3.10; the environment has Keras 3.9.2"),
        ("weights_sharded", "3.15.1", None),
        ("orbax", "3.13.2", "it came with Keras 3.14; the environment has Keras 3.13.2"),
        ("orbax", "2.15.0", "this needs Keras 3; the environment has Keras 2.15.0"),
        ("tfsm_layer", "2.15.0", "it came with Keras 3.0; the environment has Keras 2.15.0"),
    ],
)
def test_an_older_environment_cannot_read_it(name: str, keras: str, reason: str | None) -> None:
    versions = {"tensorflow": "2.15.0" if keras < "3" else "2.21.0", "keras": keras}
    machine = Machine("Linux", "x86_64", [], 2)
    there = Interpreter(versions, ["tensorflow", "keras"], machine, [], 0.0, "none", True)
    assert built_in()[name].unreadable_by(3, there) == reason
