"""Saves each model of the matrix in every format; `run.py` runs it once for each saver."""

from typing import Any

import matrix_models as models
import numpy as np
import pytest
import tensorflow as tf

numbers = np.random.default_rng(0)
TOKENS = numbers.integers(1, 20, (3, 6)).astype("int32")


@pytest.fixture(autouse=True, scope="module")
def seed() -> None:
    tf.keras.utils.set_random_seed(1)


@pytest.mark.roundtrip(factory="matrix_models:dense")
def test_dense() -> Any:
    return models.dense(), numbers.normal(size=(3, 4)).astype("float32")


@pytest.mark.roundtrip(factory="matrix_models:convolutional")
def test_convolutional() -> Any:
    return models.convolutional(), numbers.normal(size=(3, 8, 8, 3)).astype("float32")


@pytest.mark.roundtrip(factory="matrix_models:encoder_decoder")
def test_encoder_decoder() -> Any:
    return models.encoder_decoder(), [TOKENS, TOKENS[:, ::-1].copy()]


@pytest.mark.roundtrip(factory="matrix_models:text_classifier")
def test_text_classifier() -> Any:
    return models.text_classifier(), np.array([[text] for text in models.SENTENCES])


@pytest.mark.roundtrip(factory="matrix_models:transformer_block")
def test_transformer_block() -> Any:
    return models.transformer_block(), TOKENS


@pytest.mark.roundtrip(factory="matrix_models:sentence_encoder")
def test_sentence_encoder() -> Any:
    return models.sentence_encoder(), models.SENTENCES
