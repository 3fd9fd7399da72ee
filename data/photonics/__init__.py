"""Photonic devices: what is to be designed, and what a design does to light."""
