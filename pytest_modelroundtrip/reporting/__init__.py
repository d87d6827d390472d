"""What is shown and written of results: one `Record` of each round trip, and what is made of it."""
