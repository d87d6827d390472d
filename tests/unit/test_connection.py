"""`environments.connection`: what happens when the other side answers badly, late or not at all.

The other side is the real bootstrap with a worker made for the test, or the real worker.
"""

from __future__ import annotations

import errno
import gc
import os
import resource
import select
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
from stub_workers import INTERPRETER, archive_of, environment, stub_archive

from pytest_modelroundtrip.environments import (
    HERE,
    BadAnswerError,
    BrokenEnvironmentError,
    Environment,
    launch,
)
from pytest_modelroundtrip.environments.archive import portable_archive
from pytest_modelroundtrip.environments.connection import Connection, ConnectionEndedError
from pytest_modelroundtrip.environments.specification import parse
from pytest_modelroundtrip.portable.processes import process_tree
from pytest_modelroundtrip.portable.protocol import (
    CanRead,
    Done,
    Failed,
    FailedError,
    Interpreter,
    Probe,
    Readable,
    Refused,
    encode_record,
)

pytestmark = pytest.mark.slow


def test_an_answer_in_chunks_is_one() -> None:
    data = encode_record(INTERPRETER)
    messages: list[object] = [3, data[:10], data[10:20], data[20:]]
    for isolation in ("fork", "spawn"):
        probed = environment(stub_archive(messages), isolation)
        assert probed.probe() == INTERPRETER
        assert probed.probe() is probed.probe()
        probed.close()


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([1, b"junk"], "4 bytes"),
        ([0], "0 bytes"),
        ([2, encode_record(INTERPRETER), b"more"], "4 bytes too many"),
        ([1, encode_record(INTERPRETER)[:-1]], "sent an answer that cannot be read"),
        ([1.0, b""], "gave no answer: it sent bytes that are not a message: b'D?"),
        (["1", b""], "int is expected, not str"),
        ([b"1"], "int is expected, not bytes"),
        ([None], "int is expected, not NoneType"),
        ([-1], "-1 chunks are not possible"),
        ([257], "257 chunks are not possible"),
        ([2**31 - 1], "chunks are not possible"),
        ([10**30], "it sent bytes that are not a message"),
        ([1, "text"], "bytes is expected, not str"),
        ([1, 10**9], "bytes is expected, not int"),
        ([1, encode_record(Done())], "Interpreter is expected, not 'Done'"),
        ([1, encode_record(Refused("it is torn"))], "could not read the request: it is torn"),
        (
            [1, encode_record(INTERPRETER._replace(installed="all"))],  # type: ignore[arg-type]
            "Interpreter.installed: a list is expected, not str",
        ),
    ],
)
def test_an_answer_that_cannot_be_read_ends_the_interpreter(
    messages: list[object], reason: str
) -> None:
    bad = environment(stub_archive(messages))
    with pytest.raises(BadAnswerError) as raised:
        bad.probe()
    assert reason in str(raised.value)
    assert str(raised.value).startswith(f"{bad.description} ")
    assert bad._connection is None


def test_after_a_bad_answer_it_starts_anew(tmp_path: Path) -> None:
    (tmp_path / "first").touch()
    good: list[object] = [1, encode_record(INTERPRETER)]
    probed = environment(stub_archive(good, [1, b"junk"], str(tmp_path / "first")))
    with pytest.raises(BadAnswerError):
        probed.probe()
    assert probed.broken is None
    assert probed.probe() == INTERPRETER
    probed.close()


def test_a_test_that_is_cut_off_leaves_no_answer_behind(tmp_path: Path) -> None:
    """The next one speaks with a new interpreter."""

    def cut_off(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        pytest.fail("cut off, as by a time limit of the test")

    (tmp_path / "first").touch()
    good: list[object] = [1, encode_record(INTERPRETER)]
    probed = environment(stub_archive(good, [], str(tmp_path / "first")))
    probed.begin()
    before = signal.signal(signal.SIGALRM, cut_off)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1)
        with pytest.raises(pytest.fail.Exception, match="cut off"):
            probed.probe()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert probed._connection is None
    assert probed.probe() == INTERPRETER
    probed.close()


def test_one_that_ends_is_broken_for_good() -> None:
    """It is not started again for each test."""
    source = "import os\n\ndef serve(channel, archive, scratch):\n    os._exit(3)\n"
    ended = environment(archive_of(source))
    with pytest.raises(BrokenEnvironmentError, match="it ended with exit status 3"):
        ended.probe()
    assert ended.broken is not None


def test_one_without_keras_is_not_broken_for_what_needs_none() -> None:
    bare = INTERPRETER._replace(broken=["tensorflow: ModuleNotFoundError"])
    probed = environment(stub_archive([1, encode_record(bare)]))
    for _ in range(2):
        with pytest.raises(BrokenEnvironmentError, match="tensorflow: ModuleNotFoundError"):
            probed.probe()
        assert probed.probe(for_keras=False) == bare
    assert probed.broken is None and probed.without_keras is not None
    probed.close()


def test_too_few_descriptors_on_this_side_are_no_fault_of_the_interpreter() -> None:
    """They are told as they are, and the next test tries again."""
    probed = environment(stub_archive([1, encode_record(INTERPRETER)]))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError) as raised:
            probed.probe()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised.value.errno == errno.EMFILE
    assert probed.broken is None and probed.probe() == INTERPRETER
    probed.close()


def test_one_that_does_not_answer_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\nsleep 100 >"$(dirname "$0")/held" & wait\n')
    wrapper.chmod(0o755)
    os.mkfifo(tmp_path / "held")
    # ends with the last process that writes to it
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    kind = parse(f"popen//python={wrapper} x", tmp_path)
    silent = Environment("silent", kind, b"", "fork", connect_seconds=6)
    message = "cannot be started: it did not answer for 6 s"
    with pytest.raises(BrokenEnvironmentError, match=message):
        silent.probe()
    try:
        assert select.select([held], [], [], 30)[0]
        assert os.read(held, 1) == b""
    finally:
        os.close(held)


DEAF = """#!{python}
import os, time
os.read(0, 1 << 16)
os.write(1, b"1")  # the answer that execnet expects; nothing more is read
time.sleep(1000)
"""


def test_one_that_takes_nothing_is_ended(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(DEAF.format(python=sys.executable))
    wrapper.chmod(0o755)
    kind = parse(f"popen//python={wrapper} x", tmp_path)
    deaf = Environment("deaf", kind, bytes(10**7), "fork", connect_seconds=6)
    with pytest.raises(BrokenEnvironmentError, match="it did not read the request within 6 s"):
        deaf.probe()


def test_one_behind_a_wrapper_that_prints_is_ended(tmp_path: Path) -> None:
    """At once: not only when the error is forgotten, which a fixture of a test may hold."""
    first = tmp_path / "first.py"
    first.write_text(
        "import os, sys\n"
        "print('welcome', flush=True)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    others = process_tree.started_already()
    kind = parse(f"popen//python={sys.executable} {first}", tmp_path).resolved(print)
    message = r"cannot be started: something prints before its Python starts: b'welcome\\n'"
    with pytest.raises(ConnectionEndedError, match=message):
        Connection(kind, portable_archive([]), 60)
    assert not process_tree.descendants(os.getpid(), but=others)


def test_a_python_behind_a_wrapper_that_is_too_old_is_named(tmp_path: Path) -> None:
    old = tmp_path / "old.py"  # as a Python 3.7 answers; there need be none on this machine
    old.write_text("import sys\nsys.version_info = (3, 7)\nexec(sys.argv[-1])\n")
    kind = parse(f"popen//python={sys.executable} {old}", tmp_path).resolved(print)
    with pytest.raises(ConnectionEndedError, match=r"it is Python 3\.7; 3\.8 or newer is needed"):
        Connection(kind, portable_archive([]), 60)


def test_one_behind_a_wrapper_that_is_ended_removes_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    kind = parse(f"popen//python=env {sys.executable}", tmp_path).resolved(print)
    wrapped = Connection(kind, portable_archive([]), 60)
    assert Path(wrapped.folder_there("x")).parent.parent == tmp_path
    launch.end(wrapped._scratch)
    wrapped.close()
    assert not list(tmp_path.iterdir())


def test_what_its_system_refuses_is_reported_and_the_next_request_is_answered(
    tmp_path: Path,
) -> None:
    (tmp_path / "first").touch()
    good: list[object] = [1, encode_record(INTERPRETER)]
    refused: list[object] = [1, encode_record(Failed("Too many open files: /tmp/x"))]
    probed = environment(stub_archive(good, refused, str(tmp_path / "first")))
    with pytest.raises(BrokenEnvironmentError, match="Too many open files: /tmp/x"):
        probed.probe()
    assert probed.broken is None
    assert probed.probe() == INTERPRETER
    probed.close()


@pytest.mark.parametrize(
    "made",
    ["os.mkfifo({})", "os.symlink({another!r}, {})", "os.link({another!r}, {})", "os.mkdir({})"],
)
def test_what_it_makes_of_its_log_is_not_used(made: str, tmp_path: Path) -> None:
    """Where nothing confines it, it reaches the files that are kept of it on this side."""
    another = tmp_path / "another"
    another.write_text("of somebody else")
    source = (
        "import os\n\ndef serve(channel, archive, scratch):\n"
        "    above = os.path.dirname(scratch)\n"
        "    for name in ('log', 'status', 'supervisor'):\n"
        "        path = os.path.join(above, name)\n"
        "        os.path.lexists(path) and os.remove(path)\n"
        f"        {made.format('path', another=str(another))}\n"
        "    os._exit(3)\n"
    )
    hostile = environment(archive_of(source))
    with pytest.raises(BrokenEnvironmentError, match=": it ended") as raised:
        hostile.probe()
    assert "somebody" not in str(raised.value) or "os.link" in made
    assert another.read_text() == "of somebody else"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set on Linux")
def test_too_few_descriptors_there_are_no_other_file_system(connection: Connection) -> None:
    here = CanRead(__file__, "")
    assert not connection.ask(here, Readable, 60).readable
    supervisor = int((connection._scratch / launch.SUPERVISOR).read_text())
    for pid in process_tree.descendants(supervisor):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3))
    with pytest.raises(FailedError, match="Too many open files"):
        connection.ask(here, Readable, 60)


def test_a_closed_connection_ends_its_interpreter_and_removes_its_folder() -> None:
    connection = Connection(HERE, stub_archive([1, encode_record(INTERPRETER)]), 60)
    scratch = Path(connection.folder_there("x")).parent
    assert scratch.exists()
    assert connection.ask(Probe([], []), Interpreter, 60) == INTERPRETER
    connection.close()
    connection.close()
    assert not scratch.exists()
    with pytest.raises(ConnectionEndedError, match="is gone"):
        connection.ask(Probe([], []), Interpreter, 60)


def test_an_error_that_is_not_waited_for_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """By execnet: as it is, with its control characters."""
    source = "def serve(channel, archive, scratch):\n    raise ValueError('\\x1b[2J')\n"
    connection = Connection(HERE, archive_of(source), 60)
    assert connection._channel._receiveclosed.wait(30)
    connection.close()
    del connection
    gc.collect()
    assert capfd.readouterr().err == ""


def test_variables_and_folders_need_not_be_utf8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user has in `PATH` or `TMPDIR` ends no run."""
    odd = os.fsdecode(b"\xff\n")
    (tmp_path / odd).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / odd))
    for name in ("PATH", "TF_CPP_VMODULE", "LC_NAME", "MY_OWN"):
        monkeypatch.setenv(name, f"{os.environ.get(name, '')}:{odd}")
    worker = (
        "import os\n\ndef serve(channel, archive, scratch):\n    for _ in channel:\n"
        "        channel.send(1)\n"
        "        channel.send(os.environb[b'LC_NAME'] + os.environb[b'MY_OWN'])\n"
    )
    connection = Connection(replace(HERE, pass_env=("MY_*",)), archive_of(worker), 60)
    assert tmp_path / odd in Path(connection.folder_there("x")).parents
    connection.send_request(Probe([], []))
    assert connection._message(60) == b":\xff\n:\xff\n"
    connection.close()
    assert not list((tmp_path / odd).iterdir())
