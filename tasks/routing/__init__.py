"""Paths that most likely arrive in time: what is measured of one, and what a user takes away."""
