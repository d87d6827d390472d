"""What a fault is: what is injected, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """Code that a model runs in one step of its round trip."""

    injected: str  # in words
    body: str
    says: str  # words that are to be found in the problems, the hint or the detail
    verdict: str = "crashed"
    step: str = "load"  # "import", "load", "observe", "save again", "save"
    options: Mapping[str, Any] = {}  # of the marker
    is_quick: bool = True  # the others are for `tox -e faults`


class Interpreter(NamedTuple):
    """An interpreter that has a fault of its own."""

    injected: str
    says: str
    verdict: str = "environment broken"
    command: str = ""  # what env(1) starts, which ends in "{python}"; "": that alone
    body: str = ""  # what its TensorFlow does as it is imported
    is_quick: bool = True


SHORT = {"timeout": 3}
OPEN = {"confinement": "off"}  # so that it reaches what is not its own
AGAIN = {"generations": 2}
DAEMON = "subprocess.Popen(['setsid', 'sleep', '31415']); "
PARENT = (
    "def parent(pid): return int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1])\n"
)
# finds the pipe to the test process that a process has open, where that can be written to
LINE = """
def is_line(fd):
    if not os.path.realpath(f'{process}/fd/{fd}').rpartition('/')[2].startswith('pipe:'):
        return False
    return int(open(f'{process}/fdinfo/{fd}').read().split()[3], 8) & os.O_WRONLY
line = os.open(f'{process}/fd/' + min(filter(is_line, os.listdir(f'{process}/fd')), key=int), 1)
"""
ABOVE = "process = f'/proc/{os.getppid()}'\n"
TIMED_OUT = "the reload took more than 3 s, in the step 'load'; it was killed"
NO_ANSWER = "exit status 0, before it answered"
