"""The checks: each is whole and documented, and what it sees travels."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from compared_sightings import BIAS, WEIGHT, compared

from pytest_modelroundtrip.portable import checks, codec, formats, records
from pytest_modelroundtrip.portable.checks import Check, NotChecked
from pytest_modelroundtrip.portable.checks.compile import CompileSighting, LayerPolicy
from pytest_modelroundtrip.portable.checks.config import ConfigSighting, PlaceSighting
from pytest_modelroundtrip.portable.checks.losses import Constrained, LossesSighting
from pytest_modelroundtrip.portable.checks.signature import (
    CallSignature,
    FunctionSignature,
    SignatureSighting,
    Spec,
)
from pytest_modelroundtrip.portable.checks.training import TrainingSighting
from pytest_modelroundtrip.portable.comparing import EXACT
from pytest_modelroundtrip.portable.confinement.tripwire import Access, AccessKind, Reached
from pytest_modelroundtrip.portable.protocol import Batch
from pytest_modelroundtrip.portable.subject import Subject
from pytest_modelroundtrip.portable.training.training_run import Epoch, History

X, Y = Spec("x", "float32", [None, 2]), Spec("y", "int32", None)
CALL = CallSignature([X, Y], [Spec(None, "float32", [None, 3])])
SIGHTINGS = {
    "history": History(
        [Epoch(1, {"loss": float("nan")}), Epoch(2, {"loss": 0.5})], 2, [WEIGHT], [WEIGHT]
    ),
    "signature": SignatureSighting(
        CALL, {"scale": FunctionSignature({"training": "False"}, ["float32[2]"])}, {"default": CALL}
    ),
    "weights": [
        WEIGHT,
        WEIGHT._replace(path="dense_1/bias", place="dense#1/bias", tied_to="dense/bias"),
    ],
    "config": ConfigSighting(
        {"units": 3},
        {".scale": PlaceSighting("scale", "Scale", {"a": 1}, {"b": [BIAS, None]}, ["b"], ["a"])},
    ),
    "compile": CompileSighting(
        {"/dense#0": LayerPolicy("dense", "float32")},
        {"loss": {"name": "mse"}},
        {"optimizer": {"rate": 0.1}},
    ),
    "losses": LossesSighting([BIAS], [Constrained("dense/kernel", BIAS)]),
    "optimizer": [WEIGHT._replace(path="optimizer/dense/bias/momentum")],
    "outputs": {"": {"": {"logits": [BIAS, 1.5]}, "training=True": None}},
    "self_contained": Reached(
        [Access(AccessKind.FILE, "/somewhere"), Access(AccessKind.NETWORK, "localhost")], ["/else"]
    ),
    "training": TrainingSighting(
        {"loss": np.array(0.5)},
        [WEIGHT],
        {WEIGHT.path: 1e-9},
        {WEIGHT.path: float("inf")},
        {"loss": 0.0},
        1e-7,
    ),
}


# the table


def test_the_table_is_in_order() -> None:
    assert list(checks.table()) == list(checks.NAMES)
    assert SIGHTINGS.keys() == set(checks.NAMES)
    assert {name for name, check in checks.table().items() if check.slow} == {"training"}
    calling = {name for name, check in checks.table().items() if check.calls_model}
    assert calling == {"losses", "outputs"}
    explaining = {name for name, check in checks.table().items() if check.explains_others}
    assert explaining == {"self_contained"}
    shown = {name: check.lines_shown for name, check in checks.table().items()}
    assert shown == {**dict.fromkeys(checks.NAMES, 5), "training": 2}


@pytest.mark.parametrize("name", checks.NAMES)
def test_each_check_is_whole_and_documented(name: str) -> None:
    check = checks.table()[name]
    assert check.name == name
    assert check.sighting
    assert check.hint.endswith(".")
    assert ".keras" not in check.hint  # it holds for each format, also for the one that failed
    text = inspect.cleandoc(type(check).__doc__ or "")
    assert text.split("\n")[0].endswith(".")  # the first line is a sentence
    assert 2 <= len(re.findall(r"\.\s|\.$", text)) <= 5


def named_in(text: str) -> set[str]:
    return {name for name in checks.NAMES if re.search(rf"\b{name}\b", text)}


def test_the_readme_promises_what_is_checked_by_default() -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    opening = " ".join(readme.partition("```")[0].split()).partition("is compared:")[2]
    by_default, _, on_request = opening.partition("On request")
    slow = {name for name, check in checks.table().items() if check.slow}
    default_formats = [fmt for fmt in formats.built_in().values() if not fmt.on_request]
    made = {name for fmt in default_formats for name in fmt.keeps} - slow
    assert named_in(by_default) == made - {"self_contained"}  # the clean interpreter stands for it
    assert named_in(on_request) == slow


def test_a_check_that_is_never_compared_cannot_be_made() -> None:
    class Observed(Check[int]):
        def observe(self, subject: Subject) -> int:
            raise NotImplementedError

    with pytest.raises(TypeError, match="compare"):
        Observed()  # type: ignore[abstract]


# what was seen


@pytest.mark.parametrize("name", checks.NAMES)
def test_what_was_seen_travels(name: str) -> None:
    seen = SIGHTINGS[name]
    data = codec.dump({name: records.to_plain(seen)})
    received = checks.parsed(codec.load(data))[name]
    assert type(received) is type(seen)
    assert codec.dump({name: records.to_plain(received)}) == data
    outcome = compared(name, seen, received).outcome
    assert outcome == ("differs" if name == "self_contained" else "exact")


@pytest.mark.parametrize("name", checks.NAMES)
def test_what_could_not_be_seen_travels(name: str) -> None:
    reason = NotChecked("own step raises ValueError: no")
    plain = codec.load(codec.dump({name: records.to_plain(reason)}))
    if checks.table()[name].may_be_unmade:
        assert checks.parsed(plain) == {name: reason}
    else:  # so that nobody need ask whether there is a sighting
        with pytest.raises(ValueError, match=rf"^{name}.*(is expected, not|not_checked)"):
            checks.parsed(plain)
    found = compared(name, reason, SIGHTINGS[name])
    assert found.outcome == "not checked"
    assert found.not_checked == ["the original's own step raises ValueError: no"]
    assert compared(name, reason, reason).outcome == "not checked"
    (text,) = compared(name, SIGHTINGS[name], reason).differences
    assert text == (
        f"{name} could be checked only before the save: the reloaded model's own step raises "
        "ValueError: no"
    )


def test_a_check_that_was_not_asked_for_is_refused() -> None:
    plain = {"weights": records.to_plain(SIGHTINGS["weights"])}
    assert checks.parsed(plain, ["weights"]).keys() == {"weights"}
    for names in ([], ["outputs"]):
        with pytest.raises(ValueError, match=r"^unknown checks: weights$"):
            checks.parsed(plain, names)


def test_a_config_is_json() -> None:
    plain = records.to_plain(SIGHTINGS["config"])
    for wrong in (np.ones(2), {"a": [np.ones(2)]}):
        with pytest.raises(ValueError, match=r"^config\.config: JSON is expected, not ndarray$"):
            checks.parsed({"config": {**plain, "config": wrong}})


def test_what_cannot_be_seen_is_kept_with_the_reason() -> None:
    compiled = {"__module__": "tf_keras", "save_weights": None, "optimizer": "adam"}
    model = type("Model", (), compiled)()
    subject = Subject(model, {}, [], batches=[Batch("", [], {"by_name": 1})])
    seen = checks.observe(subject, ["training"])
    reason = "inputs are passed by name, which fit does not take"
    assert seen == {"training": NotChecked(reason)}


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown checks: colour, taste"):
        checks.parsed({"weights": [], "taste": [], "colour": []})


@pytest.mark.parametrize("name", checks.NAMES)
def test_what_is_not_a_sighting_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        checks.parsed({name: "something else"})


def test_what_the_reloaded_model_has_not_at_all() -> None:
    found = checks.compare(SIGHTINGS, {"weights": SIGHTINGS["weights"]}, EXACT)
    assert list(found) == list(checks.NAMES)
    assert found["weights"].outcome == "exact"
    text = "the original has its optimizer, the reloaded model has none"
    assert found["optimizer"].differences == [text]


def test_what_the_original_has_not_at_all() -> None:
    found = checks.compare({"weights": SIGHTINGS["weights"]}, SIGHTINGS, EXACT)
    may_appear = {name for name, check in checks.table().items() if check.may_appear}
    assert may_appear == {"signature", "optimizer"}
    assert found.keys() == set(checks.NAMES) - may_appear
    assert found.pop("weights").outcome == "exact"
    unmade = checks.compare({"weights": []}, dict.fromkeys(found, NotChecked("x")), EXACT)
    for name, comparison in found.items():
        text = f"the reloaded model has its {name}, the original has none"
        assert comparison.differences == unmade[name].differences == [text]
    assert checks.compare({}, SIGHTINGS, EXACT) == {}  # nothing is known of it
