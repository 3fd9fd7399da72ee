"""Encoders of graphs with several relations, a file each, behind one contract."""
