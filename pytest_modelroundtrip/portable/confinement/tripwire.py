"""Notes what a reload uses besides what a deployment has: files, folders, hosts.

Python reports what it opens and lists itself (`sys.addaudithook`), and TensorFlow's Python layer is
watched for what it does through its own file system. What native code does by itself is not seen
here; `confinement` makes it fail, and the error names the file.
"""

from __future__ import annotations

import enum
import functools
import os
import pathlib
import re
import sys
from typing import Any, Callable, Iterator, List, NamedTuple, Sequence, Tuple, TypeVar

from .allowed_paths import Within

NETWORK_EVENTS = (
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request",
)  # fmt: skip
FOLDER_EVENTS = ("os.listdir", "os.scandir", "glob.glob")
# of TensorFlow's own file system, below all the names that it has in Python
LOOKS_OF_TENSORFLOW = ("FileExists", "GetMatchingFiles", "GetChildren", "IsDirectory", "Stat")
LOOKS_OF_PYTHON: Sequence[Tuple[Any, Sequence[str]]] = (
    (os.path, ("exists", "isfile", "isdir", "lexists")),
    (pathlib.Path, ("exists", "is_file", "is_dir")),
)
MAX_NOTES = 1000  # of each kind: the first ones tell enough, and a longer list is slow to search
IN_MEMORY = ("ram:", "file:")  # schemes that are no host
REFUSALS = re.compile(
    r"permission ?denied|no such file|not ?found|errno|unable to open|cannot open|failed to open",
    re.IGNORECASE,
)
PATH = re.compile(r"'(/[^'\n]+)'|\"(/[^\"\n]+)\"|(?<![\w./:}])(/[^\s'\",;:()\[\]{}]+)")

FRAME = re.compile(r'File "[^"\n]*", line')  # where the saver built an operation

AuditArguments = Tuple[Any, ...]  # they differ from event to event
N = TypeVar("N")


class AccessKind(str, enum.Enum):
    """What was accessed."""

    FILE = "file"
    FOLDER = "folder"
    NETWORK = "network"

    __str__ = str.__str__


class Access(NamedTuple):
    """One thing that a reload used, or wanted."""

    kind: AccessKind
    path: str  # of the network: a URL, or a host with what belongs to it

    def __str__(self) -> str:
        """How it is shown."""
        is_network = self.kind is AccessKind.NETWORK
        return f"the network: {self.path}" if is_network else f"the {self.kind} {self.path}"


class Reached(NamedTuple):
    """What a reload used, or looked for, besides what a deployment has."""

    used: List[Access]
    looked_for: List[str]  # paths whose existence was asked for


class Tripwire:
    """What was used from `arm` on.

    An audit hook stays for the life of its process, so this is for processes that reload once.
    """

    def __init__(self) -> None:
        self.reached = Reached([], [])
        self._allowed = Within(())
        self._top = _top_folders()  # while they can be seen
        self._armed = False

    def arm(self, allowed: Sequence[str]) -> None:
        """Take note from now on, except of these files and folders."""
        self._allowed = Within([*allowed, "/dev", os.getcwd()])
        sys.addaudithook(self._audit)
        self._watch_tensorflow()
        for owner, names in LOOKS_OF_PYTHON:
            for name in names:
                setattr(owner, name, self._noting(getattr(owner, name), self._looked_for))
        self._armed = True

    def named_by(self, error: BaseException) -> Iterator[Access]:
        """The files that an error says could not be opened, of those that are not allowed.

        This is how native code that is confined tells what it wanted. What Python itself used is
        noted already.
        """
        noted = [access.path for access in self.reached.used]
        for raised in _chain(error):
            text = FRAME.sub("", f"{type(raised).__name__}: {text_of(raised)}")
            if not self._armed or not REFUSALS.search(text):
                continue
            for match in PATH.finditer(text):
                path = next(filter(None, match.groups())).rstrip(".")
                # else it is the name of a layer or of a device
                is_file = path.split(os.sep)[1] in self._top and self._is_outside(path)
                if is_file and not any(path in other for other in noted):
                    yield Access(AccessKind.FILE, path)

    def _audit(self, event: str, args: AuditArguments) -> None:
        if not self._armed:
            return
        if event == "open":
            path, _, flags = args
            writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if not writing:
                self._used(AccessKind.FILE, path)
        elif event in FOLDER_EVENTS:
            self._used(AccessKind.FOLDER, args[0])
        elif event in NETWORK_EVENTS and not _is_local_socket(event, args):
            words = [str(arg) for arg in args if isinstance(arg, (str, int, tuple))]
            _note(self.reached.used, Access(AccessKind.NETWORK, " ".join(words)))

    def _watch_tensorflow(self) -> None:
        file_io = sys.modules.get("tensorflow.python.lib.io.file_io")
        if file_io is None:
            return
        opened = file_io.FileIO._preread_check

        def preread(file: Any) -> Any:
            self._used(AccessKind.FILE, file.name)
            return opened(file)

        file_io.FileIO._preread_check = preread
        native = getattr(file_io, "_pywrap_file_io", None)
        for name in LOOKS_OF_TENSORFLOW:
            original = getattr(native, name, None)
            if original is not None:
                used = functools.partial(self._used, AccessKind.FILE)
                setattr(native, name, self._noting(original, used))

    def _noting(self, original: Callable[..., Any], note: Callable[[Any], None]) -> Any:
        """The same function, which notes its first argument."""

        @functools.wraps(original)
        def watched(path: Any, *args: Any, **kwargs: Any) -> Any:
            note(path)
            return original(path, *args, **kwargs)

        return watched

    def _used(self, kind: AccessKind, path: Any) -> None:
        path = _text(path)
        scheme, separator, _ = path.partition("//")
        if separator and scheme.endswith(":") and scheme[:-1].isalnum():
            if scheme not in IN_MEMORY:
                _note(self.reached.used, Access(AccessKind.NETWORK, path))
        elif path and self._is_outside(path):
            _note(self.reached.used, Access(kind, path))

    def _looked_for(self, path: Any) -> None:
        path = _text(path)
        if path and self._is_outside(path):
            _note(self.reached.looked_for, path)

    def _is_outside(self, path: str) -> bool:
        try:
            return path not in self._allowed
        except OSError:  # it is relative to the current folder, which the model has deleted
            return False


def _text(path: Any) -> str:
    """The path; "" for the number of an open file, or what is no path."""
    try:
        return os.fsdecode(path)
    except TypeError:
        return ""


def text_of(error: BaseException) -> str:
    """The text of an error, which code of the model's may make."""
    try:
        return str(error)
    except Exception:
        return "its text cannot be made"


def _chain(error: Any) -> Iterator[BaseException]:
    """The error, and those that it was raised from."""
    seen: List[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _top_folders() -> List[str]:
    try:
        return os.listdir(os.sep)
    except OSError:
        return []


def _note(notes: List[N], what: N) -> None:
    if len(notes) < MAX_NOTES and what not in notes:
        notes.append(what)


def _is_local_socket(event: str, args: AuditArguments) -> bool:
    return event == "socket.connect" and isinstance(args[1], (str, bytes))


TRIPWIRE = Tripwire()
