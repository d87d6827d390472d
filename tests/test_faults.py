"""Faults that are injected into a load: each is one verdict that names its cause, nothing is left,
and the next round trip is good.
"""

from __future__ import annotations

import re
import subprocess
from typing import NamedTuple

import pytest
from inner_runs import Run, adding_formats


class Fault(NamedTuple):
    """What a load does, and what is to be said of it."""

    body: str
    says: str
    options: str = ""  # of the marker


# what each of them leaves behind, where it can, is a `sleep` of that many seconds
DAEMON = "subprocess.Popen(['setsid', 'sleep', '31415']); "
HERE = "folder = os.path.dirname(os.environ['HOME']); "  # of the child
FAULTS = {
    "leaves_a_daemon": Fault(DAEMON + "os._exit(0)", "exit status 0, before it answered"),
    "hangs_with_a_daemon": Fault(DAEMON + "time.sleep(1000)", "took more than 3 s, in the step"),
    "kills_the_worker": Fault(
        DAEMON + "os.kill(os.getppid(), 9); time.sleep(1000)",
        "it ended with signal 9 (SIGKILL)",
        "confinement='off', ",
    ),
    "stops_the_worker": Fault(
        DAEMON + "os.kill(os.getppid(), signal.SIGSTOP)",
        "the end of the reload was waited for 8 s",
        "confinement='off', ",
    ),
    "answers_with_a_pipe": Fault(
        HERE + "os.mkfifo(folder + '/answer'); os._exit(0)", "answer is no plain file"
    ),
    "answers_with_a_device": Fault(
        HERE + "os.symlink('/dev/zero', folder + '/answer'); os._exit(0)", "answer is a link"
    ),
    "answers_and_hangs": Fault(
        HERE + "from pytest_modelroundtrip.portable import protocol; "
        "answer = protocol.Reloaded({}, {}, observation={'': {}}); "
        "open(folder + '/answer', 'wb').write(protocol.encode_record(answer)); time.sleep(1000)",
        "took more than 3 s, in the step 'load'",
    ),
    "nests_folders": Fault(
        "[(os.mkdir('a'), os.chdir('a')) for _ in range(2000)]; os._exit(6)", "exit status 6"
    ),
    "prints_into_a_pipe": Fault(
        HERE + "os.remove(folder + '/output'); os.mkfifo(folder + '/output'); os._exit(4)",
        "exit status 4",
    ),
    "replaces_exit": Fault(
        "os._exit = lambda status: None; raise RuntimeError('still told')", "still told"
    ),
    "removes_the_scratch_folder": Fault(
        HERE + "shutil.rmtree(os.path.dirname(folder)); os._exit(5)",
        "exit status 5",
        "confinement='off', ",
    ),
    "takes_memory": Fault(
        "b = bytearray(3 << 30); time.sleep(1000)",
        "beyond the memory limit",
        "memory_limit='2GB', ",
    ),
    "hangs_in_an_import": Fault("", "in the step 'import'", "imports=['that_hangs'], "),
}
FORMAT = '''
class {cls}(H5Format):
    """A fault."""

    name = "{name}"

    def load(self, folder, options):
        {body}
'''
TESTS = """
@pytest.mark.roundtrip({options}formats=["{name}"], timeout=3)
def test_{name}():
    return dense()

@pytest.mark.roundtrip(formats=["h5"])
def test_after_{name}():
    return dense()
"""


def test_each_fault_is_one_verdict_and_the_next_round_trip_is_good(
    run: Run, pytester: pytest.Pytester
) -> None:
    header = (
        '"""Faults."""\nimport os, shutil, signal, subprocess, time\n'
        "from pytest_modelroundtrip.portable.formats.h5 import H5Format\n"
    )
    classes = {name: name.title().replace("_", "") for name in FAULTS}
    formats = [
        FORMAT.format(cls=classes[name], name=name, body=fault.body or "pass")
        for name, fault in FAULTS.items()
    ]
    pytester.makepyfile(faulty=header + "".join(formats))
    pytester.syspathinsert()
    pytester.mkdir("lib").joinpath("that_hangs.py").write_text("import time; time.sleep(1000)")
    pytester.makeini("[pytest]\nroundtrip_pythonpath = lib\n")
    pytester.makeconftest(adding_formats(*(f"faulty:{cls}" for cls in classes.values())))
    tests = [TESTS.format(name=name, options=fault.options) for name, fault in FAULTS.items()]
    result = run("".join(tests))
    result.assert_outcomes(passed=len(FAULTS), failed=len(FAULTS))
    text = result.stdout.str()
    for name, fault in FAULTS.items():
        (shown,) = re.findall(rf"_ test_{name}\[{name}\] _+\n(.*?)\n_____", text + "\n_____", re.S)
        assert fault.says in " ".join(shown.split()), shown
    assert not subprocess.run(["pgrep", "-f", "^sleep 31415"], capture_output=True).stdout
