"""The next training step: what only it shows is found, sound models pass, no trace is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import sabotage
from inner_runs import Run
from known_losses import lost_by_keras_3_0
from training_models import STEPS

from pytest_modelroundtrip.portable.training import training_step

pytestmark = pytest.mark.usefixtures("keras_format")

Runner = Callable[[str], pytest.RunResult]


@pytest.fixture
def steps(run: Run, pytester: pytest.Pytester, tensorflow: ModuleType) -> Runner:  # noqa: ARG001
    """Runs a test file in which the module `steps` can be imported, there and after the reload."""
    pytester.makepyfile(steps=STEPS)
    pytester.makeini(
        "[pytest]\nroundtrip_pythonpath = .\nroundtrip_imports = steps\npythonpath = .\n"
    )
    pytester.syspathinsert()

    def steps(source: str) -> pytest.RunResult:
        whole = repr(sabotage.base_formats()["whole"])
        head = "from steps import *\n\nWHOLE = " + whole
        return run(f"{head}\n{source}", "-rf", "--roundtrip-report=report.json")

    return steps


def words(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.str().split())


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("changed(fitted(kind=Multiplied), gain=3.0)", "the next step's change of dense"),
        (
            "changed(fitted(kind=Multiplied, optimizer=K.optimizers.SGD(1e-6)), gain=3.0)",
            "the next step's change of dense",
        ),
        ("fitted(metrics=[Scaled(3.0)])", "the next step's scaled differs"),
        ("fitted(metrics=[scaled_by(3.0)])", "the next step's by_closure differs"),
        ("excluding(K.optimizers.AdamW(0.001))", "such as exclude_from_weight_decay"),
        (
            "fitted(optimizer=K.optimizers.SGD(Cliff(bottom=0.01)))",
            "learning_rate.Cliff.step 200000: 0.01 is now 0.1",
        ),
    ],
    ids=["multiplier", "tiny-step", "metric", "closure", "weight-decay", "schedule"],
)
def test_what_only_training_shows_is_found(
    steps: Runner, tensorflow: ModuleType, model: str, says: str
) -> None:
    if "AdamW" in model and not hasattr(tensorflow.keras.optimizers, "AdamW"):
        pytest.skip("this Keras has no AdamW")
    source = f"""
def changed(model, **attributes):
    vars(model).update(attributes)
    return model

def excluding(optimizer):
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    return fitted(optimizer=optimizer)

@pytest.mark.roundtrip(formats=[WHOLE], checks="all")
def test_it():
    return {model}
"""
    result = steps(source)
    result.assert_outcomes(failed=1)
    assert says in words(result), result.stdout.str()
    if "metrics" in model:
        assert "Loss and metrics are equal" not in words(result)


@pytest.mark.parametrize("factory", ["outer", "several"])
def test_an_inner_optimizer_that_is_not_restored_is_found(
    steps: Runner, tensorflow: ModuleType, factory: str
) -> None:
    """A factory that trains as the original was trained does not hide it."""
    if factory == "several" and not hasattr(tensorflow.keras.optimizers, "MultiOptimizer"):
        pytest.skip("this Keras has no MultiOptimizer")
    source = f"""
@pytest.mark.roundtrip(formats=["checkpoint"], factory="steps:{factory}")
def test_it():
    return {factory}()
"""
    result = steps(source)
    result.assert_outcomes(failed=1)
    assert "it was not loaded, it holds the value that the rebuilt model had" in words(result)


@lost_by_keras_3_0("a checkpoint of a model leaves its optimizer out")
def test_an_optimizer_that_makes_its_variables_in_the_first_step(steps: Runner) -> None:
    source = """
@pytest.mark.roundtrip(formats=["checkpoint"], checks=["weights", "optimizer"])
def test_it():
    return holding()
"""
    result = steps(source)
    assert result.ret == 0, result.stdout.str()


SOUND = """
@pytest.mark.roundtrip(formats=[WHOLE], checks="all")
@pytest.mark.parametrize(
    "name", ["dropout", "norm", "mixed", "several", "own", "unfitted", "drawn", "table"]
)
def test_sound(roundtrip, name):
    made = {
        "dropout": lambda: fitted(L.Dropout(0.5, seed=3)),
        "norm": lambda: fitted(L.Dense(6), L.BatchNormalization(), L.ReLU()),
        "mixed": lambda: fitted(
            L.Dense(6, activation="relu", dtype=K.mixed_precision.Policy("mixed_float16"))
        ),
        "several": lambda: fitted(steps_per_execution=4, metrics=["mae"]),
        "own": lambda: fitted(kind=Multiplied),
        "unfitted": lambda: fitted(fit=False, optimizer=K.optimizers.Adagrad(0.1)),
        "table": lambda: fitted(optimizer=K.optimizers.SGD(Table())),
        "drawn": lambda: fitted(metrics=[Drawn(name="drawn")]),
    }
    trip = roundtrip(made[name](), x)
    is_random = name == "dropout" and not hasattr(K, "ops")  # Keras 2 keeps no state of a seed
    assert trip.checks["training"] in (["not checked"] if is_random else ["exact", "close"])

@pytest.mark.roundtrip(formats=["checkpoint"], factory="steps:fitted")
def test_factory_that_trains():
    return fitted()
"""


@lost_by_keras_3_0(
    "a checkpoint of a model leaves its optimizer out; steps_per_execution runs out of data"
)
def test_sound_models_pass(steps: Runner) -> None:
    result = steps(SOUND)
    assert result.parseoutcomes().get("passed") == 9, result.stdout.str()


UNCHANGED = """
def state(model):
    held = model.optimizer.variables
    held = [*model.weights, *(held() if callable(held) else held)]
    held += [variable for metric in model.metrics for variable in metric.variables]
    attributes = {name: id(value) for name, value in vars(model).items()}
    return [np.asarray(variable).tobytes() for variable in held], attributes

@pytest.mark.roundtrip(formats=[WHOLE], checks=["training", "optimizer"])
@pytest.mark.parametrize("fit", [False, True])
def test_unchanged(roundtrip, fit):
    model = fitted(L.BatchNormalization(), metrics=["mae"], steps_per_execution=2, fit=fit)
    model(x)
    before, history = state(model), vars(model).get("history")
    attributes = dict(vars(model))  # so that no other object gets their id
    assert roundtrip(model, x).passed
    assert state(model)[0] == before[0]
    assert {**before[1], **state(model)[1]} == before[1]
    assert vars(model).get("history") is history
    built = len(before[0])
    model.fit(x, y, verbose=0)
    assert fit == (len(state(model)[0]) == built)
"""


@lost_by_keras_3_0("steps_per_execution runs out of data")
def test_the_live_model_is_as_it_was(steps: Runner) -> None:
    result = steps(UNCHANGED)
    assert result.parseoutcomes().get("passed") == 2, result.stdout.str()


NOT_CHECKED = """
def changed(eager=False, **attributes):
    # not Adam: large gradients of any size give it the same step
    model = fitted(kind=Multiplied, optimizer=K.optimizers.SGD(0.1), run_eagerly=eager)
    vars(model).update(attributes)
    return model

@pytest.mark.roundtrip(formats=[WHOLE], checks="all")
def test_raises():
    return changed(words="no such column"), x

@pytest.mark.roundtrip(formats=[WHOLE], checks=["training", "weights"])
def test_raises_by_name():
    return changed(words="no such column"), x

@pytest.mark.roundtrip(formats=[WHOLE], checks="all")
def test_random():
    return changed(random=1.0, eager=True), x

@pytest.mark.roundtrip(formats=[WHOLE])
def test_random_losses():
    return fitted(Noise(), fit=False), x
"""


def test_a_check_that_cannot_be_made_says_why(steps: Runner, pytester: pytest.Pytester) -> None:
    result = steps(NOT_CHECKED)
    result.assert_outcomes(passed=3, failed=1)
    text = words(result)
    raises = "training not checked: the original's own step raises ValueError: no such column"
    drawn = "training not checked: the original's training is random: two steps from the same"
    assert f"(!) {sabotage.base_formats()['whole']}: {raises}" in text
    assert f"these checks were asked for by name, and are not checked: training {raises}" in text
    assert drawn in text, result.stdout.str()
    assert "losses not checked: the original's losses differ from call to call" in text
    report = json.loads((pytester.path / "report.json").read_text())
    first = report["roundtrips"][0]
    assert (first["verdict"], first["checks"]["training"]) == ("exact", "not checked")
    assert f"training not checked: {first['not_checked']['training']}" == raises


def test_a_loss_scale_that_is_a_new_tensor_each_time(
    tensorflow: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Keras 2. That none of them is freed makes each another object for sure."""
    keras = tensorflow.keras
    optimizer = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.SGD(0.01))
    if not hasattr(optimizer, "loss_scale"):
        pytest.skip("Keras 3 holds it as a variable")
    kept: list[object] = []
    scale = type(optimizer).loss_scale

    def loss_scale(self: object) -> object:
        kept.append(scale.fget(self))
        return kept[-1]

    monkeypatch.setattr(type(optimizer), "loss_scale", property(loss_scale))
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile(optimizer, "mse")
    once, _ = training_step.twice(model, np.ones((3, 6), "float32"), np.ones((3, 2), "float32"))
    changes = {change.path: change.value for change in once.changes}
    assert changes["optimizer/loss_scale"] == 0.0
