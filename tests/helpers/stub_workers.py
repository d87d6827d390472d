"""Workers made for a test, which answer as it says; the real bootstrap starts them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from pytest_modelroundtrip.environments import (
    HERE,
    Environment,
)
from pytest_modelroundtrip.portable.protocol import (
    Interpreter,
    Machine,
)

INTERPRETER = Interpreter(
    {"python": "3"}, [], Machine("Linux", "a", [], 1), [], 2.5, "Landlock 7", True
)
# it answers each request with the same messages; the first one with others, where the file exists
WORKER = """
import os

def serve(channel, archive, scratch):
    for request in channel:
        is_first = os.path.exists({file!r})
        if is_first:
            os.remove({file!r})
        for message in {first!r} if is_first else {messages!r}:
            channel.send(message)
"""


def archive_of(worker: str) -> bytes:
    """What travels: a package with that worker alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("pytest_modelroundtrip/__init__.py", "")
        archive.writestr("pytest_modelroundtrip/portable/__init__.py", "")
        archive.writestr("pytest_modelroundtrip/portable/worker.py", worker)
    return buffer.getvalue()


def stub_archive(
    messages: list[object], first: Sequence[object] = (), file: str = "/nowhere/file"
) -> bytes:
    """What travels: a worker that answers each request with these messages."""
    return archive_of(WORKER.format(messages=messages, first=first, file=file))


def environment(archive: bytes, isolation: str = "fork") -> Environment:
    return Environment("a", HERE, archive, isolation)
