"""DeepCTR: click-through rates."""

import numpy as np
import pytest

pytest.importorskip("deepctr")


@pytest.mark.roundtrip(
    custom_objects={
        "NoMask": "deepctr.layers.utils:NoMask",
        "Concat": "deepctr.layers.utils:Concat",
        "Linear": "deepctr.layers.utils:Linear",
        "_Add": "deepctr.layers.utils:_Add",
        "PredictionLayer": "deepctr.layers:PredictionLayer",
        "DNN": "deepctr.layers:DNN",
        "FM": "deepctr.layers:FM",
    }
)
def test_deep_fm():
    from deepctr.feature_column import DenseFeat, SparseFeat
    from deepctr.models import DeepFM

    columns = [SparseFeat("user", 5, embedding_dim=4), DenseFeat("age", 1)]
    model = DeepFM(columns, columns, dnn_hidden_units=(8,))
    ages = np.array([[0.2], [0.7]], "float32")
    return model, {"user": np.array([[1], [4]], "int32"), "age": ages}
