"""TensorFlow Probability: models that return a distribution."""

import pytest

tfp = pytest.importorskip("tensorflow_probability")
tf_keras = pytest.importorskip("tf_keras")


@pytest.mark.roundtrip(imports=["tensorflow_probability"])
def test_independent_normal():
    return tf_keras.Sequential([
        tf_keras.Input((4,)),
        tf_keras.layers.Dense(tfp.layers.IndependentNormal.params_size(2)),
        tfp.layers.IndependentNormal(2),
    ])  # fmt: skip


@pytest.mark.roundtrip(imports=["tensorflow_probability"], checks=["weights", "config"])
def test_dense_flipout():
    return tf_keras.Sequential([tf_keras.Input((4,)), tfp.layers.DenseFlipout(2)])
