"""A round trip of each kind of model in each format; `test_capabilities.py` runs it."""

from typing import Any

import capability_models as models
import numpy as np
import pytest
import tensorflow as tf

numbers = np.random.default_rng(0)
TOKENS = np.array([[3, 1, 4, 0, 0, 0], [1, 5, 9, 2, 6, 0]], dtype="int32")
SENTENCES = ["a small red fox", "no bird sees the small fox"]


def floats(*shape: int) -> Any:
    return numbers.normal(size=shape).astype("float32")


@pytest.fixture(autouse=True, scope="module")
def seed() -> None:
    tf.random.set_seed(1)


@pytest.mark.roundtrip(factory="capability_models:dense")
def test_dense() -> Any:
    return models.dense(), floats(3, 4)


@pytest.mark.roundtrip(factory="capability_models:convolutional")
def test_convolutional() -> Any:
    return models.convolutional(), floats(2, 8, 8, 3)


@pytest.mark.roundtrip(factory="capability_models:masked_lstm")
def test_masked_lstm() -> Any:
    return models.masked_lstm(), TOKENS


@pytest.mark.roundtrip(factory="capability_models:text_classifier")
def test_text() -> Any:
    return models.text_classifier(), np.array([[text] for text in SENTENCES])


@pytest.mark.roundtrip(factory="capability_models:several_inputs")
def test_several_inputs() -> Any:
    return models.several_inputs(), {"left": floats(3, 4), "right": floats(3, 3)}


@pytest.mark.roundtrip(factory="capability_models:mixed_precision")
def test_mixed_precision() -> Any:
    return models.mixed_precision(), floats(3, 4)


@pytest.mark.roundtrip(factory="capability_models:subclassed", imports=["capability_models"])
def test_subclassed() -> Any:
    return models.subclassed(), floats(3, 4)


@pytest.mark.roundtrip(factory="capability_models:sentence_encoder")
def test_module() -> Any:
    return models.sentence_encoder(), SENTENCES
