"""How each check compares what it saw."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.portable.checks.compile import CompileSighting
from pytest_modelroundtrip.portable.checks.config import ConfigSighting
from pytest_modelroundtrip.portable.checks.losses import Constrained, LossesSighting
from pytest_modelroundtrip.portable.checks.signature import (
    CallSignature,
    FunctionSignature,
    SignatureSighting,
    Spec,
)
from pytest_modelroundtrip.portable.checks.training import TrainingSighting
from pytest_modelroundtrip.portable.comparing import EXACT, Comparison, Tolerance
from pytest_modelroundtrip.portable.constructor_arguments import Arguments
from pytest_modelroundtrip.portable.protocol import WeightValue

BIAS = np.array([0.7, 0.9], np.float32)
WEIGHT = WeightValue("dense/bias", "dense#0/bias", None, True, BIAS)
X, Y = Spec("x", "float32", [None, 2]), Spec("y", "int32", None)


def compared(name: str, expected: Plain, actual: Plain, tolerance: Tolerance = EXACT) -> Comparison:
    return checks.compare({name: expected}, {name: actual}, tolerance)[name]


def differences(name: str, expected: Plain, actual: Plain) -> list[str]:
    return compared(name, expected, actual).differences


# signature


def signature(
    inputs: list[Spec], outputs: list[Spec] | None = None, name: str = ""
) -> SignatureSighting:
    call = CallSignature(inputs, outputs or [])
    return SignatureSighting(None, {}, {name: call}) if name else SignatureSighting(call, {}, {})


@pytest.mark.parametrize(
    ("expected", "actual", "texts"),
    [
        (signature([X]), signature([X._replace(shape=[None, None])]), []),
        (signature([X]), signature([X._replace(shape=None)]), []),
        (signature([X]), signature([X._replace(shape=[1, 2])]),
         ["inputs: x float32[None, 2] came back as x float32[1, 2]"]),
        (signature([X]), signature([X._replace(dtype="int8")]),
         ["inputs: x float32[None, 2] came back as x int8[None, 2]"]),
        (signature([X]), signature([X._replace(name="z")]),
         ["inputs: x float32[None, 2] came back as z float32[None, 2]"]),
        (signature([X, Y]), signature([X]),
         ["inputs: x float32[None, 2], y int32[...] came back as x float32[None, 2]"]),
        (signature([X], [X]), signature([X], [X._replace(dtype="int8")]),
         ["outputs: x float32[None, 2] came back as x int8[None, 2]"]),
        # a format that gives no names may reorder what it takes
        (signature([X, Y]), signature([Y._replace(name=None), X._replace(name=None)]), []),
        (signature([X, Y]), signature([X._replace(name=None), X._replace(name=None)]),
         ["inputs: int32[...] came back as float32[None, 2]"]),
        # and what it returns is compared as outputs
        (signature([X], [X]), signature([X], [Y._replace(name=None)]), []),
        (signature([X], [X]), signature([X], []),
         ["outputs: x float32[None, 2] came back as nothing"]),
        (signature([X], [X]), SignatureSighting(None, {}, {}), [
            "inputs: x float32[None, 2] came back as nothing",
            "outputs: x float32[None, 2] came back as nothing",
        ]),
        (signature([]), SignatureSighting(None, {}, {}),
         ["inputs: nothing came back as nothing", "outputs: nothing came back as nothing"]),
        (SignatureSighting(None, {}, {}), signature([X]), []),
        (signature([X], name="train"), signature([Y], name="train"),
         ["inputs of the signature train: x float32[None, 2] came back as y int32[...]"]),
        (signature([X], name="train"), signature([X], name="serve"),
         ["the signature train is missing after the reload"]),
    ],
)  # fmt: skip
def test_calls(expected: SignatureSighting, actual: SignatureSighting, texts: list[str]) -> None:
    assert differences("signature", expected, actual) == texts


def test_unnamed_inputs_are_sorted_by_dtype_rank_and_sizes_behind_the_batch_axis() -> None:
    shapes: list[tuple[str, list[int | None] | None]] = [
        ("float32", None), ("float32", [7, 3]), ("float32", [None, 4]), ("float32", [1, 1, 1]),
        ("int32", [None, None]), ("int32", [None, 2]),
    ]  # fmt: skip
    specs = [Spec(None, dtype, shape) for dtype, shape in shapes]
    assert differences("signature", signature(specs), signature(specs[::-1])) == []
    fixed = [*specs[:2], Spec(None, "float32", [9, 4]), *specs[3:]]
    assert len(differences("signature", signature(specs), signature(fixed))) == 1


def test_functions() -> None:
    def function(*inputs: str, **defaults: str) -> SignatureSighting:
        return SignatureSighting(None, {"scale": FunctionSignature(defaults, [*inputs])}, {})

    expected = function("float32[2]", "float32[3]", training="False")
    assert compared("signature", expected, expected).compared == 1
    assert differences("signature", expected, SignatureSighting(None, {}, {})) == [
        "the function scale is missing after the reload"
    ]
    assert differences("signature", expected, function("float32[2]", training="True")) == [
        "the argument training of scale had the default False and came back with True",
        "the function scale took (float32[3]); after the reload it takes (float32[2])",
    ]
    more = function("int8[]", "float32[3]", "float32[2]", other="1")
    assert differences("signature", expected, more) == [
        "the argument training of scale had the default False and came back with no default"
    ]


# weights and optimizers


def test_weights_are_named_so() -> None:
    (text,) = differences("weights", [WEIGHT], [])
    assert text == "weight dense/bias float32[2] is missing after the reload"


def slot(name: str, *values: float) -> WeightValue:
    return WeightValue("optimizer/" + name, "", None, False, np.array(values, np.float32))


@pytest.mark.parametrize(
    ("expected", "actual", "count"),
    [
        ([slot("m", 0.0)], [], 0),
        ([slot("m", 1.0)], [], 1),
        ([slot("m", 1.0)], [slot("m", 2.0)], 1),
        ([slot("m", 0.0)], [slot("m", 2.0)], 1),
        ([slot("m", 1.0)], [slot("m", 0.0)], 1),
        ([slot("m", 1.0)], [slot("m", 1.0), slot("v", 0.0)], 0),
        ([slot("m", 1.0)], [slot("m", 1.0), slot("v", 1.0)], 1),
        ([slot("m", 0.0)], [slot("m", 0.0), slot("v", 1.0)], 0),  # it has not made a step
        ([slot("m", 0.0)], [slot("m", 1.0), slot("v", 1.0)], 1),
        ([slot("m", 0.0), slot("n", 1.0)], [slot("n", 1.0), slot("v", 1.0)], 1),
        ([slot("loss_scale", 0.0)], [], 1),
        ([], [slot("m", 1.0)], 0),
    ],
)
def test_slots_that_do_not_exist_are_zero(
    expected: list[WeightValue], actual: list[WeightValue], count: int
) -> None:
    found = compared("optimizer", expected, actual)
    assert len(found.differences) == count
    assert found.compared >= 1


# config and compile


def config(value: Plain, **arguments: Plain) -> ConfigSighting:
    return ConfigSighting(value, {"scale": Arguments("Scale", arguments)})


def test_configs() -> None:
    expected = config({"units": 3}, factor=2.0, rate=float("nan"), flag=True)
    assert compared("config", expected, expected).compared == 4
    assert differences("config", expected, config({"units": 4}, factor=1.0, rate=float("nan"))) == [
        "config.units: 3 came back as 4",
        "the argument factor of Scale (scale) was 2.0 and came back as 1.0: "
        "get_config does not return it",
    ]
    assert len(differences("config", expected, config(None, flag=False))) == 2
    other = ConfigSighting({"units": 3}, {"scale": Arguments("Other", {"factor": 1.0})})
    assert differences("config", expected, other) == []
    assert differences("config", expected, ConfigSighting({"units": 3}, {})) == []
    assert compared("config", config(None, a=1), config({"units": 3}, a=1)).compared == 1


def test_what_a_model_was_compiled_with() -> None:
    expected = CompileSighting(["float32"], {"loss": {"name": "mse"}}, {"optimizer": {"rate": 0.1}})
    actual = CompileSighting(["float16"], {}, {"optimizer": {"rate": 0.2}})
    assert differences("compile", expected, actual) == [
        "compile.dtype_policy[0]: 'float32' came back as 'float16'",
        "compile.loss: {'name': 'mse'} is missing after the reload",
        "compile.optimizers.optimizer.rate: 0.1 came back as 0.2",
    ]
    found = compared("compile", expected, actual, Tolerance(across_versions=True))
    assert len(found.differences) == 2


# outputs, losses and training


def test_outputs_are_compared_up_to_the_first_batch_that_differs() -> None:
    expected = {"": {"": [BIAS], "more": [BIAS], "not there": [BIAS]}}
    same = {"": [BIAS], "more": [BIAS]}
    found = compared("outputs", expected, {"call": same, "serve": same})
    assert (found.differences, found.compared) == ([], 4)
    wrong = {"": [BIAS], "more": [BIAS + 1]}
    found = compared("outputs", expected, {"call": same, "serve": wrong, "again": wrong})
    assert (len(found.differences), found.compared) == (1, 4)
    assert found.differences[0].startswith("outputs (more) by serve[0] differs in 2 of 2")
    found = compared("outputs", expected, {"": {"": []}})
    assert found.differences == ["outputs[0] is missing after the reload"]
    assert compared("outputs", expected, {"": {}}).outcome == "n/a"
    assert compared("outputs", expected, {}).outcome == "n/a"
    assert compared("outputs", {}, expected).outcome == "n/a"


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


def step(loss: float, *after: WeightValue) -> TrainingSighting:
    return TrainingSighting(None, {"loss": np.array(loss, np.float32)}, [*after])


def test_training_steps() -> None:
    raised = TrainingSighting("ValueError: no", {}, [])
    assert differences("training", step(1.0), raised) == [
        "the next training step raised ValueError: no"
    ]
    assert compared("training", raised, step(1.0)).outcome == "n/a"
    assert compared("training", raised, raised).outcome == "n/a"
    loss, after = differences(
        "training", step(1.0, WEIGHT), step(2.0, WEIGHT._replace(value=-BIAS))
    )
    assert loss.startswith("the next step's ['loss'] differs in 1 of 1 elements")
    assert after.startswith("after the next step, ['dense/bias'] differs in 2 of 2 elements")
    renamed = WEIGHT._replace(path="dense_1/bias", trainable=False, tied_to="x")
    assert compared("training", step(1.0, WEIGHT), step(1.0, renamed)).compared == 3
    assert differences("training", step(1.0, WEIGHT), step(1.0, renamed)) == []


def test_training_is_never_exact() -> None:
    near = WEIGHT._replace(value=np.nextafter(BIAS, np.float32(1)))
    found = compared("training", step(1.0, WEIGHT), step(1.0, near), EXACT)
    assert (found.outcome, found.max_ulp) == ("close", 1)
    strict = Tolerance(exact=True, rtol=0.0, atol=0.0)
    assert compared("training", step(1.0, WEIGHT), step(1.0, near), strict).outcome == "differs"


def test_training_across_backends() -> None:
    counter = [WeightValue("n", "", None, False, np.array(1, kind)) for kind in ("int64", "int32")]
    steps = step(1.0, counter[0]), step(1.0, counter[1])
    assert compared("training", *steps, Tolerance(across_backends=True)).differences == []
    assert len(compared("training", *steps).differences) == 1


# what the reload accessed


def test_what_the_reload_accessed() -> None:
    assert compared("self_contained", ["ignored"], []).outcome == "exact"
    accessed = ["the file /x", "the network: ('localhost', 9)"]
    assert differences("self_contained", [], accessed) == [
        "the reload read the file /x",
        "the reload accessed the network: ('localhost', 9)",
    ]
