"""The memory of processes, and what a machine or a container leaves of it."""

import contextlib
import os
import sys

# of both versions of control groups: the folder, its files with the limit and with what is used,
# and the name of a number in `memory.stat`: bytes of files that are given back when they are needed
CONTAINER = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def memory_of(pid: int) -> int:
    """The bytes of memory that a process has, shared ones in proportion; 0 where it has ended.

    0 too where there is no `/proc`.
    """
    nothing = contextlib.suppress(OSError, ValueError, IndexError)
    with nothing, open(f"/proc/{pid}/smaps_rollup") as source:
        for line in source:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    with nothing, open(f"/proc/{pid}/statm") as source:
        return int(source.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def free_memory() -> int:
    """The bytes of memory that more processes may use; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/meminfo") as source:
        for line in source:
            if line.startswith("MemAvailable:"):
                return min(int(line.split()[1]) * 1024, _left_in_container())
    return 0


def _left_in_container() -> int:
    """What the limit of a container leaves; without one, more than there is."""
    for folder, limit, used, files in CONTAINER:
        with contextlib.suppress(OSError, ValueError):  # ValueError: "max"
            most = _number_in(folder, limit)
            with open(os.path.join(folder, "memory.stat")) as source:
                unneeded = dict(line.split() for line in source).get(files, "0")
            return most - _number_in(folder, used) + int(unneeded)
    return sys.maxsize


def _number_in(folder: str, name: str) -> int:
    with open(os.path.join(folder, name)) as source:
        return int(source.read())
