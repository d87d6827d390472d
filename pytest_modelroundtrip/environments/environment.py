"""A named interpreter that reloads: its state, and what is known of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..portable import START_SECONDS
from ..portable.processes import process_tree
from ..portable.protocol import FailedError, Interpreter, Job, Probe, Reload, Reloaded
from ..portable.reload_processes import standby, watching
from . import jobs_there, launch
from .connection import Connection, ConnectionEndedError
from .install_hints import install_hint
from .kinds import Kind, Startable
from .provisioning import Notify, ProvisioningError

# the worker keeps the time limit, and then lets the child print its trace, and ends it
GRACE_SECONDS = standby.READY_SECONDS + watching.TRACE_SECONDS + process_tree.END_SECONDS + 0.5
PROBE = Probe([], [None])  # what most reloads need


class BrokenEnvironmentError(Exception):
    """The interpreter cannot be started, cannot import what a reload needs, or is gone.

    The text says which, and what to do.
    """


class _NotNowError(BrokenEnvironmentError):
    """Its system did not let it be done. The next request may be answered."""


def _ignore(text: str) -> None:
    """Show nothing."""


class Environment:
    """A named interpreter, started when it is first needed and kept warm for all reloads.

    Each reload is a fork of it, which with the isolation "standby" is set up before its job is
    known; or with "spawn" an interpreter of its own.

    Attributes:
        name: as tests name it.
        kind: what was declared.
        broken: why it cannot be used for the rest of the run, else None.
        without_keras: why it can reload nothing of Keras and TensorFlow, else None.
        notify: shows that a virtual environment is being created.
        notify_progress: shows how much of an artifact has been sent.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        archive: bytes,
        isolation: str,
        connect_seconds: float = launch.CONNECT_SECONDS,
    ) -> None:
        """Remember what to start; nothing is started yet.

        Args:
            name: as tests name it.
            kind: what is started.
            archive: what `archive.portable_archive` returns.
            isolation: "standby", "fork" or "spawn".
            connect_seconds: how long to wait for a started interpreter's first answer.
        """
        self.name, self.kind = name, kind
        self.broken: str | None = None
        self.without_keras: str | None = None
        self.notify: Notify = _ignore
        self.notify_progress: Notify = _ignore
        self._current = kind  # the Python that was created, for requirements
        self._archive, self._forks = archive, isolation != "spawn"
        self._stands_by = isolation == "standby"
        self._connect_seconds = connect_seconds
        self._pid = os.getpid()  # of the process whose connection it is
        self._connection: Connection | None = None
        self._inherited: list[Connection | None] = []  # of the processes that this one is a fork of
        self._is_warming = False  # the answer to its first import has not been received yet
        self._warmed: list[Probe] = []  # what else it has imported
        self._shared: dict[str, bool] = {}  # folder of modules -> whether it can be read there
        self._start_seconds = 0.0  # of first imports that no reload has accounted for yet
        self._interpreter: Interpreter | None = None
        self._others: dict[str, Environment] = {}  # by their hash seeds

    @property
    def description(self) -> str:
        """What is started, and where, for people."""
        return self._current.description

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, with its file system, and not in a container."""
        return self._current.is_local

    @property
    def is_this_interpreter(self) -> bool:
        """Whether it is the interpreter of the tests, started clean."""
        return self.kind.is_this_interpreter

    def reproduce_command(self, folder: str, *arguments: str) -> str:
        """The command that reloads, without pytest, what is kept in that folder.

        Empty where there is no interpreter yet.
        """
        if not isinstance(self._current, Startable):
            return ""
        return self._current.reproduce_command(folder, *arguments)

    def begin(self) -> None:
        """Start the interpreter, and let it import Keras while this process goes on.

        What goes wrong is raised at its first use.

        Raises:
            OSError: where this machine has no disk space, descriptors or processes left.
        """
        if self._pid != os.getpid():  # a fork, as pytest-forked makes: it cannot receive
            self._end()
        if self._connection is not None or self.broken is not None:
            return
        with contextlib.suppress(BrokenEnvironmentError), self._errors(lasting=True):
            self._connection = self._connected()
            if self._forks:
                self._connection.send_request(PROBE)
                self._is_warming = True

    def _connected(self) -> Connection:
        startable = self._current.resolved(lambda text: self.notify(f"{self.name}: {text}"))
        self._current = startable
        problem = startable.start_problem()
        if problem is not None:
            raise BrokenEnvironmentError(problem)
        connection = Connection(startable, self._archive, self._connect_seconds)
        if connection.missing:
            error = self._import_error(connection, [connection.missing])
            connection.close()
            raise error
        return connection

    def probe(self, for_keras: bool = True) -> Interpreter:
        """What the interpreter is: its versions, what is installed, its machine. Asked once.

        Args:
            for_keras: whether Keras is needed there.

        Raises:
            BrokenEnvironmentError: when it cannot be started or cannot import Keras.
            BadAnswerError: when its answer cannot be read.
            OSError: as `begin`.
        """
        if self._interpreter is None:
            with self._errors(lasting=True):
                connection = self._ready()
                if self._interpreter is None:
                    connection.send_request(PROBE)
                    self._receive_interpreter(connection)
        assert self._interpreter is not None
        self._check_keras(for_keras)
        return self._interpreter

    def reload(
        self,
        job: Job,
        seconds: float,
        memory: int | None = None,
        hash_seed: str | None = None,
    ) -> Reloaded:
        """Do one job in a process of its own.

        Args:
            job: what to load and what to look at.
            seconds: the time limit, after its imports.
            memory: the memory limit, in bytes.
            hash_seed: of another interpreter of the same kind; None for this one.

        Returns:
            What came of it. In its `seconds`, "start" has what first imports took.

        Raises:
            BrokenEnvironmentError: when the interpreter is gone or cannot import what it needs.
            BadAnswerError: when its answer cannot be read. It starts anew at its next use.
            OSError: as `begin`.
        """
        if hash_seed is not None:
            return self._with(hash_seed).reload(job, seconds, memory)
        with self._errors(lasting=False):
            connection = self._ready()
            self._check_keras(bool(job.setup.keras_majors))
            request = self._request(connection, job, seconds, memory)
            limit = request.start_seconds + seconds + GRACE_SECONDS
            reloaded = connection.ask(request, Reloaded, limit)
            self._check_imports(connection, reloaded.broken)
            was_sent = request.job.save_to != job.save_to
            if job.save_to and reloaded.observation is not None and was_sent:
                connection.fetch_folder(jobs_there.SAVED_AGAIN, job.save_to, job.artifact)
        start = reloaded.seconds.get("start", 0.0) + self._start_seconds
        self._start_seconds = 0.0
        return reloaded._replace(seconds={**reloaded.seconds, "start": start})

    def _request(
        self, connection: Connection, job: Job, seconds: float, memory: int | None
    ) -> Reload:
        """The job, with the paths of that machine, and the process that is to do it."""

        def notify(text: str) -> None:
            self.notify_progress(f"{self.name}: {text}")

        there = jobs_there.job_there(connection, job, self._shared, notify)
        needs = Probe(job.needs, job.setup.keras_majors)
        forks = self._forks and self._can_fork(connection, needs)
        start_seconds = 0 if forks else START_SECONDS
        stands_by = forks and self._stands_by
        return Reload(there, start_seconds, seconds, memory, forks, stands_by)

    def _can_fork(self, connection: Connection, needs: Probe) -> bool:
        """Let it import what forks of it need, which has a time limit of its own; whether it can
        be forked then.
        """
        if needs not in self._warmed:
            connection.send_request(needs)
            found = self._receive_interpreter(connection)
            self._check_imports(connection, found.broken)
            self._start_seconds += found.seconds
            self._warmed.append(needs)
        return self._interpreter is not None and self._interpreter.can_fork

    def _with(self, hash_seed: str) -> Environment:
        """The same with another hash seed, kept warm too."""
        if hash_seed not in self._others:
            kind = replace(self._current, hash_seed=hash_seed)
            isolation = "fork" if self._forks else "spawn"
            self._others[hash_seed] = Environment(self.name, kind, self._archive, isolation)
        return self._others[hash_seed]

    def close(self) -> None:
        """End the interpreter and all that it started; it starts again when it is needed."""
        for other in self._others.values():
            other.close()
        self._end()

    def _end(self) -> None:
        connection, self._connection = self._connection, None  # first: closing may be interrupted
        self._is_warming = False
        self._warmed, self._shared = [], {}
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._inherited.append(connection)  # were it deleted, execnet would close it
        elif connection is not None:
            connection.close()

    @contextlib.contextmanager
    def _errors(self, lasting: bool) -> Iterator[None]:
        """Raise BrokenEnvironmentError for what breaks it, and leave nothing half done.

        What is cut off (by a time limit of the test, an interrupt, an answer that cannot be read)
        is not taken up in the middle by the next test: the interpreter is ended.

        Args:
            lasting: whether what breaks it holds for the rest of the run.
        """
        try:
            yield
        except _NotNowError:
            raise
        except FailedError as error:
            raise _NotNowError(f"{self.description}: {error}") from error
        except (BrokenEnvironmentError, ConnectionEndedError, ProvisioningError) as error:
            if isinstance(error, ConnectionEndedError):
                self._end()
            if lasting:
                self.broken = str(error)
            if isinstance(error, BrokenEnvironmentError):
                raise
            raise BrokenEnvironmentError(str(error)) from error
        except BaseException:
            self._end()
            raise

    def _ready(self) -> Connection:
        """The connection, when its first imports are done."""
        self.begin()
        if self._connection is None or self.broken is not None:
            raise BrokenEnvironmentError(self.broken or "")
        if self._is_warming:
            with self._errors(lasting=True):
                found = self._receive_interpreter(self._connection)
                self._start_seconds = found.seconds
        return self._connection

    def _receive_interpreter(self, connection: Connection) -> Interpreter:
        self._is_warming = False
        found = connection.receive_answer(Interpreter, START_SECONDS)
        if self._interpreter is None and found.broken:
            self.without_keras = str(self._import_error(connection, found.broken))
        self._interpreter = found
        return found

    def _check_keras(self, is_needed: bool) -> None:
        if is_needed and self.without_keras is not None:
            raise BrokenEnvironmentError(self.without_keras)

    def _check_imports(self, connection: Connection, broken: Iterable[str]) -> None:
        errors = list(broken)
        if errors:
            raise self._import_error(connection, errors)

    def _import_error(self, connection: Connection, errors: list[str]) -> BrokenEnvironmentError:
        output = "\n".join([*errors, *connection.log_tail()])
        hint = install_hint(output, self.name, self.kind)
        first = f"{self.description} cannot import what the reload needs:"
        return BrokenEnvironmentError("\n".join([first, *errors, hint]))
