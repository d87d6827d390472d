"""What differences mean, taken together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from .hints.augmentation import random_where_served
from .hints.hub_handles import handle_hint
from .portable import checks
from .portable.aliases import Plain
from .portable.checks import CONFIG, OPTIMIZER, OUTPUTS, SELF_CONTAINED, WEIGHTS, Observations
from .portable.checks.config import reproducible
from .portable.checks.outputs import observation_of, usual_outputs
from .portable.comparing import Comparison, Comparisons, Tolerance, arrays, differing
from .portable.formats import Format
from .portable.known_arrays import has_values
from .portable.protocol import LayerOutput, WeightValue
from .portable.subject import GIVEN
from .reference.model import ModelGroup, ReferenceModel
from .result import Verdict

OTHER_HASH_SEED = "5"  # other than the clean interpreter's


class Reloading(NamedTuple):
    """What a further reload of the same artifact showed, by part."""

    observations: Observations
    layers: dict[str, list[LayerOutput]]


class ReloadAgain(Protocol):
    """Reloads the same artifact once more; None where that breaks off."""

    def __call__(self, names: list[str], hash_seed: str | None = None) -> Reloading | None:
        """Make these checks; with a hash seed, in an interpreter of its own."""


class Evidence(NamedTuple):
    """What is known when a reload shows differences."""

    format: Format
    comparisons: Comparisons
    expected: Observations
    actual: Observations
    models: ModelGroup
    tolerance: Tolerance
    reload_again: ReloadAgain


class Diagnosis(NamedTuple):
    """Lines to be read before the differences, what to do, and a verdict that replaces "differs"
    where persistence is not to blame.
    """

    lines: Sequence[str]
    hint: str = ""
    verdict: Verdict = Verdict.DIFFERS

    def followed_by(self, other: Diagnosis | None) -> Diagnosis:
        """Both; what was found later is nearer to the cause."""
        if other is None:
            return self
        return Diagnosis([*self.lines, *other.lines], other.hint or self.hint, other.verdict)


def without_accidents(
    expected: Observations, actual: Observations, reload_again: ReloadAgain
) -> Observations:
    """What is expected, without the attributes that a second reload shows differently."""
    second = reload_again([CONFIG], OTHER_HASH_SEED)  # nor may a hash decide it
    if second is None:
        return expected
    found = {part: dict(seen) for part, seen in expected.items()}
    for part, seen in found.items():
        sides = actual.get(part, {}), second.observations.get(part, {})
        if CONFIG in seen and all(CONFIG in side for side in sides):
            seen[CONFIG] = reproducible(seen[CONFIG], *(side[CONFIG] for side in sides))
    return found


def diagnose(evidence: Evidence) -> Diagnosis:
    """What the differences mean."""
    differ = differing(evidence.comparisons)
    missed = [*_missed_files(evidence)]
    lines = [*missed, *_wrong_weights(evidence.comparisons), *_lost_slots(evidence)]
    hint = checks.table()[SELF_CONTAINED].hint if missed else _hint(differ)
    found = Diagnosis(lines, _about_handles(evidence) or hint)
    if OUTPUTS in differ and WEIGHTS not in differ:
        augmentation = _augmentation(evidence)
        if augmentation is not None:
            return found.followed_by(augmentation)
    if evidence.format.trains or not {WEIGHTS, OUTPUTS} & differ.keys():
        return found  # where it trains, `history` has the cause
    second = evidence.reload_again([name for name in (WEIGHTS, OUTPUTS) if name in differ])
    if second is None:
        return found
    return found.followed_by(_shown_by_another_reload(evidence, second))


def _shown_by_another_reload(evidence: Evidence, second: Reloading) -> Diagnosis:
    differ, found = differing(evidence.comparisons), Diagnosis([])
    if WEIGHTS in differ:
        found = Diagnosis([*_unstable_weights(evidence.actual, second.observations)])
    elif evidence.comparisons.get(WEIGHTS, Comparison()).compared:
        equal = Diagnosis(["the weights are equal, the outputs differ"])
        found = equal.followed_by(_nondeterminism(evidence, second))
    if OUTPUTS in differ and found.verdict is Verdict.DIFFERS:
        return found.followed_by(Diagnosis([*_first_differing_layer(evidence, second.layers)]))
    return found


def _hint(differ: Comparisons) -> str:
    """That of the first check that differs, in the order from causes to consequences.

    What a comparison has to say is nearer to the cause than what the check says in general.
    """
    table = checks.table()
    ordered = sorted(
        differ, key=lambda name: (not table[name].explains_others, [*table].index(name))
    )
    return differ[ordered[0]].hint or table[ordered[0]].hint if ordered else ""


def _augmentation(evidence: Evidence) -> Diagnosis | None:
    """Whether the saved function augments its inputs at random."""
    if not evidence.format.calls_as_traced:
        return None
    layers = [path for part in evidence.models.parts.values() for path in random_where_served(part)]
    if not layers:
        return None
    return Diagnosis(
        [
            f"the saved function augments its inputs at random in {_join_paths(layers)}: it was "
            "traced without training=False, and so the original differs from itself too"
        ],
        "A server would augment what it is sent. Leave augmentation layers out of the model "
        "that you save for serving, or save a function that passes training=False.",
    )


def _wrong_weights(comparisons: Comparisons) -> Iterator[str]:
    """Where the values of wrong weights come from."""
    found = comparisons.get(WEIGHTS, Comparison())
    origins = found.origins
    for path, (kind, other) in origins.items():
        back = origins.get(other)
        if kind == "other" and back is not None and back == ("other", path) and path < other:
            yield f"permuted: {path} and {other}"
    for kind, words in (
        ("cast", "were cast through {}"),
        ("constant", "were re-initialized"),
        ("sentinel", "were not loaded at all"),
    ):
        paths = [path for path in origins if origins[path].kind == kind]
        if paths:
            what = words.format(origins[paths[0]].detail)
            yield f"{len(paths)} of {found.compared} weights {what}: {_join_paths(paths)}"


def _missed_files(evidence: Evidence) -> Iterator[str]:
    """Files of this side that the reload asked for and may have gone on without."""
    for seen in evidence.actual.values():
        looked_for = seen[SELF_CONTAINED].looked_for if SELF_CONTAINED in seen else ()
        here = [path for path in looked_for if os.path.exists(path)]
        if here:
            yield f"the reload looked for {_join_paths(here)}, which no deployment has"
            return  # what was looked for is the same for all parts


def _about_handles(evidence: Evidence) -> str:
    """What to do where the reload looked for a hub module."""
    if SELF_CONTAINED not in differing(evidence.comparisons):
        return ""
    sides = [seen for seen in evidence.actual.values() if SELF_CONTAINED in seen]
    accesses = [access for seen in sides for access in seen[SELF_CONTAINED].used]
    return handle_hint(evidence.models.models.values(), evidence.format, accesses)


def _lost_slots(evidence: Evidence) -> Iterator[str]:
    lost = OPTIMIZER in differing(evidence.comparisons)
    if lost and _has_slots(evidence.expected) and not _has_slots(evidence.actual):
        yield "the optimizer's slots are zero or missing: training would start anew"


def _has_slots(side: Observations) -> bool:
    held: list[WeightValue] = [value for seen in side.values() for value in seen.get(OPTIMIZER, ())]
    return any(has_values(value.value) for value in held if value.path.count("/") > 1)


def _unstable_weights(first: Observations, second: Observations) -> Iterator[str]:
    """Weights that have a different value after each reload."""
    paths = []
    for name, seen in first.items():
        again = second.get(name, {}).get(WEIGHTS, ())
        pairs = zip(seen.get(WEIGHTS, ()), again, strict=False)
        paths += [one.path for one, other in pairs if _changed(one.value, other.value)]
    if paths:
        yield f"different after each reload: {_join_paths(paths)}"


def _changed(one: Plain, other: Plain) -> bool:
    return bool(one.dtype != object and not arrays.same_leaf(one, other))


def _nondeterminism(evidence: Evidence, second: Reloading) -> Diagnosis | None:
    """Whether the reloaded model differs from itself, from call to call or with Python's hash seed.

    That is not a loss of the format.
    """
    if _outputs_differ(evidence, second):
        return Diagnosis(
            [
                "reloaded twice, it returns different outputs: they depend on something that is "
                "not in the artifact and changes from run to run"
            ],
            "Look for random numbers whose seed is not in the config, the time, a process number "
            "or a temporary name; or return the part of it that does not depend on them.",
            Verdict.NOT_DETERMINISTIC,
        )
    third = evidence.reload_again([OUTPUTS], OTHER_HASH_SEED)
    if third is None or not _outputs_differ(evidence, third):
        return None
    return Diagnosis(
        [
            "reloaded under two values of PYTHONHASHSEED, it returns different outputs: it depends "
            "on hash() or on the order of a set"
        ],
        "Use a stable hash (hashlib, tf.strings.to_hash_bucket_fast), and sort what comes out of a "
        "set.",
        Verdict.NOT_DETERMINISTIC,
    )


def _outputs_differ(evidence: Evidence, again: Reloading) -> bool:
    """Whether another reload of the same artifact returned other outputs."""
    sides = (evidence.actual, again.observations)
    first, second = ({name: usual_outputs(seen) for name, seen in side.items()} for side in sides)
    return any(_differ(first[name], second.get(name), evidence.tolerance) for name in first)


def _differ(expected: Plain, actual: Plain, tolerance: Tolerance) -> bool:
    """Whether two outputs differ, by name of the batch."""
    first, second = observation_of(expected), observation_of(actual)
    return bool(differing(checks.compare(first, second, tolerance)))


def _first_differing_layer(
    evidence: Evidence, layers: dict[str, list[LayerOutput]]
) -> Iterator[str]:
    """The first layer whose outputs differ, of the first part that has one."""
    for name, part in evidence.models.parts.items():
        actual = layers.get(name, [])
        where = f" of {name}" if name else ""
        line = _first_in_part(part, actual, evidence.tolerance) if actual else ""
        if line:
            yield f"the first layer{where} whose output differs: {line}"
            return


def _first_in_part(part: ReferenceModel, actual: list[LayerOutput], tolerance: Tolerance) -> str:
    before = ""
    for one, other in zip(part.layer_outputs(), actual, strict=False):
        outputs = {GIVEN: one.outputs}, {GIVEN: other.outputs}
        if one.name != other.name or _differ(*outputs, tolerance):
            position = f"after {before}" if before else "which is the first layer"
            return f"{one.name} ({one.class_name}), {position}"
        before = one.name
    return ""


def _join_paths(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
