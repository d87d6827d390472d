"""Processes of this machine: those below one, and what they use."""
