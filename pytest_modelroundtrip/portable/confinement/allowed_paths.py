"""The paths that a reload has in a deployment: what it may read, and what it may write."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import sys
import sysconfig
from typing import Any, Iterable, Iterator, List, NamedTuple, Sequence

SYSTEM_FOLDERS = (
    "/proc", "/sys", "/etc", "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin",
    "/opt", "/nix", "/gnu", "/run/opengl-driver", "/System", "/Library",
)  # fmt: skip
DEVICES = (
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/shm",
    # of GPUs: NVIDIA, its boards, AMD, those of Windows, TPUs
    "/dev/nvidia*", "/dev/nvhost*", "/dev/nvmap", "/dev/dri", "/dev/kfd", "/dev/dxg", "/dev/accel*",
)  # fmt: skip
SHARED_MEMORY = "/dev/shm"
# variables that name paths for TensorFlow, Keras, XLA and CUDA: data, dumps, caches
NAMING_PREFIXES = ("TF_", "KERAS_", "XLA_", "CUDA_", "JAX_")
SEARCH_PATHS = ("PATH", "LD_LIBRARY_PATH")
PATH_IN_TEXT = re.compile(r"(?<![^\s:=,;\"'])/[^\s:=,;\"']+")

Path = str  # an absolute path of a file or folder, which may lead over links


class AllowedPaths(NamedTuple):
    """What a reload may use."""

    readable: List[Path]
    writable: List[Path]
    changeable: List[Path]  # are neither made nor deleted: devices, the artifact


def of_reload(
    artifact: str, readable: Sequence[str], writable: Sequence[str], modules: Iterable[str]
) -> AllowedPaths:
    """The paths of a reload in this process, as it is now.

    Args:
        artifact: may be changed, since Keras 3.0 opens a file that it loads to write as well.
        readable: that this reload needs besides the system and the installed packages.
        writable: its own folders.
        modules: that were imported for it, from wherever they are.
    """
    packages = [*_prefixes(), *_on_path(), *_finders_paths(), *_packages_of(modules)]
    may_read = [*SYSTEM_FOLDERS, *packages, *_search_paths(), *readable]
    may_read += _links_of_packages(_on_path())
    devices = [path for pattern in DEVICES for path in glob.glob(pattern)]
    may_write = [*writable, *(path for path in devices if path == SHARED_MEMORY)]
    within_readable = Within(may_read)
    for path in _named_by_variables():
        if path not in within_readable:
            may_write.append(path)
    may_change = [*(path for path in devices if path != SHARED_MEMORY), artifact]
    return AllowedPaths(_usable(may_read), _usable(may_write), _usable(may_change))


class Within:
    """Whether a path is one of these, or lies in one of them; links are followed."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = {os.path.realpath(path) for path in paths}

    def __contains__(self, path: str) -> bool:
        real = os.path.realpath(path)
        while real not in self._paths:
            above = os.path.dirname(real)
            if above == real:
                return False
            real = above
        return True


def _usable(paths: Iterable[str]) -> List[Path]:
    """The paths that exist, each once; never the whole file system."""
    absolute = (os.path.abspath(path) for path in paths if path)
    return [
        path
        for path in dict.fromkeys(absolute)
        if os.path.realpath(path) != os.sep and os.path.exists(path)
    ]


def _prefixes() -> List[str]:
    """Where Python and its packages are installed."""
    return [sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()]


def _on_path() -> List[str]:
    """What is on `sys.path`: folders and archives; "" is the current folder, which is its own."""
    return [path for path in sys.path if path]


def _search_paths() -> Iterator[str]:
    """Folders of programs and libraries that the environment names."""
    for name in SEARCH_PATHS:
        yield from filter(os.path.isabs, os.environ.get(name, "").split(os.pathsep))


def _named_by_variables() -> Iterator[str]:
    for name, value in os.environ.items():
        if name.startswith(NAMING_PREFIXES):
            yield from _usable(PATH_IN_TEXT.findall(value))


def _packages_of(modules: Iterable[str]) -> Iterator[str]:
    """The folders of the packages of these modules, as they were imported."""
    for name in modules:
        top = sys.modules.get(name.split(".")[0])
        yield from map(str, getattr(top, "__path__", ()))
        yield _package_or_module(getattr(top, "__file__", None) or "")


def _package_or_module(file: str) -> str:
    is_package = os.path.basename(file).startswith("__init__.")
    return os.path.dirname(file) if is_package else file


def _finders_paths() -> Iterator[str]:
    """What the import finders of editable installs lead to.

    Each keeps it in attributes of its own: of the finder, its class, or its module.
    """
    for finder in sys.meta_path:
        cls = finder if isinstance(finder, type) else type(finder)
        if cls.__module__.startswith("_frozen_importlib"):
            continue
        module = sys.modules.get(cls.__module__)
        for holder in (finder, cls, module):
            attributes = getattr(holder, "__dict__", {})
            for name, value in list(attributes.items()):
                if not name.startswith("__"):
                    yield from _paths_in(value)


def _paths_in(value: Any, depth: int = 3) -> Iterator[str]:
    """The absolute paths in a string, or in plain containers."""
    if isinstance(value, str):
        if os.path.isabs(value):
            yield _package_or_module(value)
            yield value + ".py"  # setuptools leaves that out
    elif depth and isinstance(value, (dict, list, tuple, set, frozenset)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _paths_in(item, depth - 1)


def _links_of_packages(folders: Iterable[str]) -> Iterator[str]:
    """Where packages lead that are links in a folder of packages, or made of links, as uv can."""
    for folder in folders:
        if not os.path.isdir(folder):
            continue
        # Python passes over a folder that it may not read
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield os.path.realpath(entry.path)
                elif entry.name.endswith(".dist-info"):
                    metadata = os.path.join(entry.path, "METADATA")
                    if os.path.islink(metadata):
                        yield os.path.dirname(os.path.dirname(os.path.realpath(metadata)))
