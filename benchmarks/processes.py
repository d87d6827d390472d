"""What a process and all processes below it use."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

from pytest_modelroundtrip.portable.processes import process_tree
from pytest_modelroundtrip.portable.processes.memory import memory_of

adopt_orphans = process_tree.adopt_orphans

SAMPLE_SECONDS = 0.02


def tree(pid: int) -> list[int]:
    """A process and those below it."""
    return [pid, *process_tree.descendants(pid)]


def memory(pid: int) -> int:
    """The bytes of memory of the tree, with shared pages in proportion (PSS)."""
    return sum(map(memory_of, tree(pid)))


def descriptors(pid: int) -> int:
    """How many files the processes of the tree have open."""
    count = 0
    for number in tree(pid):
        with contextlib.suppress(OSError):  # it has ended
            count += len(os.listdir(f"/proc/{number}/fd"))
    return count


class Peak:
    """The largest memory that was seen."""

    bytes = 0


@contextlib.contextmanager
def sampled(pid: int) -> Iterator[Peak]:
    """Look at the memory of the tree, again and again, as long as the block lasts."""
    peak, ended = Peak(), threading.Event()

    def sample() -> None:
        while not ended.is_set():
            peak.bytes = max(peak.bytes, memory(pid))
            time.sleep(SAMPLE_SECONDS)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def bytes_below(folder: str) -> int:
    """The size of all files in a folder."""
    paths = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(os.path.getsize(path) for path in paths if not os.path.islink(path))
