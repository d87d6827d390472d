"""What `reload.pyz` does, beside an artifact, on a machine that has nothing of ours.

It reloads once and prints what came; with --check it compares that with what was recorded. It is
confined as it was in the test, so that what failed there fails here.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from . import (
    bundle_files,
    checks,
    child,
    confinement,
    formats,
    keras_libs,
    machine,
    own_copy,
    processes,
    protocol,
    recorded,
    reload,
    tensors,
)
from .comparing import CheckOutcome, Comparison, Comparisons, differing, merged
from .protocol import Interpreter, Job, Reloaded
from .recorded import Recorded

CHECK, NOT_CONFINED = "--check", "--confinement=off"
WIDTH = 16  # of the names of checks
USAGE = f"usage: reload.pyz [{CHECK}] [{NOT_CONFINED}]"


def main(bundle: str, options: Sequence[str]) -> int:
    """Reload; the exit status: 0, or 1 where that failed or something is not as recorded, or 2
    where the bundle cannot be read.

    Args:
        bundle: the folder of the artifact and what stands beside it.
        options: of the command line.
    """
    if set(options) - {CHECK, NOT_CONFINED}:
        print(USAGE)
        return 2
    try:
        job, record, changed = _read(bundle, CHECK in options)
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"{bundle} is not a whole bundle: {error}")
        return 2
    job = job._replace(artifact=os.path.join(bundle, job.artifact))
    if NOT_CONFINED in options:
        job = job._replace(setup=job.setup._replace(confinement=confinement.OFF))
    processes.adopt_orphans()
    folder = tempfile.mkdtemp(prefix="roundtrip-")
    try:
        return child.in_fork(lambda: _reload_and_print(job, folder, record, changed))
    finally:
        processes.end_descendants()
        processes.remove(folder)


def _read(bundle: str, compares: bool) -> Tuple[Job, Optional[Recorded], List[str]]:
    """What is to be done; with what is expected, and the files that are not those recorded."""
    with open(os.path.join(bundle, bundle_files.JOB), "rb") as source:
        job = protocol.decode_record(Job, source.read())
    if not compares:
        return job, None, []
    record = recorded.read(bundle)
    record.observations()  # they can be read
    return job, record, _changed_files(bundle)


def _reload_and_print(
    job: Job, folder: str, record: Optional[Recorded], changed: Sequence[str]
) -> int:
    answer = _reloaded(job, folder)
    print(f"confinement: {answer.confinement}")
    if record is not None:
        print(_versions("saved with", record.versions))
    print(_versions("reloaded with", answer.versions))
    if answer.broken:
        print("\n".join(answer.broken))
        return 1
    if answer.failure:
        lines = [answer.failure.traceback, *changed, *_unreadable(job, answer)]
        print("\n".join([*lines, *answer.failure.reached, "LOAD ERROR"]))
        return 1
    if record is not None:
        return _print_comparison(job, record, answer, changed)
    for name, seen in (answer.observation or {}).items():
        for nest, leaf in tensors.leaves(seen.get("outputs")):
            print(name + nest, leaf)
    return 0


def _reloaded(job: Job, folder: str) -> Reloaded:
    own = os.path.join(folder, "own")
    grant = confinement.NOTHING
    if job.setup.confinement != confinement.OFF:
        grant = confinement.entered(confinement.granted(folder))
    child.move_into(own)
    cage = confinement.Cage(job.setup.confinement, grant, own)
    copy = own_copy.path_in(own)
    artifact = copy if own_copy.made(job.artifact, copy) else job.artifact
    answer = reload.reload(
        job._replace(artifact=artifact), cage, lambda step: print("--", step, flush=True)
    )
    return own_copy.named_as_given(answer, artifact, job.artifact)


def _unreadable(job: Job, answer: Reloaded) -> List[str]:
    """Why no interpreter like this one can load it."""
    here = Interpreter(
        answer.versions, keras_libs.installed(), machine.machine(), [], 0.0, "", can_fork=False
    )
    return formats.referred(job.format).why_unreadable(job.setup.keras_majors, here)


def _versions(side: str, versions: Mapping[str, str]) -> str:
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{side}: {listed}"


def _changed_files(bundle: str) -> List[str]:
    """What is another file than was recorded."""
    with open(os.path.join(bundle, bundle_files.ORIGIN), encoding="utf-8") as source:
        hashes: Dict[str, str] = json.load(source)["sha256"]
    return bundle_files.changed_files(bundle, hashes)


def _print_comparison(job: Job, record: Recorded, answer: Reloaded, changed: Sequence[str]) -> int:
    """Print the outcome of each check, and what differs."""
    tolerance = record.tolerance(answer.versions, formats.referred(job.format).tolerance)
    seen = answer.observation or {}
    actual = {part: checks.parsed(sighting) for part, sighting in seen.items()}
    comparisons = merged(
        (part, checks.compare(expected, actual.get(part, {}), tolerance))
        for part, expected in record.observations().items()
    )
    for name in job.checks:
        print(f"{name:<{WIDTH}}{_outcome(comparisons.get(name, Comparison()))}")
    lines = [*changed, *checks.difference_lines(comparisons)]
    if not any(found.compared for found in comparisons.values()):
        lines.append("nothing was compared")
    print("\n".join(["", *lines, _verdict(comparisons, lines).upper()]).lstrip())
    return 1 if lines else 0


def _outcome(found: Comparison) -> str:
    distance = f" ({found.max_ulp} ulp)" if found.max_ulp else ""
    return f"{found.outcome}{distance}"


def _verdict(comparisons: Comparisons, lines: Sequence[str]) -> str:
    if lines or differing(comparisons):
        return CheckOutcome.DIFFERS
    close = comparisons.get("outputs", Comparison()).bits_differ
    return CheckOutcome.CLOSE if close else CheckOutcome.EXACT
