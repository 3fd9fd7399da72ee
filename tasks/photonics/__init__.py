"""Designs of photonic devices: what is measured of one, and what a user takes away."""
