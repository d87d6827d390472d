"""What is said where a model cannot be called."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from pytest_modelroundtrip.hints.known_errors import save_error_hint
from pytest_modelroundtrip.reference.model import ModelError, single


class Failing:
    """A model, by its looks, that cannot be called."""

    def get_config(self) -> dict[str, object]:
        """Makes it look so."""
        return {}

    def __call__(self, x: object) -> object:
        """As a model would be called."""
        raise RuntimeError(f"Unable to cast {type(x).__name__}")


@pytest.mark.parametrize(("name", "told"), [(b"t\xff", True), ("é".encode(), False)])
def test_a_temporary_folder_that_tensorflow_cannot_name(
    name: bytes, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / os.fsdecode(name)))
    with pytest.raises(ModelError) as raised:
        single(Failing(), [np.zeros(2)], {})
    assert ("is not UTF-8" in str(raised.value)) == told


def test_a_folder_that_a_format_cannot_name() -> None:
    error = "UnicodeEncodeError: 'utf-8' codec can't encode character: surrogates not allowed"
    assert "--basetemp" in save_error_hint(error)
