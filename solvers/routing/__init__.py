"""Paths that most likely arrive in time: the oracle of shortest paths, and what it is compared with."""
