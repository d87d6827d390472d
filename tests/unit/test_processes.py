"""`portable.processes`: whoever is killed, all below is ended; nobody needs to see it."""

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

from pytest_modelroundtrip.portable import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")

SOURCE = inspect.getsource(processes)
# two supervisors, and what they watch: it starts a daemon, prints the numbers of all, and waits
WATCHED = """
import subprocess
supervise({folder!r}, {status!r})
supervise()
daemon = subprocess.Popen(["setsid", "sleep", "1000"], stdout=subprocess.DEVNULL, pass_fds=[{held}])
outer = os.getppid()
with open("/proc/%d/stat" % outer) as source:
    above = int(source.read().rpartition(")")[2].split()[1])
print(above, outer, os.getpid(), flush=True)
{then}
"""
WAITS, ENDS = "time.sleep(1000)", "os._exit(7)"


class Tree:
    """Two supervisors, their process and its daemon; all of them hold a pipe open."""

    def __init__(self, folder: Path, then: str) -> None:
        (folder / "scratch").mkdir()
        self.scratch, self.status = folder / "scratch", folder / "scratch" / "status"
        self.held, held = os.pipe()
        code = SOURCE + WATCHED.format(
            folder=str(self.scratch), status=str(self.status), held=held, then=then
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
    made = Tree(tmp_path, getattr(request, "param", WAITS))
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


def test_it_ends_at_once_where_it_is_asked_to(tree: Tree) -> None:
    tree.process.terminate()
    assert tree.has_ended()


def test_it_ends_where_nobody_listens_any_more(tree: Tree) -> None:
    assert tree.process.stdin is not None
    tree.process.stdin.close()
    assert tree.has_ended()


@pytest.mark.parametrize("tree", [ENDS], indirect=True)
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
