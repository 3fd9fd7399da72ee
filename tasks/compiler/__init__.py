"""Tasks on the order of compiler passes."""
