"""Spektral: graph networks."""

import numpy as np
import pytest
import tensorflow as tf

spektral = pytest.importorskip("spektral")
tf_keras = pytest.importorskip("tf_keras")

NODES = np.random.default_rng(0).normal(size=(1, 5, 3)).astype("float32")
EDGES = np.eye(5, k=1, dtype="float32")[None] + np.eye(5, dtype="float32")


# its layers wrap `call`, and tf-keras traces what is wrapped without `self`
TRACED = "TypeError from tf-keras as it traces the layer's wrapped call"
NOT_SAVED = dict.fromkeys(["saved_model", "keras_saved_model", "hub"], TRACED)


@pytest.mark.roundtrip(
    custom_objects={
        "GCNConv": "spektral.layers:GCNConv",
        "GlobalSumPool": "spektral.layers:GlobalSumPool",
    },
    expected_failures=NOT_SAVED,
)
def test_gcn():
    nodes, edges = tf_keras.Input((5, 3)), tf_keras.Input((5, 5))
    hidden = spektral.layers.GCNConv(4, activation="relu")([nodes, edges])
    model = tf_keras.Model([nodes, edges], spektral.layers.GlobalSumPool()(hidden))
    return model, [NODES, EDGES]


@pytest.mark.roundtrip(
    custom_objects={"GATConv": "spektral.layers:GATConv"},
    expected_failures={**NOT_SAVED, "export": "what it serves takes no sparse tensor"},
)
def test_gat_sparse():
    nodes, edges = tf_keras.Input((3,)), tf_keras.Input((None,), sparse=True)
    model = tf_keras.Model([nodes, edges], spektral.layers.GATConv(4)([nodes, edges]))
    return model, [NODES[0], tf.sparse.from_dense(EDGES[0])]
