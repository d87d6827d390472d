"""TensorFlow Probability: models that return a distribution."""

import pytest

tfp = pytest.importorskip("tensorflow_probability")
tf_keras = pytest.importorskip("tf_keras")


CODE = "it is written as a lambda, which safe_mode refuses"
NOT_REBUILT = dict.fromkeys(["keras", "weights", "weights_tf", "checkpoint"], CODE)
CLOSURE = "functions in closures are written as names, which nothing looks up again"
FUNCTIONS = dict.fromkeys([*NOT_REBUILT, "h5", "keras_saved_model"], CLOSURE)
LAYERS = "tensorflow_probability.python.layers"


@pytest.mark.roundtrip(
    custom_objects={"IndependentNormal": f"{LAYERS}:IndependentNormal"},
    checks=["weights", "config"],  # its outputs are drawn
    expected_failures=NOT_REBUILT,
)
def test_independent_normal():
    return tf_keras.Sequential([
        tf_keras.Input((4,)),
        tf_keras.layers.Dense(tfp.layers.IndependentNormal.params_size(2)),
        tfp.layers.IndependentNormal(2),
    ])  # fmt: skip


@pytest.mark.roundtrip(
    custom_objects={"IndependentNormal": f"{LAYERS}:IndependentNormal"},
    expected_failures=NOT_REBUILT,
)
def test_mean_of_normal():
    return tf_keras.Sequential([
        tf_keras.Input((4,)),
        tf_keras.layers.Dense(tfp.layers.IndependentNormal.params_size(2)),
        tfp.layers.IndependentNormal(2, convert_to_tensor_fn=tfp.distributions.Distribution.mean),
    ])  # fmt: skip


@pytest.mark.roundtrip(
    checks=["weights", "config"],  # its outputs are drawn
    custom_objects={
        "DenseFlipout": f"{LAYERS}:DenseFlipout",
        "default_multivariate_normal_fn": f"{LAYERS}.util:default_multivariate_normal_fn",
        "_Independent": "tensorflow_probability.python.distributions.independent:_Independent",
    },
    expected_failures=FUNCTIONS,
)
def test_dense_flipout():
    return tf_keras.Sequential([tf_keras.Input((4,)), tfp.layers.DenseFlipout(2)])
