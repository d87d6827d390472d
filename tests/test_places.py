"""State by place: sound models pass whatever ran before, and what get_config leaves out is seen."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from inner_runs import Run
from known_losses import lost_by_keras_3_0
from models_by_place import IMPORTABLE

Trip = Callable[..., pytest.RunResult]


@pytest.fixture
def trip(run: Run, pytester: pytest.Pytester, tensorflow: ModuleType) -> Trip:
    """A run on the model that an expression builds."""
    pytester.makepyfile(hard=IMPORTABLE.replace('"ours"', repr(pytester.path.name)))
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    keras3 = not hasattr(tensorflow.keras.Model, "save_spec")

    def trip(model: str, *formats: str, **keywords: object) -> pytest.RunResult:
        kept = {"formats": formats or (["keras"] if keras3 else ["h5"]), **keywords}
        kept.setdefault("imports", ["hard"])
        marker = ", ".join(f"{name}={value!r}" for name, value in kept.items())
        return run(
            f"import hard\nfrom hard import *\n@pytest.mark.roundtrip({marker})\n"
            f"def test_it():\n    return {model}\n"
        )

    return trip


@pytest.mark.parametrize(
    "model", ["crossed()", "anew()", "tags()", "same_names()", "around(Passing(0.3))"]
)
def test_sound_models_pass(trip: Trip, model: str) -> None:
    result = trip(model)
    assert result.ret == 0, result.stdout.str()


@pytest.mark.usefixtures("keras_format")
def test_dtype_policies_are_those_of_places(trip: Trip) -> None:
    result = trip("policies()", "keras")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.parametrize("model", ["called()", "uncalled()", "stopped()", "looking_up()"])
@pytest.mark.usefixtures("keras_format")
def test_what_calls_and_training_leave_in_attributes_is_not_a_loss(trip: Trip, model: str) -> None:
    result = trip(model, "keras")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.parametrize(
    ("model", "kept_as", "keras"),
    [
        ("(Unbuilt(), np.ones((2, 4), 'float32'))", "saved_model", "23"),
        pytest.param(
            "of_dict()",
            "saved_model",
            "3",  # Keras 2 cannot call it
            marks=lost_by_keras_3_0("a SavedModel of a Sequential of a dict has no signature"),
        ),
        ("(Constrained(), np.ones(2, 'float32'))", "saved_model", "23"),
        ("around(TwoOfOneName())", "keras_saved_model", "2"),
    ],
)
def test_what_packages_do(
    trip: Trip, tensorflow: ModuleType, model: str, kept_as: str, keras: str
) -> None:
    if ("2" if hasattr(tensorflow.keras.Model, "save_spec") else "3") not in keras:
        pytest.skip("the other Keras has no such model or format")
    result = trip(model, kept_as, imports=[])
    assert result.ret == 0, result.stdout.str()


def test_counted_names_of_inner_layers_do_not_count(trip: Trip) -> None:
    result = trip("(counted(), inner())[1]", "weights", factory="hard:inner")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.usefixtures("keras_format")
def test_counted_names_in_configs_do_not_count(trip: Trip) -> None:
    result = trip("(counted(), inner())[1]", "keras")
    assert result.ret == 0, result.stdout.str()


def test_layers_in_lists_are_among_the_weights_of_a_saved_model(trip: Trip) -> None:
    result = trip("in_list()", "saved_model", checks=["weights"])
    assert result.ret == 0, result.stdout.str()


@lost_by_keras_3_0("a checkpoint of a model leaves its optimizer out")
@pytest.mark.parametrize("model", ["trained", "trained_inside"])
def test_slots_of_weights_of_one_name(trip: Trip, model: str) -> None:
    result = trip(f"{model}()", "checkpoint", factory=f"hard:{model}_early")
    assert result.ret == 0, result.stdout.str()


def test_a_class_that_keras_keeps_in_two_modules(trip: Trip) -> None:
    result = trip("around(L.AlphaDropout(0.3))", "h5")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.parametrize(
    ("model", "lost"),
    [
        ("lossy(pair=(3, 4))", "the argument pair of Lossy (lossy) [0] was 3 and is now 1"),
        ("lossy(table={'b': 1})", "the argument table of Lossy (lossy) ['b'] is missing"),
        ("lossy(array=np.ones(2))", "the argument array of Lossy (lossy) differs in 2 of 2"),
        ("lossy(activation=tf.nn.tanh)", "the argument activation of Lossy (lossy) was"),
        ("lossy(rate=0.5)", "the attribute survival of Lossy (lossy) was 0.5 and is now 1"),
        ("lossy(scale=2.0)", "the argument scale of Settings (lossy/settings)"),
        ("around(Passing(unit='cm', name='p'))", "kwargs of Passing (p) ['unit'] is missing"),
        ("around(Keyed(['a', 'b']))", "the attribute words of Keyed"),
        ("changed_attribute()", "the argument rate of Gate"),
        ("judged()", "the argument factor of Judged"),
        ("punished()", "the argument factor of Punished"),
    ],
)
def test_what_get_config_leaves_out_is_reported(trip: Trip, model: str, lost: str) -> None:
    result = trip(model)
    assert result.ret == 1
    text = " ".join(result.stdout.str().split())
    assert lost in text, result.stdout.str()


@pytest.mark.parametrize(
    ("model", "lost"),
    [("changed_dropout()", "rate: 0.9 is now 0.5"),
     ("changed_momentum()", "momentum: 0.5 is now 0.99"),
     ("optional()", "the layer Dropout (drop) is missing after the reload"),
     ("twice('one')", "Dropout (one/same).rate: 0.9 is now 0.5"),
     ("twice('other')", "Dropout (other/same).rate: 0.9 is now 0.5")],
)  # fmt: skip
@pytest.mark.usefixtures("keras_format")
def test_built_in_layers_inside_of_own_classes(trip: Trip, model: str, lost: str) -> None:
    result = trip(model, "keras")
    assert lost in " ".join(result.stdout.str().split()), result.stdout.str()
