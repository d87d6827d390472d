"""kimm: image models."""

import pytest

kimm = pytest.importorskip("kimm")


@pytest.mark.roundtrip(
    imports=["kimm"],
    custom_objects={"MobileNetV2W050": "kimm.models:MobileNetV2W050"},  # it is not registered
)
def test_mobile_net():
    return kimm.models.MobileNetV2W050(input_shape=(32, 32, 3), weights=None, classes=3)
