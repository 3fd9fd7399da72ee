"""Search that needs values alone: points of any space, one batch after the other."""
