"""Policies that learn from episodes: what an environment is, rollouts in it, advantages, and the losses made of these."""
