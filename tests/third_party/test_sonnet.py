"""Sonnet: modules on `tf.Module`."""

import numpy as np
import pytest
import tensorflow as tf

sonnet = pytest.importorskip("sonnet")


@pytest.mark.roundtrip
def test_mlp():
    mlp = sonnet.nets.MLP([8, 3])

    @tf.function(input_signature=[tf.TensorSpec((None, 4))])
    def call(x):
        return mlp(x)

    module = tf.Module()
    module.mlp, module.serve = mlp, call
    return module, np.ones((2, 4), "float32")
