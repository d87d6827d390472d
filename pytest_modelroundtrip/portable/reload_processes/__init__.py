"""A process for each reload: its start, its life, its limits, its end."""
