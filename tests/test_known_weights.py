"""Equal weights are not sent; those that differ are sent whole."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
from shared_interpreters import SharedInterpreters

from pytest_modelroundtrip import reloading, saving
from pytest_modelroundtrip.environments import HERE
from pytest_modelroundtrip.environments.archive import portable_archive
from pytest_modelroundtrip.plan import Plan
from pytest_modelroundtrip.portable import formats
from pytest_modelroundtrip.portable.tensors import KnownArray
from pytest_modelroundtrip.reference.model import single
from pytest_modelroundtrip.settings import Settings


def test_only_what_differs_travels(
    tensorflow: ModuleType, tmp_path: Path, shared_interpreters: SharedInterpreters
) -> None:
    layers = tensorflow.keras.layers
    model = tensorflow.keras.Sequential([layers.Input((64,)), layers.Dense(64), layers.Dense(64)])
    environment = shared_interpreters.environment("here", HERE, portable_archive([]), "fork")
    fmt = formats.built_in()["weights"]
    plan = Plan(single(model, (), {}), fmt, Settings(("weights",)), tmp_path, environment)
    saving.save(plan, tmp_path / "artifact")
    kernel = model.layers[0].kernel
    kernel.assign(kernel + 1)
    expected = plan.models.observe(fmt, ["weights"])
    task = reloading.make_task(plan, ["weights"], expected, 1)
    reloaded = environment.reload(task.job, 300)
    assert reloaded.observation is not None, reloaded
    first, _, second, _ = (weight["value"] for weight in reloaded.observation[""]["weights"])
    assert isinstance(second, KnownArray)
    np.testing.assert_allclose(first, kernel.numpy() - 1, atol=1e-6)
