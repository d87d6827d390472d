"""A live model: how it is called, and what stands in it."""
