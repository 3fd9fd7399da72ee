"""Embedding tables and the devices that hold them: tables, problems, plans, task generators, cost oracles."""
