"""Round trips of models made at random: sound ones pass, and of each one change is seen.

tox -e random-models
"""

from __future__ import annotations

import model_zoo
import pytest
import sabotaged

from pytest_modelroundtrip import RoundTripError, RoundTripFixture


@pytest.mark.roundtrip(formats=["keras"], imports=["model_zoo"])
def test_keras(number: int, roundtrip: RoundTripFixture) -> None:
    roundtrip(*model_zoo.build(number))


@pytest.mark.roundtrip(formats=["export"], imports=["model_zoo"])
def test_export(number: int, roundtrip: RoundTripFixture) -> None:
    roundtrip(*model_zoo.build(number))


@pytest.mark.roundtrip(formats=["weights"], imports=["model_zoo"])
def test_weights(number: int, roundtrip: RoundTripFixture) -> None:
    roundtrip(*model_zoo.build(number))


@pytest.mark.roundtrip(formats=["sabotaged"], imports=["model_zoo"])
def test_one_change_is_seen(number: int, roundtrip: RoundTripFixture) -> None:
    sabotaged.SabotagedKeras.number = number
    with pytest.raises(RoundTripError):
        roundtrip(*model_zoo.build(number))
