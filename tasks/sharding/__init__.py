"""Placing embedding tables: searches, and what they learn from."""
