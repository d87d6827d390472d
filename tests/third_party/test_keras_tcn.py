"""keras-tcn: temporal convolutions."""

import keras
import pytest

tcn = pytest.importorskip("tcn")


@pytest.mark.roundtrip(imports=["tcn"])
def test_tcn():
    return keras.Sequential([
        keras.Input((12, 2)),
        tcn.TCN(nb_filters=4, kernel_size=2, dilations=(1, 2, 4), use_layer_norm=True),
        keras.layers.Dense(1),
    ])  # fmt: skip
