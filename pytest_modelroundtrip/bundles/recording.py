"""Bundles are made: at the end of a training script, or of the round trips of a test run."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from .. import reloading, saving, setting_values, warning_filters
from ..environments.archive import portable_archive
from ..plan import SavePlan, Stop
from ..portable import checks, formats, keras_libs, protocol
from ..portable.aliases import Model
from ..portable.bundles import bundle_files, recorded, stores
from ..portable.comparing import Tolerance
from ..portable.protocol import Job
from ..reference import model as reference_model
from ..reference.model import ModelError, ModelGroup
from ..reporting import failure
from ..result import RoundTrip, Verdict, Versions
from ..setting_values import THIS_INTERPRETER, AvailableNames, SettingsError
from ..settings import Settings, of_keywords
from . import bundle_archives, bundle_reader, provenance

if TYPE_CHECKING:
    from typing_extensions import Unpack  # type checkers know it without its package

LOGGER = logging.getLogger(__package__)
MAX_NAME = 150  # characters, of a test
RELOAD_COMMAND = f"python {bundle_files.RELOAD}"
Names = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class RecordOptions(TypedDict, total=False):
    """The keywords of the marker that `record` takes, too."""

    formats: Names | Literal["all"]  # default: each that can hold the model
    checks: Names | Literal["all"]
    exact: bool
    rtol: float
    atol: float
    imports: Names
    custom_objects: dict[str, str]
    factory: str
    train: str
    safe_mode: bool


OPTIONS = tuple(RecordOptions.__annotations__)


class RecordError(Exception):
    """A bundle could not be recorded. The text says why."""


def record(
    model: Model,
    /,
    *inputs: Any,
    path: str | Path,
    kwargs: Mapping[str, Any] | None = None,
    archive: bool = False,
    store: str | Path | None = None,
    **options: Unpack[RecordOptions],
) -> list[Path]:
    """Save a model with what was observed of it, to be checked later and elsewhere.

    For each format a folder `PATH.FORMAT` is written (docs/bundles.md). Nothing is reloaded.

    Args:
        model: a Keras model or layer, a `tf.Module`, what `hub.load` returns.
        *inputs: what it is called with; without any, inputs are made from its input spec.
        path: of the bundles, without the format at the end. None of them may exist.
        kwargs: inputs by name, and `training` (default: False for Keras models).
        archive: whether to write `PATH.FORMAT.tar.gz` instead of a folder.
        store: a folder for the files of the artifact that have at least 1 MB (10**6 bytes).
        **options: those of `RecordOptions`.

    Returns:
        What was written: the folders, or the archives. The sizes of the bundles are logged (INFO).

    Raises:
        RecordError: where an option is wrong, a bundle exists, the model cannot be called, or a
            format that was named cannot hold or save it; nothing is written then.
    """
    settings = _settings(options)
    targets = {name: Path(f"{path}.{name}") for name in settings.formats}
    _assert_writable(targets.values(), store)
    models = _models(model, inputs, kwargs or {})
    try:
        return _write_bundles(models, settings, targets, store, archive)
    except OSError as error:
        raise RecordError(f"it cannot be written: {error}") from error


def _write_bundles(
    models: ModelGroup,
    settings: Settings,
    targets: Mapping[str, Path],
    store: str | Path | None,
    archive: bool,
) -> list[Path]:
    """Write the bundles by the names of their formats: all of them, or none."""
    known = formats.built_in()
    parent = next(iter(targets.values())).parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=parent) as scratch:
        made = []
        with warning_filters.no_errors():
            for name, target in targets.items():
                folder = Path(scratch) / target.name
                if _recorded(SavePlan(models, known[name], settings, folder)):
                    made.append(folder)
        if not made:
            raise RecordError("no format can hold this model")
        finished = [_finished(folder, store, archive) for folder in made]
        for path, line in finished:
            path.rename(parent / path.name)
            LOGGER.info("recorded %s", line)
    return [parent / path.name for path, _ in finished]


def _finished(folder: Path, store: str | Path | None, archive: bool) -> tuple[Path, str]:
    """The bundle in that folder, or its archive, and a line with its size."""
    if store:
        stores.move_out(str(folder), str(store))
    line = bundle_reader.size_line(folder)
    if not archive:
        return folder, line
    try:
        return bundle_archives.pack(folder), line
    except bundle_reader.BundleError as error:
        raise RecordError(str(error)) from None


def _models(model: Model, inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ModelGroup:
    try:
        return reference_model.single(model, inputs, kwargs)
    except ModelError as error:
        raise RecordError(failure.shortened(str(error))) from None


def _settings(options: Mapping[str, Any]) -> Settings:
    known = formats.built_in()
    default = tuple(name for name, fmt in known.items() if not fmt.on_request)
    names = AvailableNames(tuple(known), default, (THIS_INTERPRETER,), checks.NAMES)
    try:
        for name in options:
            if name not in OPTIONS:
                raise SettingsError(setting_values.unknown("option", name, OPTIONS))
        return of_keywords(options, names)
    except SettingsError as error:
        raise RecordError(str(error)) from None


def _assert_writable(targets: Collection[Path], store: str | Path | None) -> None:
    if store is not None and bundle_files.is_url(str(store)):
        raise RecordError("pass a folder as the store: nothing is uploaded to a URL")
    archives = map(bundle_archives.archive_of, targets)
    taken = [str(path) for path in (*targets, *archives) if path.exists()]
    if taken:
        raise RecordError(f"bundles are not overwritten, and these exist: {', '.join(taken)}")


def _recorded(plan: SavePlan) -> bool:
    """Write one bundle; False where a format that was not named cannot hold the model.

    Raises:
        RecordError: where it cannot be saved.
    """
    trip = RoundTrip(plan.format.name, THIS_INTERPRETER, plan.folder / bundle_files.ARTIFACT)
    trip.versions = Versions(keras_libs.versions())
    try:
        plan = saving.prepared(plan)
        names = saving.checks_to_make(plan)
        expected = saving.observe_original(plan, names)
        trip.size = saving.save(plan, trip.artifact)
        saving.assert_unchanged(plan, names, expected)
    except Stop as stop:
        if stop.verdict is Verdict.UNSUPPORTED and not plan.settings.formats_by_name:
            return False
        lines = [f"{stop.verdict}: format {trip.format}", *stop.problems, stop.hint]
        raise RecordError(failure.shortened("\n".join(filter(None, lines)))) from stop
    trip._observed = expected
    reloading.make_task(plan, names, expected, generation=1)
    write_expected(plan.folder, plan.models, trip, plan.settings)
    (plan.folder / bundle_files.RELOAD).write_bytes(portable_archive([]))
    provenance.write(trip, plan.models, "record()", RELOAD_COMMAND, plan.settings.imports)
    return True


def write_expected(folder: Path, models: ModelGroup, trip: RoundTrip, settings: Settings) -> None:
    """Write what was seen of the original beside its artifact."""
    tolerance = Tolerance(settings.exact, settings.rtol, settings.atol)
    record = models.recorded(trip._observed or {}, trip.versions.saved, tolerance)
    recorded.write(str(folder), record)


def bundle_name(test: str, number: int, fmt: str) -> str:
    """The name of the folder of a test's bundle: `test_models.test_encoder.keras`.

    It says nothing of the environment, on which a bundle does not depend. What no folder may be
    called is replaced; then a hash keeps two tests apart.

    Args:
        test: the id of the test, without format and environment.
        number: of the round trip in that test, from 1.
        fmt: the name of the format.
    """
    where, has_parameters, parameters = test.partition("[")
    plain = where.replace(".py::", ".").replace("::", ".").replace("/", ".")
    if has_parameters:
        plain = f"{plain}-{parameters[:-1]}"
    safe = re.sub(r"[^A-Za-z0-9_.=,+-]", "_", plain)
    if safe != plain or len(safe) > MAX_NAME:
        digest = hashlib.sha256(test.encode("utf-8", "replace")).hexdigest()[:8]
        safe = f"{safe[:MAX_NAME]}_{digest}"
    return ".".join([safe, *([str(number)] if number > 1 else []), fmt])


def keep(bundle: Path, target: Path, store: str) -> None:
    """Copy a bundle; where another process has done so meanwhile, that one stays.

    Of a round trip of several generations that is the first, which the original was saved to.

    Args:
        bundle: its folder.
        target: that of the copy.
        store: a folder for its large files; "" for none.
    """
    job = protocol.decode_record(Job, (bundle / bundle_files.JOB).read_bytes())
    job = job._replace(artifact=bundle_files.ARTIFACT)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as scratch:
        copy = Path(scratch) / target.name
        artifact = bundle_files.ARTIFACT
        shutil.copytree(bundle / artifact, copy / artifact, symlinks=True)
        for path in [path for path in bundle.iterdir() if path.is_file()]:
            shutil.copyfile(path, copy / path.name)
        (copy / bundle_files.JOB).write_bytes(protocol.encode_record(job))
        if store:
            stores.move_out(str(copy), store)
        try:
            copy.rename(target)
        except OSError:
            if not target.exists():
                raise
