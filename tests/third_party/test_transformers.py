"""transformers: the last release with TensorFlow models."""

import numpy as np
import pytest

transformers = pytest.importorskip("transformers")


@pytest.mark.roundtrip(
    imports=["transformers"],
    expected_failures={"keras": "transformers_version of the config: None comes back as a version"},
)
def test_bert():
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=12,
    )  # fmt: skip
    return transformers.TFBertModel(config), {
        "input_ids": np.array([[2, 5, 7, 3], [2, 9, 3, 0]], "int32"),
        "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]], "int32"),
        "token_type_ids": np.zeros((2, 4), "int32"),
    }
