"""Inputs that once broke a reader, or were passed over; each is an answer that is not honest.

`tox -e fuzz` searches for more.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import far_side
import forging
import fuzz_targets
import numpy as np
import pytest

from pytest_modelroundtrip import setting_values
from pytest_modelroundtrip.portable import checks, codec, protocol
from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.portable.comparing import Tolerance
from pytest_modelroundtrip.portable.comparing.nests import compare_nests
from pytest_modelroundtrip.portable.protocol import LoadFailure, Step
from pytest_modelroundtrip.result import RoundTrip
from pytest_modelroundtrip.setting_values import SettingsError

GONE = object()  # stands for an item that is left out
SEEN = ("fields", "observation", "encoder")
HUGE = np.frombuffer(b"", np.float32).reshape(2**40, 0)  # no bytes
LONG = "k" * 100_000
DEEP: Plain = {LONG: {LONG: [*range(20_000)]}}


def honest(names: list[str] | None = None) -> Plain:
    return codec.load(protocol.encode_record(far_side.honest(names or [*checks.NAMES])))


def forged(path: forging.Path, value: Plain, plain: Plain) -> bytes:
    """The answer with another value at that path, or without what stands there."""

    def change(held: Plain) -> Plain:
        if isinstance(held, list):
            others = [] if value is GONE else [value]
            return [*held[: path[-1]], *others, *held[path[-1] + 1 :]]
        changed = {**held, path[-1]: value}
        return {key: item for key, item in changed.items() if item is not GONE}

    return codec.dump(forging.replaced(plain, path[:-1], change))


def judged(path: forging.Path, value: Plain, folder: Path) -> RoundTrip:
    """What comes of an answer with another value at that path."""
    return far_side.judged(lambda _: forged(path, value, honest()), folder)


def test_the_honest_answer_passes(tmp_path: Path) -> None:
    trip = far_side.judged(lambda names: protocol.encode_record(far_side.honest(names)), tmp_path)
    assert (trip.verdict, trip.problems) == ("exact", [])


FAILED = LoadFailure("confined", "ValueError", "", "", [])  # type: ignore[arg-type]
REASON = {"not_checked": "own step raises ValueError"}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (SEEN, GONE, "the parts 'decoder', 'encoder' are expected, not 'decoder'"),
        ((*SEEN[:2], "third"), {}, "are expected, not 'decoder', 'encoder', 'third'"),
        ((*SEEN, "more"), {}, "unknown checks: more"),
        # what is no sighting has no weights to be looked at
        *(((*SEEN, name), REASON, f"{name}") for name in ("weights", "optimizer", "outputs",
                                                          "config", "self_contained")),
        # JSON is no array
        ((*SEEN, "config", "config", "name"), np.ones(0), "JSON is expected, not ndarray"),
        ((*SEEN, "config", "places", "scale", "config"), [1], "a dict is expected, not list"),
        ((*SEEN, "compile", "arguments", "loss"), HUGE, "JSON is expected, not ndarray"),
        ((*SEEN, "training", "logs", "loss"), [1.5], "an array is expected, not list"),
        (("fields", "ended"), {"step": "load", "how": "timed out"}, "only one of them is possible"),
        (("fields", "ended"), {"step": "load", "how": "signal 9"}, "Reloaded.ended.how: one of"),
        (("fields", "failure"), FAILED._asdict(), "Reloaded.failure.step: one of 'start'"),
        (("fields", "failure"), {**FAILED._asdict(), "step": "load", "reached": ["the file /a"]},
         "Reloaded.failure.reached[0]: a dict is expected, not str"),
        (("fields", "x" * 10**6), 1, "no field xxx"),
        ((*SEEN, "training", "noise"), {"k" * 10**6: None}, "kkk...kkk"),
    ],
)  # fmt: skip
def test_a_bad_answer(path: forging.Path, value: Plain, reason: str, tmp_path: Path) -> None:
    trip = judged(path, value, tmp_path)
    assert trip.verdict == "bad answer"
    assert reason in trip.problems[0]
    assert len(trip.problems[0]) < 500


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        # what is left out
        ((*SEEN, "outputs", ""), GONE, "outputs are missing after the reload"),
        ((*SEEN, "outputs", "", ""), GONE, "outputs are missing after the reload"),
        ((*SEEN, "outputs", "", "a batch of another size"), GONE,
         "outputs (a batch of another size) are missing after the reload"),
        ((*SEEN, "outputs", "", "more"), 1, "outputs (more) are not in the original"),
        ((*SEEN, "outputs", "", "", "deep", 1), {},
         "outputs['deep'][1] was an empty list and is now an empty dict"),
        ((*SEEN, "outputs", "", "", "ragged"), GONE, "outputs['ragged'] is missing"),
        ((*SEEN, "config", "places", "scale", "attributes", "factor"), GONE,
         "the argument factor of Scale (inner/scale) is missing after the reload"),
        ((*SEEN, "weights", 1), GONE, f"weight dense/bias {far_side.HALF}[3] is missing"),
        ((*SEEN, "losses", "constraints"), [], "constraint of ['dense/kernel'] is missing"),
        # scalars are compared as arrays are
        ((*SEEN, "outputs", "", "", "scalars", "a"), -0.0, ""),
        ((*SEEN, "config", "config", "layers", 1, "config", "factor"), -0.0, "is now -0.0"),
        ((*SEEN, "config", "places", "scale", "attributes", "size"), True,
         "was 3 and is now True"),
        # shapes and numbers that claim more than came
        ((*SEEN, "config", "places", "scale", "attributes", "words"), HUGE,
         "is now an array"),
        ((*SEEN, "outputs", "", "", "logits"), HUGE, "now has [1099511627776, 0]"),
        ((*SEEN, "weights", 0, "value"), HUGE, "now has [1099511627776, 0]"),
    ],
)  # fmt: skip
def test_a_difference(path: forging.Path, value: Plain, problem: str, tmp_path: Path) -> None:
    trip = far_side.judged(lambda _: forged(path, value, honest()), tmp_path, exact=True)
    assert trip.verdict == "differs"
    assert any(problem in line for line in trip.problems)


def test_a_second_reload_that_lacks_a_part_explains_nothing(tmp_path: Path) -> None:
    """The differences are known from the first."""
    wrong = forged((*SEEN, "outputs", "", "", "logits"), far_side.KERNEL, honest())
    answers = iter([wrong])

    def answer(names: list[str]) -> bytes:
        return next(answers, forged(SEEN, GONE, honest(names)))

    trip = far_side.judged(answer, tmp_path)
    assert trip.verdict == "differs"
    assert not any("reloaded twice" in line for line in trip.problems)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*SEEN, "outputs", "", "", "more"), DEEP),  # each leaf would be told with a long path
        ((*SEEN, "weights"), [honest()["fields"]["observation"]["encoder"]["weights"][0]] * 1000),
    ],
)
def test_memory_is_bounded_by_the_bytes_that_came(
    path: forging.Path, value: Plain, tmp_path: Path
) -> None:
    data = forged(path, value, honest())
    tracemalloc.start()
    try:
        assert not far_side.judged(lambda _: data, tmp_path).passed
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000 + 100 * len(data)


@pytest.mark.parametrize("text", ["/", "x", "Could not interpret ", "identifier: {", "'"])
def test_an_error_as_long_as_an_artifact_is_searched_in_part(text: str, tmp_path: Path) -> None:
    """With patterns that go back over it again and again, this test would take hours."""
    failure = LoadFailure(Step.LOAD, "ValueError", text * 1_000_000, "", [])
    data = protocol.encode_record(protocol.Reloaded({}, {}, failure=failure))
    assert far_side.judged(lambda _: data, tmp_path).verdict == "load error"


def test_numbers_below_the_normal_ones_are_compared_where_numpy_raises() -> None:
    with np.errstate(all="raise"):
        assert compare_nests("", 5e-324, float("nan"), Tolerance()).outcome == "differs"


def test_an_array_is_not_the_name_of_a_check() -> None:
    for value in ([np.zeros(0)], [np.zeros(2)], np.array(["auto", "off"])):
        with pytest.raises(SettingsError):
            setting_values.checks(value, fuzz_targets.NAMES)
        with pytest.raises(SettingsError):
            setting_values.one_of("auto", "off")(value)
    assert setting_values.checks(["all"], fuzz_targets.NAMES) == ("weights", "outputs")


@pytest.mark.parametrize("target", fuzz_targets.TARGETS)
def test_a_few_random_inputs(target: str, tmp_path: Path) -> None:
    for number in range(5):
        fuzz_targets.run(target, f"few {number}", tmp_path)
