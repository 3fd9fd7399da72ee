"""Graphs as networks take them, whatever they stand for."""
