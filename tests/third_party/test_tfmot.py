"""TensorFlow Model Optimization: pruned and quantized models."""

import pytest

tfmot = pytest.importorskip("tensorflow_model_optimization")
tf_keras = pytest.importorskip("tf_keras")


def dense():
    return tf_keras.Sequential([
        tf_keras.Input((4,)),
        tf_keras.layers.Dense(6, activation="relu"),
        tf_keras.layers.Dense(2),
    ])  # fmt: skip


@pytest.mark.roundtrip(imports=["tensorflow_model_optimization"])
def test_pruned():
    model = tfmot.sparsity.keras.prune_low_magnitude(dense())
    model.compile("adam", "mse")
    return model


@pytest.mark.roundtrip(imports=["tensorflow_model_optimization"])
def test_quantized():
    return tfmot.quantization.keras.quantize_model(dense())
