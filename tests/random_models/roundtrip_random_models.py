"""Round trips of models made at random: sound ones pass, and of each one change is seen.

tox -e random-models
"""

from __future__ import annotations

import pytest
import random_models
import sabotaged

from pytest_modelroundtrip import RoundTripError, RoundTripFixture


@pytest.mark.roundtrip(formats=["keras"], imports=["random_models"])
def test_keras(number: int, roundtrip: RoundTripFixture) -> None:
    roundtrip(*random_models.build(number))


@pytest.mark.roundtrip(formats=["export"], imports=["random_models"])
def test_export(number: int, roundtrip: RoundTripFixture) -> None:
    roundtrip(*random_models.build(number))


@pytest.mark.roundtrip(formats=["weights"], imports=["random_models"])
def test_weights(number: int, roundtrip: RoundTripFixture) -> None:
    roundtrip(*random_models.build(number))


@pytest.mark.roundtrip(formats=["sabotaged"], imports=["random_models"])
def test_one_change_is_seen(number: int, roundtrip: RoundTripFixture) -> None:
    sabotaged.SabotagedKeras.number = number
    with pytest.raises(RoundTripError):
        roundtrip(*random_models.build(number))
