"""A job with its paths on the other side: what cannot be read there is sent.

A container may see some folders of this machine and not others, so each of them is tried.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..portable import START_SECONDS, transfer
from ..portable.bundles import bundle_files
from ..portable.protocol import CanRead, Job, Readable
from .connection import Connection
from .provisioning import Notify

# the names of what is sent and fetched
ARTIFACT, SAVED_AGAIN = "artifact", "saved-again"


def job_there(connection: Connection, job: Job, shared: dict[str, bool], notify: Notify) -> Job:
    """The job as the other side is to do it.

    Args:
        connection: to the other side.
        job: with the paths of this side.
        shared: which folders of modules can be read there; what is found out is added.
        notify: called with the progress of what is large.

    Returns:
        The job. Its `save_to` is another one where the artifact was sent.
    """
    sees_job = _can_read(connection, Path(job.artifact).parent / bundle_files.JOB)
    paths = [
        folder
        if _can_read_modules(connection, folder, shared, sees_job)
        else connection.send_folder(folder, f"path{number}", notify)
        for number, folder in enumerate(job.setup.pythonpath)
    ]
    there = job._replace(setup=job.setup._replace(pythonpath=paths))
    if sees_job:
        return there
    return there._replace(
        artifact=connection.send_folder(job.artifact, ARTIFACT, notify),
        save_to=connection.folder_there(SAVED_AGAIN) if job.save_to else None,
    )


def _can_read_modules(
    connection: Connection, folder: str, shared: dict[str, bool], sees_job: bool
) -> bool:
    """Whether that folder can be read there; asked once.

    One that holds no file to ask for, or is gone, is treated as the artifact is.
    """
    if folder not in shared:
        file = transfer.small_file_in(folder)
        if file is None:
            return sees_job
        shared[folder] = _can_read(connection, Path(file))
    return shared[folder]


def _can_read(connection: Connection, file: Path) -> bool:
    request = CanRead(str(file), hashlib.sha256(file.read_bytes()).hexdigest())
    return connection.ask(request, Readable, START_SECONDS).readable
