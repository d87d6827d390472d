"""Bundles: an artifact with what was observed of its model, recorded and checked."""
