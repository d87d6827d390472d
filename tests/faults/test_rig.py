"""What is left is noticed."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

from faults.inner.watching import TOKEN, marked_processes, scratch_files
from faults.rig import linux

pytestmark = linux


def test_marked_processes_are_found() -> None:
    token = uuid.uuid4().hex
    with subprocess.Popen(
        ["/bin/sh", "-c", "echo; read line"],
        env={TOKEN: token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as marked:
        assert marked.stdout is not None
        marked.stdout.readline()  # it has begun
        assert marked_processes(token) == {marked.pid: "/bin/sh -c echo; read line "}
    assert not marked_processes(token)


def test_files_are_counted_without_random_names(tmp_path: Path) -> None:
    for name in ("roundtrip-12345678", "roundtrip-abcdefgh"):
        (tmp_path / name / "tmp_1234567").mkdir(parents=True)
        (tmp_path / name / "tmp_1234567" / "left").touch()
    assert scratch_files(tmp_path, but=[]) == {"*/*/left": 2}
    assert scratch_files(tmp_path, but=[str(tmp_path / "roundtrip-12345678")]) == {"*/*/left": 1}
