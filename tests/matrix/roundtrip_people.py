"""Each kind of thing that people put into a model, in all formats.

pytest -o roundtrip_pythonpath=tests/matrix --roundtrip-report=report.json \
    tests/matrix/roundtrip_people.py
"""

from typing import Any

import people_models as models
import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="module")
def seed() -> None:
    tf.keras.utils.set_random_seed(1)


def _test_of(kind: str) -> Any:
    @pytest.mark.roundtrip(
        formats="all",
        factory=f"people_models:{kind}",
        imports=["people_models"],
        train="people_models:train",
    )
    def test() -> Any:
        return getattr(models, kind)(), models.inputs(kind)

    return test


for each in models.INPUTS:
    if hasattr(tf.keras, "ops") or each not in models.ONLY_KERAS_3:
        globals()[f"test_{each}"] = _test_of(each)
