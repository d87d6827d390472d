"""A disk that is full, a temporary folder that cannot be written, too few descriptors."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from faults.rig import ANOTHER_USER, FaultyRun, linux
from faults.rows import ROWS, Row, add_row

pytestmark = [
    linux,
    pytest.mark.slow,
    pytest.mark.skipif(not ROWS, reason="tried by `tox -e faults`"),
]

MOUNT = 'mount -t tmpfs -o {} none "$0"'
FULL = "No space left on device"
FILLS = "open('x', 'wb').write(bytes(10 ** 8))"
# fills it without an error: then there is no room for the answer
LEAVES_NO_ROOM = """
file = open('x', 'wb', 0)
try:
    while True:
        file.write(bytes(4096))
except OSError:
    pass
"""
# the artifact is larger than the disk
HEAVY = 'test_it = round_trip_of({"save": "pass", "x": "x" * 10 ** 8})\n'
DISKS = {
    "a reload fills the disk": (f'test_it = round_trip_of({{"load": {FILLS!r}}})\n', "scratch"),
    "the answer does not fit on the disk": (
        f'test_it = round_trip_of({{"observe": {LEAVES_NO_ROOM!r}}})\n',
        "scratch",
    ),
    "the artifact does not fit on the disk": (HEAVY, "run"),
}


def mounted(folder: Path, options: str) -> list[str]:
    """The words before a command that mount a file system of its own on a folder."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1)")
    script = f'{MOUNT.format(options)} && exec "$@"'
    words = ["unshare", "-rm", "sh", "-c", script, str(folder)]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
    return words


def assert_handled(run: FaultyRun, fault: str, says: str) -> None:
    """Assert what the first round trip of a run came to, and that the second one is good."""
    records, left = run.records(), run.left()
    first, after = records["it"], records["after"]
    assert says in first.text and first.verdict != "none", first
    assert after.verdict == "exact" and not left and not first.left and not after.left
    add_row(Row(fault, first.verdict, None, len(left), after.verdict))


@pytest.mark.parametrize(
    "fault",
    [
        "a reload fills the disk",
        "the answer does not fit on the disk",
        "the artifact does not fit on the disk",
    ],
)
def test_a_disk_that_is_full(tmp_path: Path, fault: str) -> None:
    source, where = DISKS[fault]
    run = FaultyRun(tmp_path)
    test = run.write(source + "\ntest_after = round_trip_of({})\n")
    run.start(test, before=mounted(tmp_path / where, "size=4m")).wait()
    assert_handled(run, fault, FULL)


def test_a_temporary_folder_that_cannot_be_written(tmp_path: Path) -> None:
    run = FaultyRun(tmp_path)
    test = run.write("test_it = round_trip_of({})\ntest_after = round_trip_of({})\n")
    run.start(test, before=mounted(run.scratch, "size=4m,ro")).wait()
    assert_handled(run, "TMPDIR cannot be written: Python's next one is used", "")


def test_a_temporary_folder_that_becomes_read_only(tmp_path: Path) -> None:
    run = FaultyRun(tmp_path)
    test = run.write(READ_ONLY + "test_after = round_trip_of({})\n")
    run.start(test, before=mounted(run.scratch, "size=4m")).wait()
    fault = "during the run, TMPDIR becomes an empty folder that cannot be written"
    assert_handled(run, fault, "Read-only file system")


def test_too_few_processes_here(tmp_path: Path) -> None:
    run = FaultyRun(tmp_path)
    test = run.write(LIMITED.format(before=KILLING, limit="RLIMIT_NPROC", number=1))
    user = shlex.split(ANOTHER_USER) if os.geteuid() == 0 else []
    run.start(test, before=user).wait()
    fault = "the test process may start no more processes (RLIMIT_NPROC)"
    assert_handled(run, fault, "raise the limit of processes")


def test_too_few_descriptors_here(tmp_path: Path) -> None:
    run = FaultyRun(tmp_path)
    run.start(run.write(LIMITED.format(before="", limit="RLIMIT_NOFILE", number=3))).wait()
    assert_handled(run, "the test process has no descriptors left", "Too many open files")


READ_ONLY = """
import os, subprocess

test_before = round_trip_of({})
TMPDIR = os.environ["TMPDIR"]

@pytest.fixture
def read_only():
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", TMPDIR], check=True)
    yield
    subprocess.run(["umount", TMPDIR], check=True)

@pytest.mark.roundtrip(formats=["faulty"])
def test_it(read_only):
    return Faulty({}), np.ones(2)

"""
LIMITED = """
import resource

test_before = round_trip_of({{}})  # imports what it needs
{before}
usual = resource.getrlimit(resource.{limit})

@pytest.fixture
def few():
    resource.setrlimit(resource.{limit}, ({number}, usual[1]))
    yield
    resource.setrlimit(resource.{limit}, usual)

@pytest.mark.roundtrip(formats=["faulty"])
def test_it(few):
    return Faulty({{}}), np.ones(2)

test_after = round_trip_of({{}})
"""
# after it an interpreter has to be started
KILLING = 'test_killing = round_trip_of({"load": "os.kill(os.getppid(), 9)"}, confinement="off")'
