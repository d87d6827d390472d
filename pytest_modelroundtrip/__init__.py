"""Prove that a saved model is the model that was trained."""

from __future__ import annotations

from .roundtrip import RoundTrip, RoundTripError

__all__ = ["RoundTrip", "RoundTripError"]

__version__ = "0.1.0"
