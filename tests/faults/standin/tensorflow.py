"""Stands in for TensorFlow where processes are tried and not models: it is imported at once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

__version__ = "2.21.0"
keras = SimpleNamespace(layers=SimpleNamespace())
constant = np.asarray
