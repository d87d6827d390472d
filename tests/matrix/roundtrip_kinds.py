"""A round trip of each kind of model in each format; `test_capabilities.py` runs it.

The formats that need an optimizer get a compiled model.
"""

from typing import Any

import capability_models as models
import pytest
import tensorflow as tf

COMPILED = ["orbax", "model_checkpoint", "backup_and_restore", "checkpoint_manager"]


@pytest.fixture(autouse=True, scope="module")
def seed() -> None:
    tf.keras.utils.set_random_seed(1)


@pytest.mark.roundtrip(formats="all", exclude=COMPILED, factory="capability_models:dense")
def test_dense() -> Any:
    return models.dense(), models.INPUTS["dense"]


@pytest.mark.roundtrip(
    formats=COMPILED,
    train="capability_models:train.dense",
    factory="capability_models:factories.dense",
)
def test_dense_compiled() -> Any:
    return models.factories.dense(), models.INPUTS["dense"]


@pytest.mark.roundtrip(formats="all", exclude=COMPILED, factory="capability_models:convolutional")
def test_convolutional() -> Any:
    return models.convolutional(), models.INPUTS["convolutional"]


@pytest.mark.roundtrip(
    formats=COMPILED,
    train="capability_models:train.convolutional",
    factory="capability_models:factories.convolutional",
)
def test_convolutional_compiled() -> Any:
    return models.factories.convolutional(), models.INPUTS["convolutional"]


@pytest.mark.roundtrip(formats="all", exclude=COMPILED, factory="capability_models:masked_lstm")
def test_masked_lstm() -> Any:
    return models.masked_lstm(), models.INPUTS["masked_lstm"]


@pytest.mark.roundtrip(
    formats=COMPILED,
    train="capability_models:train.masked_lstm",
    factory="capability_models:factories.masked_lstm",
)
def test_masked_lstm_compiled() -> Any:
    return models.factories.masked_lstm(), models.INPUTS["masked_lstm"]


@pytest.mark.roundtrip(formats="all", exclude=COMPILED, factory="capability_models:text_classifier")
def test_text() -> Any:
    return models.text_classifier(), models.INPUTS["text"]


@pytest.mark.roundtrip(
    formats=COMPILED,
    train="capability_models:train.text",
    factory="capability_models:factories.text",
)
def test_text_compiled() -> Any:
    return models.factories.text(), models.INPUTS["text"]


@pytest.mark.roundtrip(formats="all", exclude=COMPILED, factory="capability_models:several_inputs")
def test_several_inputs() -> Any:
    return models.several_inputs(), models.INPUTS["several_inputs"]


@pytest.mark.roundtrip(
    formats=COMPILED,
    train="capability_models:train.several_inputs",
    factory="capability_models:factories.several_inputs",
)
def test_several_inputs_compiled() -> Any:
    return models.factories.several_inputs(), models.INPUTS["several_inputs"]


@pytest.mark.roundtrip(formats="all", exclude=COMPILED, factory="capability_models:mixed_precision")
def test_mixed_precision() -> Any:
    return models.mixed_precision(), models.INPUTS["mixed_precision"]


@pytest.mark.roundtrip(
    formats=COMPILED,
    train="capability_models:train.mixed_precision",
    factory="capability_models:factories.mixed_precision",
)
def test_mixed_precision_compiled() -> Any:
    return models.factories.mixed_precision(), models.INPUTS["mixed_precision"]


@pytest.mark.roundtrip(
    formats="all",
    exclude=COMPILED,
    factory="capability_models:subclassed",
    imports=["capability_models"],
)
def test_subclassed() -> Any:
    return models.subclassed(), models.INPUTS["subclassed"]


@pytest.mark.roundtrip(
    formats=COMPILED,
    train="capability_models:train.subclassed",
    factory="capability_models:factories.subclassed",
    imports=["capability_models"],
)
def test_subclassed_compiled() -> Any:
    return models.factories.subclassed(), models.INPUTS["subclassed"]


@pytest.mark.roundtrip(
    formats="all", exclude=COMPILED, factory="capability_models:sentence_encoder"
)
def test_module() -> Any:
    return models.sentence_encoder(), models.INPUTS["module"]


@pytest.mark.roundtrip(
    formats=COMPILED,
    train="capability_models:train.module",
    factory="capability_models:factories.module",
)
def test_module_compiled() -> Any:
    return models.sentence_encoder(), models.INPUTS["module"]
