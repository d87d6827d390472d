"""How a resumed training is compared with one without an interruption, and what was lost."""

from __future__ import annotations

from typing import List

from ..training.training_state import STEP_COUNTER, ResumedTraining, TrainingState, is_count
from . import EXACT, Comparison, Tolerance
from .variables import compare_variables

BEGUN_ANEW = (
    "Let train call checkpoint.restore(manager.latest_checkpoint) before its first step, with the "
    "folder that it is given."
)
NOT_TRACKED = (
    "What a checkpoint does not track starts anew when the training is resumed. Pass everything "
    "that the training needs to tf.train.Checkpoint: model, optimizer, step counter, dataset "
    "iterator."
)
NOT_ALL_RESTORED = (
    "A part of what the training needs was not restored. Pass it to tf.train.Checkpoint, make it "
    "before checkpoint.restore(...) is called, and see with .assert_consumed() what was not used."
)
OTHER_STEPS = (
    "All that the checkpoint tracks was restored, and the training still took other steps. These "
    "start anew when it is resumed: counters in plain Python, a dataset iterator that is not "
    "tracked, and random numbers or a random order."
)


def compare_trainings(
    expected: ResumedTraining, actual: ResumedTraining, tolerance: Tolerance
) -> Comparison:
    """Compare the states at the end. If they differ, what explains it comes first."""
    ended = compare_states("after the training,", expected.ended, actual.ended, tolerance)
    if not ended.differences:
        return ended
    found = _restored(expected, actual, tolerance)
    untracked = _untracked(expected.ended, actual.ended)
    if untracked and found.hint != BEGUN_ANEW:
        found.hint = NOT_TRACKED
    found.differences[:0] = [f"the tf.train.Checkpoint of train tracks no {it}" for it in untracked]
    found.include(ended)
    return found


def _restored(
    expected: ResumedTraining, actual: ResumedTraining, tolerance: Tolerance
) -> Comparison:
    """Compare what the second part of a training begins with, as far as it was seen."""
    found = Comparison()
    found.hint = OTHER_STEPS
    if not expected.resumed or not actual.resumed:
        return found
    begun = expected.resumed.as_far_as_in(actual.resumed)
    compared = compare_states("as the second part begins,", begun, actual.resumed, tolerance)
    trained = {weight.path for weight in begun.weights if weight.trainable}
    if compared.differences:
        found.hint = NOT_ALL_RESTORED
    is_any_overwritten = any(origin.kind == "sentinel" for origin in compared.origins.values())
    if is_any_overwritten and compared.origins.keys() >= trained:
        found.differ("the training was not resumed: train restored nothing from its folder")
        found.hint = BEGUN_ANEW
    found.include(compared)
    return found


def compare_states(
    when: str, expected: TrainingState, actual: TrainingState, tolerance: Tolerance
) -> Comparison:
    """Compare each kind of values.

    Args:
        when: how messages begin.
        expected: of the training without an interruption.
        actual: of the resumed one.
        tolerance: whether Keras has another backend there; values must be equal all the same.
    """
    found = Comparison()
    for wanted, given in zip(expected.values_by_kind(), actual.values_by_kind()):
        found.include(compare_variables(when, wanted, given, tolerance))
    return found


def _untracked(expected: TrainingState, actual: TrainingState) -> List[str]:
    """What the checkpoint does not track; an optimizer that counted right is a step counter."""
    wanted, given = ([*filter(is_count, side.optimizers)] for side in (expected, actual))
    counted = wanted and not compare_variables("", wanted, given, EXACT).differences
    return [kind for kind in expected.untracked if not (counted and kind == STEP_COUNTER)]
