"""What the save may not do to the model that it is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_modelroundtrip import saving
from pytest_modelroundtrip.plan import Stop
from pytest_modelroundtrip.portable.checks import NotChecked
from pytest_modelroundtrip.portable.protocol import WeightValue
from pytest_modelroundtrip.result import Verdict

WEIGHT = WeightValue("kernel", "kernel", None, True, np.ones(2, np.float32))


def saved(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Pass where a model of which this is seen before and after the save is unchanged."""
    models = SimpleNamespace(observe=lambda *_, **__: {"": after})
    plan: Any = SimpleNamespace(models=models, format=SimpleNamespace(trains=False))
    saving.assert_unchanged(plan, [*before], {"": before})


def test_a_model_may_not_lose_its_optimizer() -> None:
    weights = {"weights": [WEIGHT]}
    whole = {**weights, "optimizer": [WEIGHT]}
    saved(whole, whole)
    saved({**weights, "training": NotChecked("it is slow")}, weights)  # not made again
    with pytest.raises(Stop) as stop:
        saved(whole, weights)
    assert stop.value.verdict is Verdict.DIFFERS
    (_, line) = stop.value.problems
    assert line == "the original has its optimizer, the reloaded model has none"
