"""What to do about an error or a difference."""
