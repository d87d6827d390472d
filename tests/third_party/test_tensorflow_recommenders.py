"""TF-Recommenders: a deep and cross network."""

import pytest

tfrs = pytest.importorskip("tensorflow_recommenders")
tf_keras = pytest.importorskip("tf_keras")


@pytest.mark.roundtrip(imports=["tensorflow_recommenders"])
def test_cross():
    x = tf_keras.Input((6,))
    crossed = tfrs.layers.dcn.Cross(projection_dim=2)(x, x)
    return tf_keras.Model(x, tf_keras.layers.Dense(1)(crossed))
