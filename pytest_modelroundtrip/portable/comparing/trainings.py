"""How a resumed training is compared with one without an interruption, and what was lost."""

from __future__ import annotations

from typing import List

from ..training_state import STEP_COUNTER, ResumedTraining, TrainingState, is_count
from . import EXACT, Comparison, Tolerance
from .variables import compare_variables

NOTHING_RESTORED = (
    "The training did not go on with the weights of its checkpoint. Let train call "
    "checkpoint.restore(manager.latest_checkpoint) before its first step."
)
NOT_TRACKED = (
    "What a checkpoint does not track begins anew where the training is resumed. Pass all that the "
    "training needs to tf.train.Checkpoint: model, optimizer, step counter, dataset iterator."
)
NOT_ALL_RESTORED = (
    "Not all that the checkpoint tracks was restored. Make it before checkpoint.restore(...) is "
    "called, and see with .assert_consumed() what of the file was not used."
)
OTHER_STEPS = (
    "All that the checkpoint tracks was restored, and the training still took other steps. What it "
    "counts in plain Python, or orders and draws at random, begins anew where it is resumed."
)


def compare_trainings(
    expected: ResumedTraining, actual: ResumedTraining, tolerance: Tolerance
) -> Comparison:
    """Compare the states at the end. If they differ, what explains it comes first."""
    ended = _compared("after the training,", expected.ended, actual.ended, tolerance)
    if not ended.differences:
        return ended
    found = Comparison()
    untracked = _untracked(expected.ended, actual.ended)
    for what in untracked:
        found.differ(f"the tf.train.Checkpoint that train returned tracks no {what}")
    found.hint = NOT_TRACKED if untracked else OTHER_STEPS
    if expected.resumed and actual.resumed:
        begun = expected.resumed.as_far_as_in(actual.resumed)
        restored = _compared("as it is resumed,", begun, actual.resumed, tolerance)
        found.include(restored)
        if compare_variables("", begun.weights, actual.resumed.weights, tolerance).differences:
            found.hint = NOTHING_RESTORED
        elif restored.differences and not untracked:
            found.hint = NOT_ALL_RESTORED
    found.include(ended)
    return found


def _compared(
    when: str, expected: TrainingState, actual: TrainingState, tolerance: Tolerance
) -> Comparison:
    """Compare each kind of values."""
    found = Comparison()
    for wanted, given in zip(expected.values_by_kind(), actual.values_by_kind()):
        found.include(compare_variables(when, wanted, given, tolerance))
    return found


def _untracked(expected: TrainingState, actual: TrainingState) -> List[str]:
    """What the checkpoint does not track; an optimizer that counted right is a step counter."""
    wanted, given = ([*filter(is_count, side.optimizers)] for side in (expected, actual))
    counted = wanted and not compare_variables("", wanted, given, EXACT).differences
    return [kind for kind in expected.untracked if not (counted and kind == STEP_COUNTER)]
