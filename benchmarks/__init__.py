"""What a round trip costs, against what it costs by hand: `tox -e bench`, see `__main__`."""
