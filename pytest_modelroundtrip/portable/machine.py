"""What can make the same numbers differ from machine to machine."""

from __future__ import annotations

import os
import platform
from typing import Dict

from .protocol import Machine

# the features of processors that TensorFlow's kernels ask for
FLAGS = (
    "sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx_vnni", "amx_bf16",
    "asimd", "sve",
)  # fmt: skip


def machine() -> Machine:
    """The machine that this process runs on."""
    processor = _processor()
    features = processor.get("flags", processor.get("Features", "")).split()
    try:
        threads = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        threads = os.cpu_count() or 1
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=processor.get("model name", platform.processor()),
        flags=[flag for flag in FLAGS if flag in features],
        threads=threads,
    )


def _processor() -> Dict[str, str]:
    """The first processor as Linux describes it; nothing elsewhere."""
    try:
        with open("/proc/cpuinfo") as source:
            lines = source.read().split("\n\n")[0].splitlines()
    except OSError:
        return {}
    fields = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in fields}
