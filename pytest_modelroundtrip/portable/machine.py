"""What can make the same numbers differ from machine to machine."""

from __future__ import annotations

import os
import platform
from typing import Any, Dict

FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx_vnni", "amx_bf16", "asimd", "sve")  # that kernels ask for


def machine() -> Dict[str, Any]:
    """`system`, `processor`, `flags` (of those that TensorFlow's kernels ask for, what it has) and `threads`."""
    told = _cpu()
    try:
        threads = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        threads = os.cpu_count() or 1
    return {
        "system": "%s %s" % (platform.system(), platform.machine()),
        "processor": told.get("model name", platform.processor()),
        "flags": [flag for flag in FLAGS if flag in told.get("flags", told.get("Features", "")).split()],
        "threads": threads,
    }


def _cpu() -> Dict[str, str]:
    """The first processor as Linux describes it; nothing elsewhere."""
    try:
        with open("/proc/cpuinfo") as source:
            lines = source.read().split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
