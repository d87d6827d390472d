"""An artifact that nobody recorded: it is reloaded once, and what is seen then is the record.

So its check says whether it loads, whether it loads twice the same, and whether it is
self-contained; with inputs, whether two reloads return the same outputs; with outputs, whether
they are these.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..environments import HERE, BadAnswerError, BrokenEnvironmentError, Environment
from ..environments.archive import portable_archive
from ..portable import checks, keras_libs, protocol
from ..portable.aliases import Array, Plain
from ..portable.bundles import bundle_files, origins, recorded
from ..portable.bundles.origins import Origin
from ..portable.bundles.recorded import Recorded
from ..portable.checks import OUTPUTS
from ..portable.checks.outputs import observation_of
from ..portable.formats import Format
from ..portable.formats.h5 import H5Format
from ..portable.formats.keras import KerasFormat
from ..portable.formats.saved_model import SavedModelFormat
from ..portable.known_arrays import Digests
from ..portable.models import calling
from ..portable.protocol import Batch, Job, PartJob
from ..portable.subject import GIVEN
from ..reloading import job_of
from ..setting_values import THIS_INTERPRETER
from ..settings import Settings

SECONDS = 300  # for the first reload
FORMATS: dict[str, Callable[[], KerasFormat | H5Format]] = {  # by a file's suffix
    ".keras": KerasFormat, ".h5": H5Format, ".hdf5": H5Format,
}  # fmt: skip
EXPECTED = "a .keras, .h5 or .hdf5 file or the folder of a SavedModel is expected"


class PlainArtifactError(Exception):
    """It cannot be checked. The text says why."""


class Given(NamedTuple):
    """What is known of an artifact."""

    path: Path
    inputs: Path | None  # an .npz file
    outputs: Path | None  # another
    imports: Sequence[str]


def is_plain_artifact(path: Path) -> bool:
    """Whether it looks like something that Keras or TensorFlow wrote."""
    is_file = path.suffix in FORMATS and os.path.isfile(path)
    return is_file or os.path.isfile(path / "saved_model.pb")


def make_bundle(given: Given, folder: Path) -> Path:
    """Make a bundle of the artifact in that folder.

    Raises:
        PlainArtifactError: where its inputs cannot be read, or this interpreter cannot reload.
    """
    bundle = folder / Path(os.path.abspath(given.path)).name
    artifact, job_file = bundle / bundle_files.ARTIFACT, bundle / bundle_files.JOB
    try:
        fmt = _copied(given.path, artifact)
    except OSError as error:
        raise PlainArtifactError(f"{given.path} cannot be read: {error}") from None
    environment = Environment(THIS_INTERPRETER, HERE, portable_archive([]), "fork")
    try:
        job = _job(given, fmt, environment)
        job_file.write_bytes(protocol.encode_record(job))
        seen = environment.reload(job._replace(artifact=str(artifact)), SECONDS)
    except (BrokenEnvironmentError, BadAnswerError) as error:
        raise PlainArtifactError(str(error)) from None
    finally:
        environment.close()
    # what did not load the first time has nothing to be compared with: its check shows why
    if seen.observation is None and given.outputs is not None:
        job = job._replace(checks=[OUTPUTS])  # nothing else is known of it
        job_file.write_bytes(protocol.encode_record(job))
    parts = _parts(seen.observation or {"": {}}, given)
    recorded.write(str(bundle), Recorded(seen.versions, parts, False, None, None))
    hashes = bundle_files.hashes(str(bundle))
    origins.write(str(bundle), Origin(test=bundle.name, format=fmt.name, sha256=hashes))
    return bundle


def _copied(path: Path, artifact: Path) -> Format:
    """Copy it to where a format looks for it; the format."""
    if path.is_dir():
        shutil.copytree(path, artifact)
        return SavedModelFormat()
    fmt = FORMATS[path.suffix]()
    artifact.mkdir(parents=True)
    shutil.copyfile(path, artifact / fmt.filename)
    return fmt


def _job(given: Given, fmt: Format, environment: Environment) -> Job:
    major = _keras_major(given.path, environment)
    batches = _batches(given, major)
    table = checks.table()
    made = [name for name in fmt.keeps if not table[name].slow]
    if not batches:
        made = [name for name in made if not table[name].calls_model]
    structure = calling.structure_of(_read(given.outputs)) if given.outputs else None
    settings = Settings(formats=(fmt.name,), imports=tuple(given.imports))
    part = PartJob(
        name="", keras_major=major, structure=structure, weight_paths=[], batches=batches
    )
    return job_of(fmt, settings, bundle_files.ARTIFACT, made, [part])


def _keras_major(path: Path, environment: Environment) -> int | None:
    """That of the Keras that wrote it, else the newest there; None for a SavedModel."""
    if path.is_dir():
        return None
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as opened:
                version = json.loads(opened.read("metadata.json"))["keras_version"]
            return keras_libs.numbers(version)[0]
        except Exception:  # whatever a damaged file makes of it
            pass  # its load says what is wrong with it
    there = environment.probe()
    majors = keras_libs.keras_majors(there.versions, there.installed)
    return majors[-1] if majors else None


def _batches(given: Given, major: int | None) -> list[Batch]:
    if given.inputs is None:
        return []
    kwargs = {} if major is None else {"training": False}
    inputs = _read(given.inputs)
    return [Batch(GIVEN, inputs if isinstance(inputs, list) else [inputs], kwargs)]


def _read(path: Path) -> Plain:
    """One array, several by position as `numpy.savez(path, x, y)` names them, or a dict of them."""
    try:
        with np.load(path, allow_pickle=False) as opened:
            arrays: dict[str, Array] = dict(opened)
    except Exception as error:  # whatever another or a damaged file makes of it
        raise PlainArtifactError(f"{path} is not an .npz file of plain arrays: {error}") from None
    arrays = {name: _strings(array) for name, array in arrays.items()}
    if set(arrays) == {f"arr_{number}" for number in range(len(arrays))}:
        listed = [arrays[f"arr_{number}"] for number in range(len(arrays))]
        return listed[0] if len(listed) == 1 else listed
    return arrays


def _strings(array: Array) -> Array:
    """Strings as models take them: objects of bytes."""
    if array.dtype.kind == "U":
        array = np.char.encode(array, "utf-8")
    return array.astype(object) if array.dtype.kind == "S" else array


def _parts(seen: dict[str, dict[str, Plain]], given: Given) -> dict[str, dict[str, Plain]]:
    """What was seen, with hashes of weights, and with the outputs that are wanted."""
    digests = Digests()
    parts = {part: recorded.hashed(plain, digests) for part, plain in seen.items()}
    if given.outputs is not None:
        for plain in parts.values():
            plain.update(observation_of({GIVEN: _read(given.outputs)}))
    return parts
