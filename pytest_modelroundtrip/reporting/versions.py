"""Versions of libraries, in words."""

from __future__ import annotations

from collections.abc import Mapping

from ..portable.keras_libs import BACKEND
from ..result import Versions

MODULE_NAMES = {  # in the order in which they are shown
    "python": "Python",
    "tensorflow": "TF",
    "keras": "Keras",
    "tf_keras": "tf-keras",
    "tensorflow_hub": "hub",
    "jax": "jax",
    "torch": "torch",
    "numpy": "NumPy",
}
BACKENDS = ("jax", "torch")  # with which Keras 3 may compute instead of TensorFlow


def version_line(versions: Mapping[str, str]) -> str:
    """The versions in one line: `Python 3.11.7, TF 2.21.0, ...`."""
    shown = (module for module in MODULE_NAMES if is_relevant(module, versions))
    return ", ".join(labeled(module, versions) for module in shown)


def version_lines(versions: Versions) -> list[tuple[str, str]]:
    """(side, line) for each side whose versions are known: saved, then reloaded."""
    return [
        (side, version_line(modules)) for side, modules in versions._asdict().items() if modules
    ]


def is_relevant(module: str, versions: Mapping[str, str]) -> bool:
    """Whether the module is there and its version matters.

    TensorFlow imports jax for its own purposes, whether Keras computes with it or not.
    """
    return module in versions and (module not in BACKENDS or versions.get(BACKEND) == module)


def labeled(module: str, versions: Mapping[str, str]) -> str:
    """The module with its version, such as `TF 2.21.0`."""
    return f"{MODULE_NAMES[module]} {versions[module]}"
