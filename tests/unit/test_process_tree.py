"""The processes below one: whoever is killed, all are ended, also where nobody looks on."""

from __future__ import annotations

import inspect
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_modelroundtrip.environments.environment import GRACE_SECONDS
from pytest_modelroundtrip.portable.processes import process_tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")

SOURCE = inspect.getsource(process_tree)
# two supervisors, and what they watch: it starts a daemon, prints the numbers of all, and waits
WATCHED = """
import subprocess
supervise({folder!r}, {status!r}, patience=10000)
supervise()
daemon = subprocess.Popen(["setsid", "sleep", "1000"], stdout=subprocess.DEVNULL, pass_fds=[{held}])
outer = os.getppid()
with open("/proc/%d/stat" % outer) as source:
    above = int(source.read().rpartition(")")[2].split()[1])
{first}
print(above, outer, os.getpid(), flush=True)
{then}
"""
WAITS, ENDS = "time.sleep(1000)", "os._exit(7)"
STOPS = "os.kill(outer, signal.SIGSTOP)"


class Tree:
    """Two supervisors, their process and its daemon; all of them hold a pipe open."""

    def __init__(self, folder: Path, then: str = WAITS, first: str = "") -> None:
        (folder / "scratch").mkdir()
        self.scratch, self.status = folder / "scratch", folder / "scratch" / "status"
        self.held, held = os.pipe()
        code = SOURCE + WATCHED.format(
            folder=str(self.scratch), status=str(self.status), held=held, then=then, first=first
        )
        self.process = subprocess.Popen(
            [sys.executable, "-ISc", code],
            pass_fds=[held],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        os.close(held)
        assert self.process.stdout is not None
        self.outer, self.inner, self.watched = map(int, self.process.stdout.readline().split())

    def has_ended(self) -> bool:
        """Whether nothing of it is left, after some time."""
        return bool(select.select([self.held], [], [], 20)[0]) and os.read(self.held, 1) == b""

    def close(self) -> None:
        """End what is left."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        os.close(self.held)


@pytest.fixture
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tree]:
    made = Tree(tmp_path, **getattr(request, "param", {}))
    yield made
    made.close()


@pytest.mark.parametrize("killed", ["outer", "inner", "watched"])
def test_whoever_is_killed_the_rest_ends(tree: Tree, killed: str) -> None:
    os.kill(getattr(tree, killed), signal.SIGKILL)
    assert tree.has_ended()
    tree.process.wait(20)
    assert tree.process.returncode == -signal.SIGKILL
    if killed != "outer":
        assert tree.status.read_text() == "signal 9 (SIGKILL)"


def test_no_limit_is_exceeded_by_more_than_is_promised() -> None:
    """By a reload whose interpreter does not answer, and cannot be asked to end."""
    assert GRACE_SECONDS + process_tree.ASK_SECONDS <= 5


def test_it_ends_at_once_where_it_is_asked_to(tree: Tree) -> None:
    tree.process.terminate()
    assert tree.has_ended()


def test_it_ends_what_it_forked_where_it_is_asked_to_end_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    code = f"""{SOURCE}
def fork(really=os.fork):
    pid = really()
    if pid:
        os.kill(os.getpid(), signal.SIGTERM)
    return pid

os.fork = fork
supervise({str(tmp_path / "scratch")!r})
time.sleep(60)
"""
    command = [sys.executable, "-ISc", code]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=20)
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("tree", [{"first": STOPS}], indirect=True)
def test_a_supervisor_that_was_stopped_ends_with_the_one_above(tree: Tree) -> None:
    os.kill(tree.outer, signal.SIGKILL)
    assert tree.has_ended()


@pytest.mark.parametrize("tree", [{"first": STOPS}], indirect=True)
def test_a_supervisor_that_was_stopped_is_asked_as_well(tree: Tree) -> None:
    tree.process.terminate()
    assert tree.has_ended()


def test_those_are_asked_too_that_started_by_a_command_that_cannot_be_asked(tmp_path: Path) -> None:
    """They clean up: that is why they are asked, and not killed."""
    inner = f"{SOURCE}\nsupervise({str(tmp_path / 'inner')!r})\nprint(1, flush=True)\n{WAITS}"
    (tmp_path / "inner").mkdir()
    code = (
        f"{SOURCE}\nimport subprocess\nsupervise(patience=10000)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.run([sys.executable, '-ISc', {inner!r}])"
    )
    command = [sys.executable, "-ISc", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outer:
        assert outer.stdout is not None
        outer.stdout.readline()
        outer.terminate()
        outer.wait(60)
    assert not (tmp_path / "inner").exists()


def test_what_is_printed_is_bounded(tmp_path: Path) -> None:
    with open(tmp_path / "log", "ab") as log:
        code = (
            f"{SOURCE}\nMAX_OUTPUT = 1000\nsupervise(log=2)\nos.write(2, bytes(2000))\n"
            "while os.fstat(2).st_size > 1000: time.sleep(0.01)"
        )
        command = [sys.executable, "-ISc", code]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=log, timeout=60)
        assert not done.returncode


def test_it_ends_when_its_listener_is_gone(tree: Tree) -> None:
    assert tree.process.stdin is not None
    tree.process.stdin.close()
    assert tree.has_ended()


@pytest.mark.parametrize("tree", [{"then": ENDS}], indirect=True)
def test_it_ends_as_its_process_does_and_what_that_left_ends_too(tree: Tree) -> None:
    assert tree.has_ended()
    assert tree.process.wait(20) == 7
    assert tree.status.read_text() == "exit status 7"


def test_without_a_parent_it_removes_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    read, held = os.pipe()
    code = (
        f"{SOURCE}\nsupervise({str(folder)!r}, {str(folder / 'status')!r})\n"
        "print(1, flush=True); time.sleep(1000)"
    )
    starts = (
        "import os, subprocess, sys\n"
        f"started = subprocess.Popen([sys.executable, '-ISc', {code!r}], pass_fds=[{held}],\n"
        "    stdout=subprocess.PIPE)\nstarted.stdout.readline()\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", starts], pass_fds=[held], stdin=subprocess.DEVNULL)
    os.close(held)
    assert select.select([read], [], [], 20)[0]
    os.close(read)
    assert not folder.exists()


# in what is supervised: until the supervisor takes SIGTERM, its bit in the signals that are caught
SUPERVISOR_IS_READY = """
def caught():
    with open("/proc/%d/status" % os.getppid()) as source:
        return int(source.read().partition("SigCgt:")[2].split()[0], 16)

while not caught() & (1 << signal.SIGTERM - 1):
    time.sleep(0.01)
"""
# it starts a supervisor with a status, and ends when it is told to
PARENT = """
import subprocess, sys
started = subprocess.Popen(
    [sys.executable, "-ISc", {code!r}], pass_fds=[{held}], stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
)
started.stdout.readline()
print(started.pid, flush=True)
sys.stdin.read()
"""


def test_where_all_are_asked_to_end_and_the_parent_ends_last_it_removes_its_folder(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    status = folder / "status"
    read, held = os.pipe()
    code = (
        f"{SOURCE}\nLEAVE_SECONDS = 60\nsupervise({str(folder)!r}, {str(status)!r})\n"
        f"{SUPERVISOR_IS_READY}\n"
        "print(1, flush=True); time.sleep(1000)"
    )
    command = [sys.executable, "-c", PARENT.format(code=code, held=held)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, pass_fds=[held], stdin=pipe, stdout=pipe) as parent:
        os.close(held)
        assert parent.stdin is not None and parent.stdout is not None
        os.kill(int(parent.stdout.readline()), signal.SIGTERM)
        while not status.exists() or not status.read_text():  # which a parent that stays reads
            assert folder.exists()
        parent.stdin.close()
    assert select.select([read], [], [], 20)[0]
    os.close(read)
    assert not folder.exists()


def test_where_the_parent_stays_it_reads_how_the_asked_one_ended(tree: Tree) -> None:
    tree.process.terminate()
    assert tree.process.stdin is not None
    tree.process.stdin.close()  # as the plugin does, which then waits for the end
    tree.process.wait(20)
    assert tree.status.read_text().startswith("signal ")


def test_helpers_that_were_there_before_are_left_alone() -> None:
    code = f"""{SOURCE}
import subprocess
helper = subprocess.Popen(["sleep", "1000"])
others = started_already()
left = subprocess.Popen(["sleep", "1000"])
adopt_orphans()
subprocess.run(["sh", "-c", "setsid sleep 1000 &"])
end_descendants(but=others)
assert descendants(os.getpid()) == [helper.pid], descendants(os.getpid())
helper.kill()
"""
    subprocess.run([sys.executable, "-ISc", code], check=True)


def test_what_is_below_a_process_is_asked_to_end_after_it() -> None:
    """An interpreter that saw its reload end first would report that as a crash."""
    code = f"""{SOURCE}
import subprocess
order = [subprocess.Popen(["sleep", "1000"]).pid for _ in range(6)][::-1]
descendants = lambda *_: order
asked, send = [], kill

def kill(pid, number):
    if number == signal.SIGTERM:
        asked.append(pid)
    send(pid, number)

end_descendants(patience=60)
assert asked[:6] == order, (asked, order)
"""
    subprocess.run([sys.executable, "-ISc", code], check=True)


def test_those_below_come_after_their_parents() -> None:
    first = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}])"
    last = "print(1, flush=True); import sys; sys.stdin.read()"
    command = [sys.executable, "-c", first.format(first.format(last))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdin is not None and started.stdout is not None
        started.stdout.readline()
        below = process_tree.descendants(started.pid)
        assert [process_tree.descendants(pid) for pid in below] == [below[1:], below[2:]]
        started.stdin.close()


def test_a_folder_is_removed_however_deep_and_whatever_its_rights(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    folder = tmp_path / "folder"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed" / "file").touch()
    (folder / "closed").chmod(0o500)
    (folder / "link").symlink_to(outside)
    here = os.getcwd()
    os.chdir(folder)
    try:
        for _ in range(3000):  # deeper than Python recurses, and longer than a path may be
            os.mkdir("deep")
            os.chdir("deep")
            Path("file").touch()
    finally:
        os.chdir(here)
    process_tree.remove(str(folder))
    assert not folder.exists()
    process_tree.remove(str(folder))
    folder.symlink_to(outside)  # what a reload put in its place
    process_tree.remove(str(folder))
    assert not folder.is_symlink()
    assert (outside / "file").exists()
