"""Notes what a reload uses besides the artifact and the installed packages: files, hosts.

Python reports the files and sockets that it opens itself (`sys.addaudithook`), and TensorFlow's
Python layer is watched for the files that it reads through its own file system. This is a
tripwire, not a sandbox: native code that opens files by itself is not seen.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import Any, List, Sequence, Tuple

SYSTEM_FOLDERS = (
    "/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64", "/bin", "/opt",
    "/System", "/Library",
)  # fmt: skip
NETWORK_EVENTS = (
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request",
)  # fmt: skip

AuditArguments = Tuple[Any, ...]  # they differ from event to event


class Tripwire:
    """What was used from `arm` on.

    An audit hook stays for the life of its process, so this is for processes that reload once.
    """

    def __init__(self) -> None:
        self.reached: List[str] = []
        self._allowed: Sequence[str] = ()
        self._armed = False

    def arm(self, *folders: str) -> None:
        """Take note from now on.

        Args:
            folders: may be read, besides the installed packages and what is on `sys.path`.
        """
        installed = [sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()]
        on_path = [os.path.dirname(p) if os.path.isfile(p) else p for p in sys.path]
        allowed = [*folders, *installed, *on_path, os.getcwd()]
        self._allowed = [os.path.realpath(path) for path in allowed if path]
        sys.addaudithook(self._audit)
        self._watch_tensorflow()
        self._armed = True

    def _audit(self, event: str, args: AuditArguments) -> None:
        if not self._armed:
            return
        if event == "open":
            path, _, flags = args
            writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if isinstance(path, (str, bytes)) and not writing:
                self._read(os.fsdecode(path))
        elif event in NETWORK_EVENTS and not _is_local_socket(event, args):
            words = [str(arg) for arg in args if isinstance(arg, (str, int, tuple))]
            self._note("the network: " + " ".join(words))

    def _watch_tensorflow(self) -> None:
        file_io = sys.modules.get("tensorflow.python.lib.io.file_io")
        if file_io is None:
            return
        opened = file_io.FileIO._preread_check

        def preread(file: Any) -> Any:
            self._read(os.fsdecode(file.name))
            return opened(file)

        file_io.FileIO._preread_check = preread

    def _read(self, path: str) -> None:
        real = os.path.realpath(path)
        if not real.startswith(SYSTEM_FOLDERS) and not any(
            real == folder or real.startswith(folder + os.sep) for folder in self._allowed
        ):
            self._note("the file " + path)

    def _note(self, what: str) -> None:
        if what not in self.reached:
            self.reached.append(what)


def _is_local_socket(event: str, args: AuditArguments) -> bool:
    return event == "socket.connect" and isinstance(args[1], (str, bytes))


TRIPWIRE = Tripwire()
