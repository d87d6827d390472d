"""How the checks that call the model compare what they saw: outputs, losses, training."""

from __future__ import annotations

import numpy as np
import pytest
from compared_sightings import BIAS, WEIGHT, compared, differences

from pytest_modelroundtrip.portable.checks.losses import Constrained, LossesSighting
from pytest_modelroundtrip.portable.checks.training import TrainingSighting
from pytest_modelroundtrip.portable.comparing import Tolerance
from pytest_modelroundtrip.portable.confinement.tripwire import Access, AccessKind, Reached
from pytest_modelroundtrip.portable.protocol import WeightValue
from pytest_modelroundtrip.portable.subject import TRAINING


def test_outputs_are_compared_up_to_the_first_batch_that_differs() -> None:
    expected = {"": {"": [BIAS], "more": [BIAS]}}
    same = {"": [BIAS], "more": [BIAS]}
    found = compared("outputs", expected, {"call": same, "serve": same})
    assert (found.differences, found.compared) == ([], 4)
    wrong = {"": [BIAS], "more": [BIAS + 1]}
    found = compared("outputs", expected, {"call": same, "serve": wrong, "again": wrong})
    assert (len(found.differences), found.compared) == (1, 4)
    assert found.differences[0].startswith("outputs (more) by serve[0] differs in 2 of 2")
    found = compared("outputs", expected, {"": {"": []}})
    assert found.differences == ["outputs[0] is missing after the reload"]


def test_a_batch_is_not_passed_over() -> None:
    expected = {"": {"": BIAS, "more": BIAS, TRAINING: BIAS}}
    both, wrong = {"": BIAS, "more": BIAS}, {"": BIAS, TRAINING: BIAS + 1}
    assert differences("outputs", expected, expected) == []
    assert differences("outputs", expected, {"": both}) == []  # it is no Keras model
    missing = "outputs (more) by serve are missing after the reload"
    assert differences("outputs", expected, {"": both, "serve": {"": BIAS}}) == [missing]
    assert differences("outputs", expected, {"": {"more": BIAS}}) == [
        "outputs are missing after the reload"
    ]
    assert differences("outputs", expected, {}) == ["outputs are missing after the reload"]
    assert differences("outputs", {"": both}, {"": {**both, "x": 1}}) == [
        "outputs (x) are not in the original"
    ]
    assert len(differences("outputs", {"": wrong}, {"": {**wrong, TRAINING: BIAS}})) == 1


def test_a_way_to_call_that_the_original_has_too_is_compared_with_it() -> None:
    expected = {"": {"": [BIAS]}, "predict": {"": [BIAS + 1]}}
    assert compared("outputs", expected, expected).outcome == "exact"
    assert compared("outputs", expected, {"": {"": [BIAS]}}).outcome == "exact"
    lost = differences("outputs", expected, {"predict": {"": [BIAS]}})
    assert lost[0].startswith("outputs by predict[0] differs in 2 of 2")


def test_outputs_may_be_close() -> None:
    near = {"": {"": np.nextafter(BIAS, np.float32(1))}}
    assert compared("outputs", {"": {"": BIAS}}, near, Tolerance()).outcome == "close"
    assert compared("outputs", {"": {"": BIAS}}, near).outcome == "differs"


def test_losses_and_constraints() -> None:
    def losses(*values: float, **constraints: float) -> LossesSighting:
        held = [Constrained(path, np.array(value)) for path, value in constraints.items()]
        return LossesSighting([np.array(value) for value in values], held)

    assert compared("losses", losses(), losses()).outcome == "exact"
    assert compared("losses", losses(1.0, a=1.0), losses(1.0, a=1.0)).compared == 3
    assert "later takes effect only after" in compared("losses", losses(), losses(1.0)).hint
    assert not compared("losses", losses(1.0), losses()).hint
    assert not compared("losses", losses(1.0), losses(2.0)).hint
    assert differences("losses", losses(1.0, 2.0), losses(1.0)) == [
        "losses[1] is missing after the reload"
    ]
    assert differences("losses", losses(a=1.0), losses()) == [
        "constraint of ['a'] is missing after the reload"
    ]
    assert differences("losses", losses(a=1.0, b=2.0), losses(a_1=1.0, b_1=2.0)) == []
    (text,) = differences("losses", losses(a=1.0, b=2.0), losses(a_1=1.0, b_1=3.0))
    assert text.startswith("constraint of ['b'] differs")
    assert len(differences("losses", losses(a=1.0, b=2.0), losses(a_1=1.0))) == 3


def step(
    loss: float,
    *changes: WeightValue,
    noise: float = 0.0,
    loss_noise: float = 0.0,
    floor: float = 0.0,
) -> TrainingSighting:
    paths = [change.path for change in changes]
    floors, noises = dict.fromkeys(paths, floor), dict.fromkeys(paths, noise)
    logs = {"loss": np.array(loss)}
    return TrainingSighting(logs, [*changes], floors, noises, {"loss": loss_noise}, 2.0**-23)


def test_training_steps() -> None:
    loss, change = differences(
        "training", step(1.0, WEIGHT), step(2.0, WEIGHT._replace(value=-BIAS))
    )
    assert loss.startswith("the next step's loss differs in 1 of 1 elements")
    assert change.startswith("the next step's change of dense/bias differs in 2 of 2 elements")
    renamed = WEIGHT._replace(path="dense_1/bias", trainable=False, tied_to="x")
    assert compared("training", step(1.0, WEIGHT), step(1.0, renamed)).compared == 3
    assert differences("training", step(1.0, WEIGHT), step(1.0, renamed)) == []
    lost = "the next step's change of dense/bias is missing after the reload"
    assert differences("training", step(1.0, WEIGHT), step(1.0)) == [lost]
    # Keras 2 puts the name of the output before that of its metric once more
    once, twice = ({"loss": np.array(1.0), name: np.array(2.0)} for name in ("a_q", "a_a_q"))
    before = step(1.0)._replace(logs=once, log_noise=dict.fromkeys(once, 0.0))
    after = step(1.0)._replace(logs=twice, log_noise=dict.fromkeys(twice, 0.0))
    assert differences("training", before, after) == []
    more = step(1.0)._replace(logs={"loss": np.array(1.0), "x": np.array(1.0)})
    assert differences("training", step(1.0), more) == ["the next step's x is not in the original"]


@pytest.mark.parametrize("size", [1e-12, 1.0])
def test_a_change_is_compared_relative_to_itself(size: float) -> None:
    def changed(factor: float) -> TrainingSighting:
        return step(1.0, WEIGHT._replace(value=(BIAS * size * factor).astype("float32")))

    assert compared("training", changed(1.0), changed(1.0)).outcome == "exact"
    assert compared("training", changed(1.0), changed(1.000001)).outcome == "close"
    assert compared("training", changed(1.0), changed(1.001)).outcome == "differs"
    across = Tolerance(across_versions=True)
    assert compared("training", changed(1.0), changed(1.0005), across).outcome == "close"
    wide = Tolerance(rtol=0.01, atol=0.0)
    assert compared("training", changed(1.0), changed(1.005), wide).outcome == "close"


def test_rounding_makes_no_other_step() -> None:
    other = WEIGHT._replace(value=BIAS * np.float32(1.05))
    assert differences("training", step(1.0, WEIGHT), step(1.0, other)) != []
    # each side may be apart from itself, and a change smaller than a rounding cannot be seen
    assert differences("training", step(1.0, WEIGHT, noise=0.01), step(1.0, other)) == []
    assert differences("training", step(1.0, WEIGHT), step(1.0, other, noise=0.02)) == []
    assert differences("training", step(1.0, WEIGHT, floor=0.1), step(1.0, other)) == []
    # what is apart from itself by as much is not compared
    far = WEIGHT._replace(value=-BIAS)
    noisy = step(1.0, WEIGHT, noise=0.1, loss_noise=0.01)
    assert compared("training", noisy, step(2.0, far)).compared == 1


def test_training_across_backends() -> None:
    counter = [WeightValue("n", "", None, False, np.array(1, kind)) for kind in ("int64", "int32")]
    steps = step(1.0, counter[0]), step(1.0, counter[1])
    assert compared("training", *steps, Tolerance(across_backends=True)).differences == []
    assert len(compared("training", *steps).differences) == 1


# what the reload accessed


def test_what_the_reload_accessed() -> None:
    nothing = Reached([], [])
    assert compared("self_contained", nothing, Reached([], ["/x"])).outcome == "exact"
    used = [Access(AccessKind.FILE, "/x"), Access(AccessKind.NETWORK, "('localhost', 9)")]
    accessed = Reached(used, [])
    assert differences("self_contained", nothing, accessed) == [
        "the reload read the file /x",
        "the reload accessed the network: ('localhost', 9)",
    ]
