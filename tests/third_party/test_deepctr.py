"""DeepCTR: click-through rates."""

import numpy as np
import pytest

deepctr = pytest.importorskip("deepctr")


@pytest.mark.roundtrip(imports=["deepctr.layers"])
def test_deep_fm():
    from deepctr.feature_column import DenseFeat, SparseFeat
    from deepctr.models import DeepFM

    columns = [SparseFeat("user", 5, embedding_dim=4), DenseFeat("age", 1)]
    model = DeepFM(columns, columns, dnn_hidden_units=(8,))
    return model, {"user": np.array([1, 4]), "age": np.array([[0.2], [0.7]], "float32")}
