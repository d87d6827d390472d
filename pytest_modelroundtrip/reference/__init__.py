"""The original: models, their inputs, and what they return."""
