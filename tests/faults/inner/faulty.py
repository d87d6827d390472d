"""A model that carries its faults: code that runs in a clean interpreter, or as it is saved."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from pytest_modelroundtrip.portable.formats import Format, LoadOptions

# what a fault may use; `folder` is that of the child's files
HEADER = """
import ctypes, os, resource, shutil, signal, struct, subprocess, sys, threading, time
folder = os.path.dirname(os.environ["HOME"])
"""


class Faulty:
    """Doubles its input.

    Attributes:
        faults: by the step in which they are injected: "save", "load", "observe", "save again".
        is_reloaded: whether it was loaded from a file.
    """

    def __init__(self, faults: Mapping[str, str], is_reloaded: bool = False) -> None:
        self.faults, self.is_reloaded = dict(faults), is_reloaded

    def get_config(self) -> dict[str, Any]:
        """Nothing is needed to build it."""
        return {}

    def inject(self, step: str) -> None:
        """Run the fault of that step."""
        if step in self.faults:
            exec(HEADER + self.faults[step], {})

    def __call__(self, x: Any) -> Any:
        """Twice the input."""
        if self.is_reloaded:
            self.inject("observe")
        return x + x


class FaultyFormat(Format):
    """The faults of a model, as JSON."""

    name = "faulty"
    keeps = ("outputs",)

    def save(self, model: Faulty, folder: str) -> None:
        """Write the faults down."""
        model.inject("save again" if model.is_reloaded else "save")
        with open(os.path.join(folder, "faults.json"), "w") as out:
            json.dump(model.faults, out)

    def load(self, folder: str, options: LoadOptions) -> Faulty:  # noqa: ARG002
        """The model, after the fault of its load."""
        with open(os.path.join(folder, "faults.json")) as source:
            model = Faulty(json.load(source), is_reloaded=True)
        model.inject("load")
        return model
