"""`environments`: what this side lacks is told as it is, and no interpreter is blamed for it."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_modelroundtrip.environments import HERE, BadAnswerError, Environment
from pytest_modelroundtrip.environments.archive import portable_archive
from pytest_modelroundtrip.environments.connection import Connection
from pytest_modelroundtrip.portable import protocol, transfer
from pytest_modelroundtrip.portable.protocol import CanRead, Readable

pytestmark = pytest.mark.slow

# it answers as the real one does, and needs no TensorFlow
WORKER = portable_archive([])


@pytest.fixture
def environment() -> Iterator[Environment]:
    """One that imports nothing before it is asked."""
    made = Environment("a", HERE, WORKER, "spawn")
    yield made
    made.close()


@pytest.fixture
def connection() -> Iterator[Connection]:
    made = Connection(HERE, WORKER, 60)
    yield made
    made.close()


def has_no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def has_no_space(path: object, *_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def has_no_descriptor(*_: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_too_few_threads_break_no_environment(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", has_no_thread)
        with pytest.raises(OSError) as raised:
            environment.probe()
    assert raised.value.errno == errno.EAGAIN
    assert environment.broken is None and environment._connection is None
    environment.begin()
    assert environment._connection is not None


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        (threading.Timer, "start", has_no_thread),
        (transfer, "open", has_no_descriptor),  # for a file that is sent
        (os, "makedirs", has_no_space),  # for the folder that is fetched
    ],
)
def test_what_is_lacking_for_a_folder_is_reported(  # noqa: PLR0913
    connection: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    fault: object,
) -> None:
    (tmp_path / "file").write_text("sent")
    monkeypatch.setattr(where, name, fault, raising=False)
    with pytest.raises(OSError) as raised:
        connection.send_folder(str(tmp_path), "there", print)
        connection.fetch_folder("there", str(tmp_path / "back"), str(tmp_path))
    assert raised.value.errno in (errno.EAGAIN, errno.EMFILE, errno.ENOSPC)
    assert not connection._scratch.exists()  # it is closed: its next answer would be another's


def test_an_answer_too_large_for_the_memory_is_a_bad_one(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(protocol, "decode_record", too_large)
    with pytest.raises(BadAnswerError, match="does not fit into the memory"):
        connection.ask(CanRead("/nowhere", ""), Readable, 60)


def test_an_interrupt_while_one_is_closed_leaves_none_that_is_closed(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    environment.begin()
    first = environment._connection
    assert first is not None
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            environment.close()
    assert environment._connection is None
    first.close()


def answers(environment: Environment) -> bool:
    request = CanRead("/nowhere", "")
    return environment._ready().ask(request, Readable, 60) == Readable(False)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_of_this_process_has_an_interpreter_of_its_own(environment: Environment) -> None:
    """It has no thread that receives what its parent's interpreter answers."""
    environment.begin()
    child = os.fork()
    if not child:
        is_good = False
        try:
            signal.alarm(60)  # where it waits for its parent's
            is_good = answers(environment)
            environment.close()
        finally:
            os._exit(not is_good)
    assert os.waitpid(child, 0)[1] == 0
    first = environment._connection
    assert answers(environment) and environment._connection is first


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_ends_no_interpreter_of_its_parent(environment: Environment) -> None:
    environment.begin()
    child = os.fork()
    if not child:
        try:
            environment.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert answers(environment)
