"""Tries in a forked process what a system may refuse.

A filter of system calls may answer with the end of the process instead of an error.
"""

from __future__ import annotations

import os
from typing import Callable

from . import process_tree


def refusal(attempt: Callable[[], object]) -> str:
    """Why this fails, or how it ended the fork that tried it; "" where it works."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            attempt()
        except BaseException as error:
            os.write(write, str(getattr(error, "strerror", None) or error).encode())
        finally:
            process_tree.exit_now(0)
    os.close(write)
    with open(read, "rb") as answer:
        reason = answer.read().decode()
    _, status = os.waitpid(pid, 0)
    return reason or process_tree.described_exit(status)
