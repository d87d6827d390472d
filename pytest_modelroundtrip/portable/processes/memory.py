"""The memory of processes, and what a machine or a container leaves of it."""

import contextlib
import os
import sys

# the files of both versions of control groups: the limit, and what is used
MEMORY_OF_CONTAINER = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
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
    for limit, usage in MEMORY_OF_CONTAINER:
        with contextlib.suppress(OSError, ValueError), open(limit) as most, open(usage) as used:
            return int(most.read()) - int(used.read())  # ValueError: "max"
    return sys.maxsize
