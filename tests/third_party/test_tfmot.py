"""TensorFlow Model Optimization: pruned and quantized models."""

import numpy as np
import pytest

tfmot = pytest.importorskip("tensorflow_model_optimization")
tf_keras = pytest.importorskip("tf_keras")

CORE = "tensorflow_model_optimization.python.core"
QUANTIZATION = f"{CORE}.quantization.keras"


TWICE = "the rebuilt QuantizeLayer has its variables twice, one set of them unused"


def dense():
    return tf_keras.Sequential([
        tf_keras.Input((4,)),
        tf_keras.layers.Dense(6, activation="relu"),
        tf_keras.layers.Dense(2),
    ])  # fmt: skip


@pytest.mark.roundtrip(
    custom_objects={
        "PruneLowMagnitude": f"{CORE}.sparsity.keras.pruning_wrapper:PruneLowMagnitude",
        "ConstantSparsity": "tensorflow_model_optimization.sparsity.keras:ConstantSparsity",
    }
)
def test_pruned():
    model = tfmot.sparsity.keras.prune_low_magnitude(dense())
    model.compile("adam", "mse")
    step = tfmot.sparsity.keras.UpdatePruningStep()
    model.fit(np.ones((4, 4)), np.ones((4, 2)), callbacks=[step], verbose=0)
    return model


@pytest.mark.roundtrip(
    custom_objects={
        "QuantizeLayer": f"{QUANTIZATION}.quantize_layer:QuantizeLayer",
        "QuantizeWrapperV2": f"{QUANTIZATION}.quantize_wrapper:QuantizeWrapperV2",
        "AllValuesQuantizer": f"{QUANTIZATION}.quantizers:AllValuesQuantizer",
        "QuantizeAwareActivation": f"{QUANTIZATION}.quantize_aware_activation"
        ":QuantizeAwareActivation",
        "Default8BitQuantizeConfig": f"{QUANTIZATION}.default_8bit"
        ".default_8bit_quantize_registry:Default8BitQuantizeConfig",
    },
    expected_failures=dict.fromkeys(["keras", "weights", "weights_tf", "checkpoint"], TWICE),
)
def test_quantized():
    return tfmot.quantization.keras.quantize_model(dense())
