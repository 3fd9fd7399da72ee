"""Samples of a function that is costly to ask, stored and served to whoever learns it."""
