"""A bundle that reloads itself in a fork, and is ended meanwhile."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_modelroundtrip.portable.processes import process_tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")

STANDALONE = """
import os, signal, sys, time
from pytest_modelroundtrip.portable.bundles import standalone
from pytest_modelroundtrip.portable.reload_processes import child

def wait(folder):
    print(folder, flush=True)
    time.sleep(1000)

standalone._read = lambda *_: None
standalone._check = lambda found, store, folder: child.in_fork(lambda: wait(folder))
standalone.main("bundle", [])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_bundle_that_reloads_itself_leaves_no_process(number: signal.Signals) -> None:
    command = [sys.executable, "-c", STANDALONE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as alone:
        assert alone.stdout is not None
        folder = Path(alone.stdout.readline().strip())
        alone.send_signal(number)
        assert select.select([alone.stdout], [], [], 20)[0]
        assert alone.stdout.read() == ""  # the reload itself, which holds it too, has ended
    if number == signal.SIGTERM:
        assert alone.returncode == 143
        assert not folder.exists()
    process_tree.remove(str(folder))


# it has another thread, which takes a signal that the main one has blocked
IN_THE_FORK = STANDALONE.replace(
    "standalone.main",
    "import threading\nthreading.Thread(target=time.sleep, args=[1000], daemon=True).start()\n"
    "def end_and_go_on():\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(0.2)\n"
    "os.register_at_fork(after_in_parent=end_and_go_on)\n"
    "standalone.main",
)


def test_a_bundle_that_is_ended_as_it_forks_ends() -> None:
    command = [sys.executable, "-c", IN_THE_FORK]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 143
    assert not done.stdout or not Path(done.stdout.strip()).exists()
