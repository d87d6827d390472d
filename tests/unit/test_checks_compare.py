"""How each check compares what it saw."""

from __future__ import annotations

import numpy as np
import pytest
from compared_sightings import WEIGHT, compared, differences

from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.portable.checks.compile import CompileSighting, LayerPolicy
from pytest_modelroundtrip.portable.checks.config import ConfigSighting, PlaceSighting
from pytest_modelroundtrip.portable.checks.signature import (
    CallSignature,
    FunctionSignature,
    SignatureSighting,
    Spec,
)
from pytest_modelroundtrip.portable.comparing import Tolerance
from pytest_modelroundtrip.portable.protocol import WeightValue

X, Y = Spec("x", "float32", [None, 2]), Spec("y", "int32", None)


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
         ["inputs: x float32[None, 2] is now x float32[1, 2]"]),
        (signature([X]), signature([X._replace(dtype="int8")]),
         ["inputs: x float32[None, 2] is now x int8[None, 2]"]),
        (signature([X]), signature([X._replace(name="z")]),
         ["inputs: x float32[None, 2] is now z float32[None, 2]"]),
        (signature([X, Y]), signature([X]),
         ["inputs: x float32[None, 2], y int32[...] is now x float32[None, 2]"]),
        (signature([X], [X]), signature([X], [X._replace(dtype="int8")]),
         ["outputs: x float32[None, 2] is now x int8[None, 2]"]),
        # a format that gives no names may reorder what it takes
        (signature([X, Y]), signature([Y._replace(name=None), X._replace(name=None)]), []),
        (signature([X, Y]), signature([X._replace(name=None), X._replace(name=None)]),
         ["inputs: int32[...] is now float32[None, 2]"]),
        # and what it returns is compared as outputs
        (signature([X], [X]), signature([X], [Y._replace(name=None)]), []),
        (signature([X], [X]), signature([X], []),
         ["outputs: x float32[None, 2] is now nothing"]),
        (signature([X], [X]), SignatureSighting(None, {}, {}), [
            "inputs: x float32[None, 2] is now nothing",
            "outputs: x float32[None, 2] is now nothing",
        ]),
        (signature([]), SignatureSighting(None, {}, {}),
         ["inputs: nothing is now nothing", "outputs: nothing is now nothing"]),
        (SignatureSighting(None, {}, {}), signature([X]), []),
        (signature([X], name="train"), signature([Y], name="train"),
         ["inputs of the signature train: x float32[None, 2] is now y int32[...]"]),
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
        "the argument training of scale had the default False and now has True",
        "the function scale took (float32[3]); after the reload it takes (float32[2])",
    ]
    more = function("int8[]", "float32[3]", "float32[2]", other="1")
    assert differences("signature", expected, more) == [
        "the argument training of scale had the default False and now has no default"
    ]


# weights and optimizers


def test_weights_are_named_so() -> None:
    (text,) = differences("weights", [WEIGHT], [])
    assert text == "weight dense/bias float32[2] is missing after the reload"


def slot(name: str, *values: float) -> WeightValue:
    return WeightValue("optimizer/" + name, name, None, False, np.array(values, np.float32))


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


def test_slots_are_paired_by_place_whatever_number_keras_counted() -> None:
    def slot_at(path: str, place: str, *values: float) -> WeightValue:
        return WeightValue(path, f"optimizer/{place}", None, False, np.array(values, np.float32))

    expected = [slot_at("dense_1/m", ".a/m", 1, 2), slot_at("dense_2/m", ".b/m", 0, 0)]
    actual = [slot_at("dense/m", ".a/m", 1, 2), slot_at("dense_1/m", ".b/m", 0, 0)]
    assert differences("optimizer", expected, actual) == []
    zero = [slot_at("dense_1/m", ".a/m", 0, 0, 0)]
    assert len(differences("optimizer", zero, [slot_at("dense/m", ".a/m", 1, 2, 3)])) == 1


# config and compile


def config(value: Plain, **arguments: Plain) -> ConfigSighting:
    return ConfigSighting(value, {".scale": place(**arguments)})


def place(class_name: str = "Scale", **attributes: Plain) -> PlaceSighting:
    return PlaceSighting("inner/scale", class_name, None, attributes, ["factor"], ["returned"], [])


def test_configs() -> None:
    expected = config({"units": 3}, factor=2.0, rate=float("nan"), flag=True)
    assert compared("config", expected, expected).compared == 4
    assert differences("config", expected, config({"units": 4}, factor=1.0, rate=float("nan"))) == [
        "config.units: 3 is now 4",
        "the argument factor of Scale (inner/scale) was 2.0 and is now 1.0: "
        "get_config does not return it",
    ]
    (kept,) = differences("config", *(config(None, returned=value) for value in (1, 2)))
    assert kept == "the attribute returned of Scale (inner/scale) was 1 and is now 2"
    lost = differences("config", expected, config(None, flag=False))
    assert len(lost) == 3
    assert lost[1].startswith("the argument factor of Scale (inner/scale) is missing after the")
    # it is there, as something that cannot be compared; and a call may make what is no argument
    for others in (["factor"], None):  # None: a stand-in, which has none of its attributes
        held = place(factor=1.0, rate=2.0), place()._replace(others=others)
        sides = (ConfigSighting(None, {"a": one}) for one in held)
        assert differences("config", *sides) == []
    other = ConfigSighting({"units": 3}, {".scale": place("Other", factor=1.0)})
    assert differences("config", expected, other) == []
    assert differences("config", expected, ConfigSighting({"units": 3}, {})) == []
    assert compared("config", config(None, a=1), config({"units": 3}, a=1)).compared == 1


@pytest.mark.parametrize(
    ("class_name", "key", "is_compared"),
    [("Lambda", "function", False), ("StringLookup", "vocabulary", False),
     ("StringLookup", "mask_token", True), ("Own", "vocabulary", True)],
)  # fmt: skip
def test_configs_inside_of_own_classes(class_name: str, key: str, is_compared: bool) -> None:
    sides = (
        ConfigSighting(None, {".a": place(class_name)._replace(config={key: value})})
        for value in (["a"], ["b"])
    )
    assert bool(differences("config", *sides)) is is_compared


def test_a_built_in_layer_is_lost_from_an_object_of_ones_own() -> None:
    net = PlaceSighting("net", "Net", None, {}, [], [], [])
    drop = PlaceSighting("net/drop", "Dropout", {"rate": 0.5}, {}, [], ["rate"], None, "")
    expected = ConfigSighting(None, {"": net, ".drop": drop})
    assert differences("config", expected, ConfigSighting(None, {"": net})) == [
        "the layer Dropout (net/drop) is missing after the reload"
    ]
    noise = ConfigSighting(None, {"": net, ".drop": drop._replace(class_name="GaussianNoise")})
    (text,) = differences("config", expected, noise)
    assert text == "the layer Dropout (net/drop) is now GaussianNoise"
    stand_in = ConfigSighting(None, {"": net._replace(others=None)})
    assert differences("config", expected, stand_in) == []
    # in a dict by their counted names; one of two is lost
    for others, count in ((["dropout"], 0), ([], 1)):
        sides = ([".kinds['dropout_3']"], [f".kinds['{name}']" for name in others])
        one, other = (
            ConfigSighting(None, {"": net, **dict.fromkeys(keys, drop)}) for keys in sides
        )
        assert len(differences("config", one, other)) == count
    numbered = ConfigSighting(None, {"": net, "/drop#0": drop})  # by its name, not an attribute
    assert differences("config", numbered, ConfigSighting(None, {"": net})) == []


def test_attributes_that_a_constructor_computes_may_be_close_across_versions() -> None:
    ramp = np.sin(np.arange(9, dtype="float32"))
    sides = config(None, ramp=ramp), config(None, ramp=np.nextafter(ramp, np.float32(9)))
    check = checks.table()["config"]
    assert check.compare(*sides, Tolerance()).differences
    assert not check.compare(*sides, Tolerance(across_versions=True)).differences
    sides = config(None, ramp=ramp), config(None, ramp=-ramp)
    assert check.compare(*sides, Tolerance(across_versions=True)).differences


def test_what_a_model_was_compiled_with() -> None:
    loss = {"loss": {"name": "mse"}}
    policies = {"/dense#0": LayerPolicy("dense_3", "float32"), ".lost": LayerPolicy("lost", "int8")}
    expected = CompileSighting(policies, loss, {"optimizer": {"rate": 0.1}})
    policies = {".new": LayerPolicy("new", "int8"), "/dense#0": LayerPolicy("dense", "float16")}
    actual = CompileSighting(policies, {}, {"optimizer": {"rate": 0.2}})
    assert differences("compile", expected, actual) == [
        "compile.loss: {'name': 'mse'} is missing after the reload",
        "compile.optimizers.optimizer.rate: 0.1 is now 0.2",
        "the dtype policy of dense_3: 'float32' is now 'float16'",
    ]
    found = compared("compile", expected, actual, Tolerance(across_versions=True))
    assert len(found.differences) == 2


# compile


def rates(*found: float) -> CompileSighting:
    steps = {f"step {step}": rate for step, rate in enumerate(found)}
    schedule = {"CosineDecay": {"config": {"alpha": 0.0}, **steps}}
    return CompileSighting({}, {}, {"optimizer": {"learning_rate": schedule}})


def test_rates_of_a_schedule_may_be_rounded() -> None:
    assert differences("compile", rates(0.1, 0.05, 1e-9), rates(0.1, 0.05, 3e-9)) == []
    where = "compile.optimizers.optimizer.learning_rate.CosineDecay.step 1"
    expected = [f"{where}: 0.05 is now 0.0501"]
    assert differences("compile", rates(0.1, 0.05), rates(0.1, 0.0501)) == expected
    inf, nan = float("inf"), float("nan")
    assert len(differences("compile", rates(inf, 0.5), rates(inf, 0.1))) == 1
    assert len(differences("compile", rates(inf, 0.5), rates(0.0, 0.5))) == 1
    assert differences("compile", rates(nan, 0.5), rates(nan, 0.5 * (1 + 1e-9))) == []
