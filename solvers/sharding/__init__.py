"""Placing embedding tables: greedy rules, and a search over splits that is priced by a cost model."""
