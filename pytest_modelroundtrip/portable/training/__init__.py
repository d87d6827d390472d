"""Training that goes on after a reload."""
