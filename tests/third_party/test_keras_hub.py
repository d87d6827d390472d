"""KerasHub: a backbone, and a tokenizer in front of an embedding."""

import keras
import pytest

keras_hub = pytest.importorskip("keras_hub")


@pytest.mark.roundtrip(custom_objects={"BertBackbone": "keras_hub.models:BertBackbone"})
def test_bert():
    return keras_hub.models.BertBackbone(
        vocabulary_size=20, num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=16,
        max_sequence_length=12,
    )  # fmt: skip


VOCABULARY = "the vocabulary is an asset, which only .keras keeps beside the SavedModels"


@pytest.mark.roundtrip(
    imports=["keras_hub"],
    expected_failures=dict.fromkeys(["h5", "weights", "checkpoint"], VOCABULARY),
)
def test_tokenizer():
    words = ["[PAD]", "[UNK]", "the", "model", "is", "saved", "##s"]
    tokenize = keras_hub.tokenizers.WordPieceTokenizer(words, sequence_length=6)
    text = keras.Input((), dtype="string")
    model = keras.Model(text, keras.layers.Embedding(7, 3)(tokenize(text)))
    return model, ["the model is saved", "models the"]
