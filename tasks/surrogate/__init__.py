"""Costs that are predicted: a prior trained on instances, its deployment, and searches that start from it."""
