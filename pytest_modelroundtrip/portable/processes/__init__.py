"""A process for each reload: its start, its limits, its end."""
