"""GPflow: Gaussian processes, whose parameters are constrained."""

import numpy as np
import pytest
import tensorflow as tf

gpflow = pytest.importorskip("gpflow")

X = np.linspace(0, 1, 8)[:, None]


@pytest.mark.roundtrip
def test_gpr():
    model = gpflow.models.GPR((X, np.sin(6 * X)), kernel=gpflow.kernels.Matern32())
    model.kernel.lengthscales.assign(0.3)

    @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.float64)])
    def serve(x):
        return model.predict_f(x)

    model.serve = serve
    return model, X[:3] + 0.05
