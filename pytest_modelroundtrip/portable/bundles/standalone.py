"""What `reload.pyz` does, beside an artifact, on a machine without the plugin.

It reloads once and prints what came; with --check it compares that with what was recorded. It is
confined as it was in the test, so that what failed there fails here.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from typing import List, Mapping, NamedTuple, Optional, Sequence

from .. import checks, formats, keras_libs, machine, protocol, reload, tensors
from ..comparing import CheckOutcome, Comparison, Comparisons, differing, merged_comparisons
from ..confinement import confining
from ..processes import process_tree
from ..protocol import Interpreter, Job, Reloaded
from ..reload_processes import child, own_copy
from . import bundle_files, origins, recorded, stores
from .recorded import Recorded

WIDTH = 16  # of the names of checks


class _Bundle(NamedTuple):
    """What is to be done, with what is expected of it."""

    folder: str
    job: Job
    recorded: Optional[Recorded]  # None where nothing is to be compared
    origin: origins.Origin


def main(bundle: str, arguments: Sequence[str]) -> int:
    """Reload; the exit status: 0, or 1 where that failed or something is not as recorded, or 2
    where the bundle cannot be read.

    Args:
        bundle: the folder of the artifact and what stands beside it.
        arguments: of the command line.
    """
    chosen = _chosen(arguments)
    try:
        found = _read(bundle, chosen.check)
    except (OSError, ValueError) as error:
        print(f"{bundle} is not a complete bundle: {error}")
        return 2
    if chosen.confinement is not None:
        setup = found.job.setup._replace(confinement=chosen.confinement)
        found = found._replace(job=found.job._replace(setup=setup))
    process_tree.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # cleaned up then
    folder = tempfile.mkdtemp(prefix="roundtrip-")
    try:
        return _check(found, chosen.store, folder)
    except (stores.StoreError, OSError) as error:
        is_changed = isinstance(error, stores.ChangedError)
        print(error, "DIFFERS" if is_changed else "SYSTEM ERROR", sep="\n")
        return 1
    finally:
        process_tree.end_descendants()
        process_tree.remove(folder)


def _chosen(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("reload.pyz", description="Reload the artifact beside it.")
    parser.add_argument("--check", action="store_true", help="compare with what was recorded")
    parser.add_argument(
        "--confinement",
        choices=[confining.OFF],
        help="do not confine the reload: it can read all files and connect",
    )
    parser.add_argument(
        "--store",
        default="",
        metavar="FOLDER_OR_URL",
        help="where the files outside of the bundle are",
    )
    return parser.parse_args(arguments)


def _read(folder: str, compares: bool) -> _Bundle:
    with open(os.path.join(folder, bundle_files.JOB), "rb") as source:
        job = protocol.decode_record(Job, source.read())
    record = recorded.read(folder) if compares else None
    if record is not None:
        record.observations()  # they can be read
    return _Bundle(folder, job, record, origins.read(folder))


def _check(found: _Bundle, store: str, folder: str) -> int:
    """Reload the bundle with all its files, in that folder of ours."""
    copy = os.path.join(folder, "whole")
    os.mkdir(copy)
    whole = stores.completed(found.folder, found.origin.outside, store, copy)
    record, changed = found.recorded, []
    if record is not None:
        changed = bundle_files.changed_files(whole, found.origin.sha256)
    job = found.job._replace(artifact=os.path.join(whole, found.job.artifact))
    return child.in_fork(lambda: _reload_and_print(job, folder, record, changed))


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
        lines = [answer.failure.traceback, *changed, *_why_unreadable(job, answer)]
        print("\n".join([*lines, *map(str, answer.failure.reached), "LOAD ERROR"]))
        return 1
    if record is not None:
        return _print_comparison(job, record, answer, changed)
    for name, seen in (answer.observation or {}).items():
        for nest, leaf in tensors.leaves(seen.get(checks.OUTPUTS)):
            print(name + nest, leaf)
    return 0


def _reloaded(job: Job, folder: str) -> Reloaded:
    own = os.path.join(folder, "own")
    grant = confining.NOTHING
    if job.setup.confinement != confining.OFF:
        grant = confining.entered(confining.granted(folder))
    child.move_into(own)
    cage = confining.Cage(job.setup.confinement, grant, own)
    copy = own_copy.path_in(own)
    artifact = copy if own_copy.made(job.artifact, copy) else job.artifact
    answer = reload.reload(
        job._replace(artifact=artifact), cage, lambda step: print("--", step, flush=True)
    )
    return own_copy.named_as_given(answer, artifact, job.artifact)


def _why_unreadable(job: Job, answer: Reloaded) -> List[str]:
    """Why no interpreter like this one can load it."""
    here = Interpreter(
        answer.versions, keras_libs.installed(), machine.machine(), [], 0.0, "", can_fork=False
    )
    return formats.referred(job.format).why_unreadable(job.setup.keras_majors, here)


def _versions(side: str, versions: Mapping[str, str]) -> str:
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{side}: {listed}"


def _print_comparison(job: Job, record: Recorded, answer: Reloaded, changed: Sequence[str]) -> int:
    """Print the outcome of each check, and what differs."""
    tolerance = record.tolerance(answer.versions, formats.referred(job.format).tolerance)
    seen = answer.observation or {}
    actual = {part: checks.parsed(sighting) for part, sighting in seen.items()}
    comparisons = merged_comparisons(
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
    close = comparisons.get(checks.OUTPUTS, Comparison()).bits_differ
    return CheckOutcome.CLOSE if close else CheckOutcome.EXACT
