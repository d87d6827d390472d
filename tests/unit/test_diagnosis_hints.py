"""What a diagnosis says is what was looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_modelroundtrip import diagnosis
from pytest_modelroundtrip.diagnosis import Diagnosis, Evidence, Reloading
from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.portable.checks import Observations
from pytest_modelroundtrip.portable.checks.losses import LossesSighting
from pytest_modelroundtrip.portable.comparing import Tolerance
from pytest_modelroundtrip.portable.formats import Format
from pytest_modelroundtrip.portable.formats.export import ExportFormat
from pytest_modelroundtrip.portable.formats.keras import KerasFormat
from pytest_modelroundtrip.portable.protocol import WeightValue
from pytest_modelroundtrip.reference.model import ModelGroup

WEIGHT = WeightValue("dense/bias", "dense#0/bias", None, True, np.ones(2, np.float32))


def seen(output: float) -> Observations:
    outputs = {"": {"": np.array([output], np.float32)}}
    return {"": {"weights": [WEIGHT], "outputs": outputs}}


def diagnosed(
    fmt: Format, expected: Observations, actual: Observations, second: float
) -> Diagnosis:
    """Of these two sides; `second` is what a second reload returns. There is no live model."""
    return diagnosed_with({}, fmt, expected, actual, second)


def diagnosed_with(
    parts: dict[str, Any],
    fmt: Format,
    expected: Observations,
    actual: Observations,
    second: float,
) -> Diagnosis:
    """The same, with live models."""
    group = ModelGroup({})
    group.parts = parts
    comparisons = checks.compare(expected[""], actual[""], Tolerance())

    def again(names: list[str], hash_seed: str | None = None) -> Reloading:
        assert names and hash_seed != ""
        return Reloading(seen(second), {})

    return diagnosis.diagnose(
        Evidence(fmt, comparisons, expected, actual, group, Tolerance(), again)
    )


def test_what_differs_after_each_reload_need_not_be_random() -> None:
    found = diagnosed(KerasFormat(), seen(1), seen(2), 3)
    assert found.verdict == "not deterministic"
    assert "changes from run to run" in found.lines[-1] and "random" not in found.lines[-1]
    assert "the time" in found.hint
    assert found.lines[:-1] == ["the weights are equal, the outputs differ"]
    assert diagnosed(KerasFormat(), seen(1), seen(2), 2).verdict == "differs"


def test_augmentation_is_named_only_where_a_function_was_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(diagnosis, "random_where_served", lambda _: ["random_flip"])
    found = diagnosed_with({"": None}, ExportFormat(), seen(1), seen(2), 2)
    assert "augments its inputs at random in random_flip" in found.lines[0]
    assert "augmentation layers" in found.hint and found.verdict == "differs"
    assert "lookup table" in diagnosed_with({"": None}, KerasFormat(), seen(1), seen(2), 2).hint


def test_what_a_comparison_has_to_say_comes_before_what_the_check_says_in_general() -> None:
    one, none = LossesSighting([np.array(1.0)], []), LossesSighting([], [])
    without, having = ({"": {"losses": side}} for side in (none, one))
    assert "does not have" in diagnosed(KerasFormat(), without, having, 1).hint
    assert "from its get_config" in diagnosed(KerasFormat(), having, without, 1).hint
