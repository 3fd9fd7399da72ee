"""Gradients through an argmin: a file per rule."""
