"""Names that users give and that become folders: none leads out of the artifact's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelroundtrip.defined_environments import parsed_environments
from pytest_modelroundtrip.portable.formats import faults_of
from pytest_modelroundtrip.portable.formats.h5 import H5Format
from pytest_modelroundtrip.reference import model, part_names
from pytest_modelroundtrip.reference.model import ModelError


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "/abs/x", "a/b", "../x", "a\\b", "a\0b", "a\nb", "\x1b[31m", "\udcff"),
        *("x" * 201, "é" * 101),
    ],
)
def test_a_part_that_cannot_be_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    """Before anything is called or written."""
    with pytest.raises(ModelError) as refused:
        model.group({"other": None, name: None})
    text = str(refused.value)
    assert text.startswith("the part '") and "roundtrip.parts(encoder=" in text
    assert text.isprintable() and len(text) < 400
    assert not list(tmp_path.iterdir())


def test_parts_of_one_folder_are_refused() -> None:
    for pair in (("Encoder", "encoder"), ("\u00e9", "e\u0301"), ("STRASSE", "straße")):
        fault = part_names.fault(pair)
        assert f"{pair[0]!r} and {pair[1]!r}" in fault and "the same folder" in fault


def test_any_other_name_is_good() -> None:
    assert not part_names.fault(["encoder", "decoder", "my part", "v1.0", ".hidden", "é", "模型"])
    assert not part_names.fault(["...", "~", "-x", "*", "x" * 200])


def test_names_of_environments_and_formats_are_as_long_as_a_folder_can_be() -> None:
    assert parsed_environments([("x" * 100, "/opt/python")], Path(), "here")
    with pytest.raises(pytest.UsageError, match="a name of at most 100 letters"):
        parsed_environments([("x" * 101, "/opt/python")], Path(), "here")

    class Long(H5Format):
        """Has a name."""

        name = "x" * 100

    assert not faults_of(Long)
    Long.name += "x"
    assert faults_of(Long) == ["its name is not a string of at most 100 letters, digits, _ and ."]
