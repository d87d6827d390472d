"""keras-rs: recommenders for Keras 3."""

import keras
import numpy as np
import pytest

keras_rs = pytest.importorskip("keras_rs")


@pytest.mark.roundtrip(imports=["keras_rs"])
def test_feature_cross():
    x = keras.Input((6,))
    crossed = keras_rs.layers.FeatureCross(projection_dim=2)(x, x)
    return keras.Model(x, keras.layers.Dense(1)(crossed))


@pytest.mark.roundtrip(
    imports=["keras_rs"],
    expected_failures={"checkpoint": "TensorFlow's object graph does not have the tables"},
)
def test_distributed_embedding():
    table = keras_rs.layers.TableConfig("movies", vocabulary_size=10, embedding_dim=4)
    movie = keras_rs.layers.FeatureConfig("movie", table, input_shape=(4,), output_shape=(4, 4))
    x = {"movie": keras.Input((), batch_size=4, dtype="int32", name="movie")}
    model = keras.Model(x, keras_rs.layers.DistributedEmbedding({"movie": movie})(x))
    return model, {"movie": np.array([1, 4, 9, 0], "int32")}
